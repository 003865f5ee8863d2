// RFC 9496 on @noble/curves: the reference that every other backend has to agree with.
import { interleavedMSMUnsafe, pippenger } from "@noble/curves/abstract/curve.js"
import { ristretto255 as noble, ristretto255_hasher as hasher } from "@noble/curves/ed25519.js"
import type { Group, Point } from "./group.ts"
import type { Scalar } from "./scalar.ts"

type Native = InstanceType<typeof noble.Point>

function wrap(point: Native): Point {
    return point as Native & Point
}

function unwrap(point: Point): Native {
    if (!(point instanceof noble.Point)) throw new TypeError("a point of another backend")
    return point
}

export const ristretto255: Group = {
    base: wrap(noble.Point.BASE),
    identity: wrap(noble.Point.ZERO),

    decode(bytes) {
        try {
            return wrap(noble.Point.fromBytes(bytes))
        } catch {
            return undefined
        }
    },

    encode(point) {
        return unwrap(point).toBytes()
    },

    fromUniform(bytes) {
        if (bytes.length !== 64) throw new RangeError("an element takes 64 uniform bytes")
        const point = hasher.deriveToCurve?.(bytes)
        // Optional in a type that noble shares with curves that have no such map.
        if (point === undefined) throw new Error("no one-way map for ristretto255")
        return wrap(point)
    },

    equals(a, b) {
        return unwrap(a).equals(unwrap(b))
    },

    isIdentity(point) {
        return unwrap(point).is0()
    },

    add(a, b) {
        return wrap(unwrap(a).add(unwrap(b)))
    },

    subtract(a, b) {
        return wrap(unwrap(a).subtract(unwrap(b)))
    },

    multiply(point, scalar) {
        // noble refuses zero here, taking it for a mistake.
        return wrap(scalar === 0n ? noble.Point.ZERO : unwrap(point).multiply(scalar))
    },

    multiplyBase(scalar) {
        return ristretto255.multiply(ristretto255.base, scalar)
    },

    // Against `multiply`: 1.1 times as fast, 1.8 times for the base, 16 times for scalars of 16 bits.
    multiplyPublic(point, scalar) {
        return wrap(unwrap(point).multiplyUnsafe(scalar))
    },

    multiScalarMultiply(points, scalars) {
        if (points.length !== scalars.length) throw new RangeError("as many scalars as points")
        return wrap(sumOfProducts(points.map(unwrap), [...scalars]))
    },
}

// Measured: one shared doubling chain is 1.2 times as fast as buckets at 128 points, and slower above 400.
function sumOfProducts(points: Native[], scalars: Scalar[]): Native {
    if (points.length > 400) return pippenger(noble.Point, points, scalars)
    return interleavedMSMUnsafe(noble.Point, points, 5)(scalars)
}

/** For what a peer sends: `decode`, and never the identity. */
export function decodePoint(bytes: Uint8Array): Point | undefined {
    const point = ristretto255.decode(bytes)
    return point === undefined || ristretto255.isIdentity(point) ? undefined : point
}

export function encodePoint(point: Point): Uint8Array {
    return ristretto255.encode(point)
}
