// Integers modulo q, the order that ristretto255 and edwards25519's prime-order subgroup share.
import { invert } from "@noble/curves/abstract/modular.js"
import { bytesToNumberLE, numberToBytesLE } from "@noble/curves/utils.js"
import { sha512 } from "./hash.ts"

/** In [0, q). Bigint arithmetic is not constant time: whoever can time a secret's owner may learn from it. */
export type Scalar = bigint

export const order = 2n ** 252n + 27742317777372353535851937790883648493n

/** RFC 9496 §4.4: 32 bytes, little-endian. */
export function encodeScalar(s: Scalar): Uint8Array {
    if (s < 0n || s >= order) throw new RangeError("a scalar is at least 0 and below q")
    return numberToBytesLE(s, 32)
}

/** Returns undefined unless s < q: s + q would be a second spelling of every proof. */
export function decodeScalar(bytes: Uint8Array): Scalar | undefined {
    if (bytes.length !== 32) return undefined
    const s = bytesToNumberLE(bytes)
    return s < order ? s : undefined
}

/** RFC 9496 §4.4: of 64 uniform bytes the bias is below 2^-250; of 32 it would be plain to see. */
export function scalarFromUniform(bytes: Uint8Array): Scalar {
    if (bytes.length !== 64) throw new RangeError("a scalar takes 64 uniform bytes")
    return reduceScalar(bytesToNumberLE(bytes))
}

export function hashToScalar(bytes: Uint8Array): Scalar {
    return scalarFromUniform(sha512(bytes))
}

/** n mod q, not negative for negative n. */
export function reduceScalar(n: bigint): Scalar {
    return ((n % order) + order) % order
}

export function invertScalar(s: Scalar): Scalar {
    if (s === 0n) throw new RangeError("zero has no inverse")
    return invert(s, order)
}
