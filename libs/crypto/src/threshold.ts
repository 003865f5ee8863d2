// Shamir's sharing over the scalars with Feldman's commitments to it: for f(z) = Σ a_j z^j and A_j = a_j B,
// member i holds x_i = f(i), everybody knows Y_i = Σ i^j A_j = x_i B, and f(0) = Σ λ_i f(i) over any t members.
import type { Point } from "./group.ts"
import { ristretto255 as group } from "./ristretto255.ts"
import { invertScalar, reduceScalar, type Scalar } from "./scalar.ts"

/** f(i), the coefficients from the constant one up. */
export function evaluatePolynomial(coefficients: readonly Scalar[], i: number): Scalar {
    const z = memberScalar(i)
    return coefficients.reduceRight((sum, a) => reduceScalar(sum * z + a), 0n)
}

export function commitPolynomial(coefficients: readonly Scalar[]): Point[] {
    return coefficients.map((a) => group.multiplyBase(a))
}

/** Y_i, by Horner's rule: multiplying by i is many times as fast as by a power of it. */
export function evaluateCommitments(commitments: readonly Point[], i: number): Point {
    const z = memberScalar(i)
    return commitments.reduceRight((sum, a) => group.add(group.multiplyPublic(sum, z), a), group.identity)
}

/** λ_i = Π j/(j - i) over the other indices j, in the order given. */
export function lagrangeAtZero(indices: readonly number[]): Scalar[] {
    if (new Set(indices).size !== indices.length) throw new RangeError("an index occurs twice")
    const members = indices.map(memberScalar)
    return members.map((i) => {
        const others = members.filter((j) => j !== i)
        const numerator = others.reduce((product, j) => reduceScalar(product * j), 1n)
        const denominator = others.reduce((product, j) => reduceScalar(product * (j - i)), 1n)
        return reduceScalar(numerator * invertScalar(denominator))
    })
}

/** M = D* - Σ λ_i S_i. The shares are taken as verified and as many as the threshold: too few give another M. */
export function combineShares(
    d: Point,
    shares: readonly { readonly index: number; readonly share: Point }[],
): Point {
    const factors = lagrangeAtZero(shares.map(({ index }) => index))
    const points = shares.map(({ share }) => share)
    return group.subtract(d, group.multiScalarMultiply(points, factors))
}

function memberScalar(i: number): Scalar {
    // Not 0, where the polynomial is the secret itself.
    if (!Number.isInteger(i) || i < 1 || i > 65535) throw new RangeError(`no member has the index ${i}`)
    return BigInt(i)
}
