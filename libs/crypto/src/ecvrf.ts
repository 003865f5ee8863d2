// ECVRF-EDWARDS25519-SHA512-ELL2, RFC 9381 suite 0x04: with H = encode_to_curve(α), a proof Γ || c || s that
// Γ = xH, and an output β hashed from Γ, which only the owner of x can compute and nobody can choose.
import { ed25519, ed25519_hasher as hasher } from "@noble/curves/ed25519.js"
import { bytesToNumberLE, numberToBytesLE } from "@noble/curves/utils.js"
import { concatBytes, utf8 } from "./bytes.ts"
import { decodeEdwards, Edwards } from "./edwards25519.ts"
import { sha512 } from "./hash.ts"
import { decodeScalar, encodeScalar, hashToScalar, reduceScalar, type Scalar } from "./scalar.ts"

const suite = 0x04
const dst = concatBytes(utf8("ECVRF_edwards25519_XMD:SHA-512_ELL2_NU_"), Uint8Array.of(suite))

export function vrfPublicKey(seed: Uint8Array): Uint8Array {
    return ed25519.getPublicKey(seed)
}

/** §5.4.5, which lets torsion pass; `isEd25519PublicKey` does not. */
export function isVrfPublicKey(bytes: Uint8Array): boolean {
    return decodeKey(bytes) !== undefined
}

/** §5.1. Deterministic, so whoever asks twice learns no more. */
export function vrfProve(seed: Uint8Array, alpha: Uint8Array): Uint8Array {
    const { scalar: x, prefix, point: y, pointBytes } = ed25519.utils.getExtendedPublicKey(seed)
    const h = encodeToCurve(pointBytes, alpha)
    const gamma = h.multiply(x)
    // §5.4.2.2: as RFC 8032 §5.1.6 derives the nonce of a signature.
    const k = hashToScalar(concatBytes(prefix, h.toBytes()))
    const c = challenge(y, h, gamma, Edwards.BASE.multiply(k), h.multiply(k))
    return concatBytes(gamma.toBytes(), numberToBytesLE(c, 16), encodeScalar(reduceScalar(k + c * x)))
}

/** §5.3 with key validation: β, or undefined where this is no proof by this key for this α. */
export function vrfVerify(
    publicKey: Uint8Array,
    alpha: Uint8Array,
    proof: Uint8Array,
): Uint8Array | undefined {
    const y = decodeKey(publicKey)
    const decoded = decodeProof(proof)
    if (y === undefined || decoded === undefined) return undefined
    const { gamma, c, s } = decoded
    const h = encodeToCurve(publicKey, alpha)
    const u = Edwards.BASE.multiplyUnsafe(s).subtract(y.multiplyUnsafe(c))
    const v = h.multiplyUnsafe(s).subtract(gamma.multiplyUnsafe(c))
    return challenge(y, h, gamma, u, v) === c ? output(gamma) : undefined
}

/** §5.2, which does not ask who made the proof: for proofs that `vrfVerify` accepted, and one's own. */
export function vrfProofToHash(proof: Uint8Array): Uint8Array | undefined {
    const decoded = decodeProof(proof)
    return decoded && output(decoded.gamma)
}

/** §5.4.1.2, salted with the key. */
function encodeToCurve(publicKey: Uint8Array, alpha: Uint8Array): Edwards {
    return hasher.encodeToCurve(concatBytes(publicKey, alpha), { DST: dst })
}

/** §5.4.3. Drafts up to 10 left out y: same β, but none of their proofs is one of ours. */
function challenge(
    ...points: readonly [y: Edwards, h: Edwards, gamma: Edwards, u: Edwards, v: Edwards]
): Scalar {
    const encoded = points.map((point) => point.toBytes())
    const hash = sha512(concatBytes(Uint8Array.of(suite, 0x02), ...encoded, Uint8Array.of(0x00)))
    return bytesToNumberLE(hash.subarray(0, 16))
}

/** §5.2 steps 4 to 6. The cofactor makes one output of the eight Γ that differ by torsion. */
function output(gamma: Edwards): Uint8Array {
    const cleared = gamma.clearCofactor().toBytes()
    return sha512(concatBytes(Uint8Array.of(suite, 0x03), cleared, Uint8Array.of(0x00)))
}

/** §5.4.4. Γ with torsion decodes, as there: to refuse it would be a rule of our own. */
function decodeProof(proof: Uint8Array): { gamma: Edwards; c: Scalar; s: Scalar } | undefined {
    if (proof.length !== 80) return undefined
    const gamma = decodeEdwards(proof.subarray(0, 32))
    const c = bytesToNumberLE(proof.subarray(32, 48))
    // Step 8: s >= q is INVALID.
    const s = decodeScalar(proof.subarray(48))
    return gamma === undefined || s === undefined ? undefined : { gamma, c, s }
}

/** §5.4.5: under a key of small order anybody can prove any α, and β is always the same. */
function decodeKey(bytes: Uint8Array): Edwards | undefined {
    const y = decodeEdwards(bytes)
    return y === undefined || y.isSmallOrder() ? undefined : y
}
