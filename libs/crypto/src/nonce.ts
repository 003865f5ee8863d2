import { encodeScalar, hashToScalar, type Scalar } from "./scalar.ts"
import { transcript } from "./transcript.ts"

/**
 * One nonce under two challenges gives the secret away. Secret and statement are hashed, lest a generator that
 * repeats itself repeat a nonce; randomness is, lest a fault in what follows meet the same nonce twice.
 */
export function proofNonce(from: {
    readonly secret: Scalar
    readonly statement: Uint8Array
    readonly random: Uint8Array
}): Scalar {
    const { secret, statement, random } = from
    if (random.length !== 32) throw new RangeError("a proof takes 32 random bytes")
    return hashToScalar(transcript("tallylight/v1/nonce", encodeScalar(secret), statement, random))
}
