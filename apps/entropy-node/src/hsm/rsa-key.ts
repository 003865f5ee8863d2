/** An RSA-4096 key that a PKCS#11 token made and never shows, as what signs pulses. */
import { createPublicKey, verify, type KeyObject } from "node:crypto"

import { UserError } from "@tallylight/node/user-error.js"
import { z } from "zod"

import type { SourceFacts } from "../sources/source.ts"
import type { TokenKey } from "./module-calls.ts"
import { moduleProgram } from "./module-program-url.ts"
import type { ModuleProgram } from "./module-process.ts"
import type { PulseSigner } from "./pulse-signer.ts"
import { tokenOptions, type TokenSettings } from "./token-settings.ts"
import { Token, TokenLost } from "./token.ts"

const modulusBytes = 512

export const tokenKeySettings = z.strictObject({
    kind: z.literal("pkcs11"),
    ...tokenOptions,
    /** Label of the key in its token. */
    key: z.string().min(1).max(40).default("tallylight-pulse"),
})

export type TokenKeySettings = z.output<typeof tokenKeySettings>

export type TokenPulseSigner = PulseSigner & {
    /** Whether the token made the key now. */
    readonly isNew: boolean
}

/**
 * Opens the token and finds the key. Where there is none, `create` has the token make one, and `refuse` rejects: a
 * token that lost its key must not go on with another one unnoticed.
 */
export async function openTokenSigner(
    settings: TokenKeySettings,
    whenMissing: "create" | "refuse",
    program: ModuleProgram = moduleProgram(),
): Promise<TokenPulseSigner> {
    const token = await Token.open(settings, program)
    try {
        const found = await findKey(token, settings)
        if (found === undefined && whenMissing === "create") await token.createKey(settings.key)
        const key = found ?? (await mustFind(token, settings))
        return new TokenSigner(settings, program, token, key, found === undefined)
    } catch (error) {
        await token.close()
        throw error
    }
}

class TokenSigner implements TokenPulseSigner {
    readonly modulus: Uint8Array
    readonly exponent: number
    readonly simulated: boolean
    readonly facts: SourceFacts
    readonly isNew: boolean
    readonly #settings: TokenKeySettings
    readonly #program: ModuleProgram
    readonly #publicKey: KeyObject
    #open: { readonly token: Token; readonly key: TokenKey } | undefined
    /** Settles when the signature before has: two that find the token lost must not both open it again. */
    #last: Promise<unknown> = Promise.resolve()

    constructor(
        settings: TokenKeySettings,
        program: ModuleProgram,
        token: Token,
        key: TokenKey,
        isNew: boolean,
    ) {
        this.modulus = key.modulus
        this.exponent = numberOf(key.exponent)
        this.simulated = settings.simulated
        this.facts = { ...token.facts, key: settings.key, keyBornInToken: key.isBornHere }
        this.isNew = isNew
        this.#settings = settings
        this.#program = program
        this.#publicKey = publicKeyOf(key)
        this.#open = { token, key }
    }

    sign(message: Uint8Array): Promise<Uint8Array> {
        const signed = this.#last.then(() => this.#sign(message))
        this.#last = signed.catch(() => undefined)
        return signed
    }

    async close(): Promise<void> {
        await this.#last
        await this.#open?.token.close()
        this.#open = undefined
    }

    async #sign(message: Uint8Array): Promise<Uint8Array> {
        const signature = await this.#signOnce(message).catch((error: unknown) => {
            // The same bytes give the same signature, so asking twice is no harm.
            if (error instanceof TokenLost) return this.#signOnce(message)
            throw error
        })
        // A signature with a computing error can give the key away (Boneh, DeMillo, Lipton 1997).
        if (!verify("sha512", message, this.#publicKey, signature)) {
            throw new Error(`the token ${this.#settings.token} gave a signature that does not verify`)
        }
        return signature
    }

    async #signOnce(message: Uint8Array): Promise<Uint8Array> {
        this.#open ??= await this.#reopen()
        const { token, key } = this.#open
        try {
            return await token.sign(key.handle, message)
        } catch (error) {
            if (error instanceof TokenLost) {
                this.#open = undefined
                await token.close()
            }
            throw error
        }
    }

    async #reopen(): Promise<{ readonly token: Token; readonly key: TokenKey }> {
        const token = await Token.open(this.#settings, this.#program)
        try {
            const key = await mustFind(token, this.#settings)
            if (Buffer.compare(key.modulus, this.modulus) !== 0) {
                throw new UserError(
                    `the token ${this.#settings.token} came back with another key ${this.#settings.key}; restart ` +
                        `this program where that is meant`,
                )
            }
            return { token, key }
        } catch (error) {
            await token.close()
            throw error
        }
    }
}

async function mustFind(token: Token, settings: TokenKeySettings): Promise<TokenKey> {
    const found = await findKey(token, settings)
    if (found !== undefined) return found
    throw new UserError(`the token ${settings.token} has no RSA key ${settings.key}; init makes one`)
}

/** Rejects with a UserError what is no key for pulses. */
async function findKey(
    token: Token,
    { token: label, key: name }: TokenSettings & { readonly key: string },
): Promise<TokenKey | undefined> {
    const [key, ...others] = await token.findKeys(name)
    if (key === undefined) return undefined
    if (others.length > 0)
        throw new UserError(`the token ${label} has several keys ${name}; delete, or rename, all but one`)
    if (key.modulus.length !== modulusBytes) {
        throw new UserError(
            `the key ${name} of the token ${label} has ${8 * key.modulus.length} bits, and pulses are signed with ` +
                `${8 * modulusBytes}; choose another label`,
        )
    }
    if (key.mayLeave)
        throw new UserError(
            `the key ${name} may leave the token ${label}; choose another label, and init makes one`,
        )
    return key
}

function publicKeyOf({ modulus, exponent }: TokenKey): KeyObject {
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")
    return createPublicKey({
        key: { kty: "RSA", n: base64(modulus), e: base64(exponent) },
        format: "jwk",
    })
}

function numberOf(bigEndian: Uint8Array): number {
    return bigEndian.reduce((value, byte) => value * 256 + byte, 0)
}
