import { ed25519PublicKey, ed25519Sign, ed25519Verify } from "@tallylight/crypto/ed25519.js"
import { transcript } from "@tallylight/crypto/transcript.js"
import { require } from "../wire/refusal.ts"

/** Holds an Ed25519 key: from a file today, in hardware another day. */
export type Signer = {
    readonly publicKey: Uint8Array
    readonly sign: (message: Uint8Array) => Uint8Array
}

export function seedSigner(seed: Uint8Array): Signer {
    return { publicKey: ed25519PublicKey(seed), sign: (message) => ed25519Sign(seed, message) }
}

/** A tag and the parts behind it: what a signature covers (PROTOCOL.md §3.3). */
export type Statement = readonly [tag: string, ...parts: Uint8Array[]]

export function sign(signer: Signer, statement: Statement): Uint8Array {
    return signer.sign(transcript(...statement))
}

/** The claim that `verifySignature` judges. */
export function signatureClaim(publicKey: Uint8Array, statement: Statement, signature: Uint8Array) {
    return { claim: "signature", publicKey, statement, signature } as const
}

export function verifySignature(publicKey: Uint8Array, statement: Statement, signature: Uint8Array): void {
    require(ed25519Verify(publicKey, transcript(...statement), signature), "bad-signature")
}
