// Ed25519 (RFC 8032) with one verification rule. RFC 8032 §5.1.7 allows the check with the cofactor and the one
// without it, and libraries also differ on small orders: left open, one log would satisfy one node and not another.
import { ed25519 } from "@noble/curves/ed25519.js"
import { concatBytes, equalBytes } from "./bytes.ts"
import { decodeEdwards, Edwards } from "./edwards25519.ts"
import { hashToScalar, decodeScalar, reduceScalar } from "./scalar.ts"

export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
    return ed25519.getPublicKey(seed)
}

export function ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
    return ed25519.sign(message, seed)
}

/**
 * Canonical, not of small order, torsion-free. To be asked once, where a key is registered: the last condition
 * costs almost as much as verifying a signature, and `ed25519Verify` relies on it.
 */
export function isEd25519PublicKey(bytes: Uint8Array): boolean {
    return decodeKey(bytes)?.isTorsionFree() === true
}

/**
 * S < q, R not of small order, and encode(SB - kA) = R byte for byte, without the cofactor. For keys that passed
 * `isEd25519PublicKey` everybody has this verdict. A key that did not pass cannot make it throw, and verifies
 * nothing if it is not canonical or of small order; but an owner who put torsion into it can have signatures
 * that a library with the cofactor judges otherwise.
 */
export function ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    if (signature.length !== 64) return false
    const r = signature.subarray(0, 32)
    const a = decodeKey(publicKey)
    // §5.1.7 step 1: S + q would be a second signature of the same message.
    const s = decodeScalar(signature.subarray(32))
    if (a === undefined || s === undefined) return false
    const k = hashToScalar(concatBytes(r, publicKey, message))
    const expected = Edwards.BASE.multiplyUnsafe(s).add(a.multiplyUnsafe(reduceScalar(-k)))
    // Equal bytes make R canonical and, where A is torsion-free, R too.
    return !expected.isSmallOrder() && equalBytes(expected.toBytes(), r)
}

function decodeKey(bytes: Uint8Array): Edwards | undefined {
    const a = decodeEdwards(bytes)
    return a === undefined || a.isSmallOrder() ? undefined : a
}
