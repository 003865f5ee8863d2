/**
 * The key of a node without an HSM: RSA-4096 in a file, PKCS#8 in PEM (RFC 5958, RFC 7468). It signs as hardware would,
 * and says of itself that it is none.
 */
import { createPrivateKey, createPublicKey, generateKeyPair, sign } from "node:crypto"
import type { KeyObject } from "node:crypto"
import { promisify } from "node:util"

import { createDurably, readIfThere } from "@tallylight/node/durable-file.js"
import { refuseReadableByOthers } from "@tallylight/node/key-files.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"

import type { PulseSigner } from "../hsm/pulse-signer.ts"

const modulusBits = 4096

/** Takes seconds, on another thread. Rejects where a file of that name exists: keys are never overwritten. */
export async function createSoftwareKey(path: string): Promise<void> {
    const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: modulusBits })
    try {
        await createDurably(path, privateKey.export({ type: "pkcs8", format: "pem" }), 0o600)
    } catch (error) {
        if (systemCode(error) !== "EEXIST") throw error
        throw new UserError(`the key file ${path} exists, and keys are never overwritten`, { cause: error })
    }
}

export async function openSoftwareKey(path: string): Promise<PulseSigner> {
    const pem = await readIfThere(path)
    if (pem === undefined)
        throw new UserError(`there is no key file ${path}; put it back from a backup, or make a key`)
    await refuseReadableByOthers(path)
    const key = parseKey(path, pem)
    const { modulus, exponent } = publicParts(key)
    return {
        modulus,
        exponent,
        simulated: true,
        facts: { software: true },
        sign: (message) => signInBackground(key, message),
        close: () => Promise.resolve(),
    }
}

function parseKey(path: string, pem: Buffer): KeyObject {
    let key: KeyObject
    try {
        key = createPrivateKey(pem)
    } catch (error) {
        throw new UserError(`${path} is no private key in PEM without a passphrase`, { cause: error })
    }
    const bits = key.asymmetricKeyDetails?.modulusLength
    if (key.asymmetricKeyType !== "rsa" || bits !== modulusBits) {
        throw new UserError(
            `the key in ${path} is not RSA of ${modulusBits} bits, with which pulses are signed`,
        )
    }
    return key
}

function publicParts(key: KeyObject): Pick<PulseSigner, "modulus" | "exponent"> {
    const { n = "", e = "" } = createPublicKey(key).export({ format: "jwk" })
    return {
        modulus: new Uint8Array(Buffer.from(n, "base64url")),
        exponent: Buffer.from(e, "base64url").readUIntBE(0, Buffer.from(e, "base64url").length),
    }
}

/** On a thread of the pool: 10 ms at which a server would stand. */
function signInBackground(key: KeyObject, message: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
        sign("sha512", message, key, (error, signature) => {
            if (error === null) resolve(new Uint8Array(signature))
            else reject(error)
        })
    })
}
