// A share of a decryption, S = xC*, with Chaum and Pedersen's proof that log_B Y = log_C* S = x:
//   t1 = wB,  t2 = wC*,  c = H(context, Y, C*, D*, S, t1, t2),  z = w + cx;
//   accepted if c comes out again from t1 = zB - cY and t2 = zC* - cS.
import type { Ciphertext } from "./elgamal.ts"
import type { Point } from "./group.ts"
import { proofNonce } from "./nonce.ts"
import { encodePoint, ristretto255 as group } from "./ristretto255.ts"
import { hashToScalar, reduceScalar, type Scalar } from "./scalar.ts"
import { transcript, type Context } from "./transcript.ts"

export type DecryptionShare = { readonly share: Point; readonly challenge: Scalar; readonly response: Scalar }

type Statement = {
    readonly key: Point
    readonly ciphertext: Ciphertext
    readonly share: Point
    readonly context: Context
}

export function makeShare(from: {
    readonly secret: Scalar
    readonly ciphertext: Ciphertext
    readonly context: Context
    readonly random: Uint8Array
}): DecryptionShare {
    const { secret, ciphertext, context, random } = from
    const key = group.multiplyBase(secret)
    const share = group.multiply(ciphertext.c, secret)
    const statement = { key, ciphertext, share, context }
    const nonce = proofNonce({ secret, statement: shareTranscript(statement), random })
    const t1 = group.multiplyBase(nonce)
    const t2 = group.multiply(ciphertext.c, nonce)
    const challenge = shareChallenge(statement, t1, t2)
    return { share, challenge, response: reduceScalar(nonce + challenge * secret) }
}

export function verifyShare(claim: {
    readonly key: Point
    readonly ciphertext: Ciphertext
    readonly share: DecryptionShare
    readonly context: Context
}): boolean {
    const { key, ciphertext, context } = claim
    const { share, challenge: c, response: z } = claim.share
    const t1 = group.subtract(group.multiplyPublic(group.base, z), group.multiplyPublic(key, c))
    const t2 = group.subtract(group.multiplyPublic(ciphertext.c, z), group.multiplyPublic(share, c))
    return shareChallenge({ key, ciphertext, share, context }, t1, t2) === c
}

function shareChallenge(statement: Statement, t1: Point, t2: Point): Scalar {
    return hashToScalar(shareTranscript(statement, t1, t2))
}

function shareTranscript(statement: Statement, ...commitments: readonly Point[]): Uint8Array {
    const { key, ciphertext, share, context } = statement
    // D* is in no equation: left out, the proof would serve for any ciphertext that begins with this C*.
    const points = [key, ciphertext.c, ciphertext.d, share, ...commitments]
    return transcript(context.tag, ...context.parts, ...points.map(encodePoint))
}
