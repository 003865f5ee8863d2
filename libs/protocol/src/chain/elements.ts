/** Received group elements and scalars: canonical, and never the identity unless said (PROTOCOL.md §3.1). */
import { concatBytes, toHex } from "@tallylight/crypto/bytes.js"
import { decodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import type { Point } from "@tallylight/crypto/group.js"
import { decodeScalar } from "@tallylight/crypto/scalar.js"
import type { Scalar } from "@tallylight/crypto/scalar.js"
import { Refusal } from "../wire/refusal.ts"

/**
 * Decoding costs a square root, and a contribution's points are wanted when it arrives and again when it is
 * summed. Entries never change, so what their bytes decode to is remembered as long as they live.
 */
const decoded = new WeakMap<Uint8Array, Point>()

export function element(bytes: Uint8Array): Point {
    const known = decoded.get(bytes)
    if (known !== undefined) return known
    const point = decodePoint(bytes)
    if (point === undefined) throw new Refusal("bad-point")
    decoded.set(bytes, point)
    return point
}

/**
 * A committee's commitments, which are wanted once for each member, and in another thread each time as bytes that were
 * never seen before: so those of the last few committees are remembered by what they are.
 */
const committees = new Map<string, readonly Point[]>()
const rememberedCommittees = 16

export function commitmentPoints(commitments: readonly Uint8Array[]): readonly Point[] {
    const name = toHex(concatBytes(...commitments))
    const points = committees.get(name) ?? commitments.map(element)
    committees.delete(name)
    committees.set(name, points)
    const [oldest] = committees.keys()
    if (committees.size > rememberedCommittees && oldest !== undefined) committees.delete(oldest)
    return points
}

/** For sums and opened points, which may be the identity. */
export function elementOrIdentity(bytes: Uint8Array): Point {
    const point = ristretto255.decode(bytes)
    if (point === undefined) throw new Refusal("bad-point")
    return point
}

export function scalar(bytes: Uint8Array): Scalar {
    const value = decodeScalar(bytes)
    if (value === undefined) throw new Refusal("bad-point")
    return value
}
