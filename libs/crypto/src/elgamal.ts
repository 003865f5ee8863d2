// ElGamal: for a key Y = xB, (C, D) = (kB, M + kY) encrypts M, and M = D - xC. A sum of ciphertexts encrypts the
// sum of their messages; so anybody can alter a message unseen, and each ciphertext comes with a proof of its k.
import type { Point } from "./group.ts"
import { ristretto255 as group } from "./ristretto255.ts"
import type { Scalar } from "./scalar.ts"

export type Ciphertext = { readonly c: Point; readonly d: Point }

/** Where sums start: the identity encrypted with k = 0. */
export const zeroCiphertext: Ciphertext = { c: group.identity, d: group.identity }

/** k is secret and used once: used twice, it shows the difference of two messages. */
export function encrypt(key: Point, message: Point, k: Scalar): Ciphertext {
    if (k === 0n || group.isIdentity(key)) throw new RangeError("D would be the message itself")
    return { c: group.multiplyBase(k), d: group.add(message, group.multiply(key, k)) }
}

export function addCiphertexts(a: Ciphertext, b: Ciphertext): Ciphertext {
    return { c: group.add(a.c, b.c), d: group.add(a.d, b.d) }
}
