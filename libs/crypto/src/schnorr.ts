// Proof of knowledge of x in P = xB, bound to a context and to further bytes:
//   A = aB,  e = H(context, P, bound, A),  s = a + ex;  accepted if sB - eP = A.
import { concatBytes } from "./bytes.ts"
import type { Point } from "./group.ts"
import { proofNonce } from "./nonce.ts"
import { decodePoint, encodePoint, ristretto255 as group } from "./ristretto255.ts"
import { decodeScalar, encodeScalar, hashToScalar, reduceScalar, type Scalar } from "./scalar.ts"
import { transcript, type Context } from "./transcript.ts"

/** A and s, not e and s: many can then be checked in one sum. */
export type SchnorrProof = { readonly commitment: Point; readonly response: Scalar }

type Statement = { readonly point: Point; readonly context: Context; readonly bound: readonly Uint8Array[] }

export function proveLog(from: {
    readonly secret: Scalar
    readonly context: Context
    readonly bound: readonly Uint8Array[]
    readonly random: Uint8Array
}): SchnorrProof {
    const { secret, context, bound, random } = from
    if (secret === 0n) throw new RangeError("the logarithm of the identity is no secret")
    const statement = { point: group.multiplyBase(secret), context, bound }
    const nonce = proofNonce({ secret, statement: logTranscript(statement), random })
    const commitment = group.multiplyBase(nonce)
    const e = logChallenge(statement, commitment)
    return { commitment, response: reduceScalar(nonce + e * secret) }
}

export function verifyLog(claim: Statement & { readonly proof: SchnorrProof }): boolean {
    const { point, proof } = claim
    const e = logChallenge(claim, proof.commitment)
    const ep = group.multiplyPublic(point, e)
    const expected = group.subtract(group.multiplyPublic(group.base, proof.response), ep)
    return !group.isIdentity(point) && group.equals(expected, proof.commitment)
}

function logChallenge(statement: Statement, commitment: Point): Scalar {
    return hashToScalar(logTranscript(statement, commitment))
}

function logTranscript({ point, context, bound }: Statement, ...commitment: readonly Point[]): Uint8Array {
    const { tag, parts } = context
    return transcript(tag, ...parts, encodePoint(point), ...bound, ...commitment.map(encodePoint))
}

/** A || s, 64 bytes. */
export function encodeSchnorrProof({ commitment, response }: SchnorrProof): Uint8Array {
    return concatBytes(encodePoint(commitment), encodeScalar(response))
}

export function decodeSchnorrProof(bytes: Uint8Array): SchnorrProof | undefined {
    if (bytes.length !== 64) return undefined
    const commitment = decodePoint(bytes.subarray(0, 32))
    const response = decodeScalar(bytes.subarray(32))
    return commitment === undefined || response === undefined ? undefined : { commitment, response }
}
