/** For tests: what pulses are made from, in the process's memory, with faults that can be switched on. */
import { generateKeyPair, sign } from "node:crypto"
import { promisify } from "node:util"

import { toHex } from "@tallylight/crypto/bytes.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"

import type { Core, LocalValue } from "../core/core.ts"
import { NotReady } from "../core/node-core.ts"
import type { PulseSigner } from "../hsm/pulse-signer.ts"

/** Generating one takes seconds: each is made once for all tests of a process. */
const keys = new Map<string, Promise<TwinKey>>()
type TwinKey = Awaited<ReturnType<typeof generate>>

async function generate() {
    const { privateKey, publicKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 4096 })
    const modulus = Buffer.from(publicKey.export({ format: "jwk" }).n ?? "", "base64url")
    return { privateKey, modulus: new Uint8Array(modulus) }
}

export class TwinSigner implements PulseSigner {
    readonly modulus: Uint8Array
    readonly exponent = 65_537
    /** As with a key in software; a test may have it otherwise. */
    simulated = true
    readonly facts = { software: true }
    /** What it was asked to sign, in hexadecimal digits, also while it was gone. */
    readonly asked: string[] = []
    /** Whether it is gone before it signs, or, as in a crash, never answers once it has. */
    fault: "none" | "gone" | "silent" | "wrong" = "none"
    readonly #key: TwinKey

    private constructor(key: TwinKey) {
        this.#key = key
        this.modulus = key.modulus
    }

    /** The same key for the same name. */
    static async of(name: string): Promise<TwinSigner> {
        const key = keys.get(name) ?? generate()
        keys.set(name, key)
        return new TwinSigner(await key)
    }

    sign(message: Uint8Array): Promise<Uint8Array> {
        if (this.fault === "gone") return Promise.reject(new Error("the token was taken out"))
        this.asked.push(toHex(message))
        if (this.fault === "silent") return new Promise(() => undefined)
        const signature = new Uint8Array(sign("sha512", message, this.#key.privateKey))
        if (this.fault === "wrong") signature[0] = (signature[0] ?? 0) ^ 1
        return Promise.resolve(signature)
    }

    close(): Promise<void> {
        return Promise.resolve()
    }
}

export class TwinValues implements Pick<Core, "localValue"> {
    readonly drawn: LocalValue[] = []
    /** How many more it gives before too few sources are healthy. */
    left = Infinity
    /** Whether a source of them is. */
    simulated = false
    readonly #random = seededRandom("local values")

    localValue(): Promise<LocalValue> {
        if (this.left === 0) return Promise.reject(new NotReady(["one of two sources is healthy"]))
        this.left -= 1
        const value = { value: this.#random(64), sources: ["chip", "diode"], simulated: this.simulated }
        this.drawn.push(value)
        return Promise.resolve(value)
    }
}
