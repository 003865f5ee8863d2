import type { Scalar } from "./scalar.ts"

declare const element: unique symbol

/** An element of the group, in the form of the backend that made it; no other backend takes it. */
export type Point = { readonly [element]: true }

/** A group of prime order q, written additively. Wrong lengths throw a RangeError, except in `decode`. */
export interface Group {
    readonly base: Point
    readonly identity: Point
    /** Returns undefined unless these are the 32 bytes that `encode` gives; the identity decodes. */
    decode(bytes: Uint8Array): Point | undefined
    encode(point: Point): Uint8Array
    /** Maps 64 uniform bytes to a uniform element, whose logarithm nobody knows. */
    fromUniform(bytes: Uint8Array): Point
    equals(a: Point, b: Point): boolean
    isIdentity(point: Point): boolean
    add(a: Point, b: Point): Point
    subtract(a: Point, b: Point): Point
    /** For secret scalars: the operations do not depend on the scalar, except that zero is told apart. */
    multiply(point: Point, scalar: Scalar): Point
    /** `multiply(base, scalar)`, from a table. */
    multiplyBase(scalar: Scalar): Point
    /** For public inputs only. */
    multiplyPublic(point: Point, scalar: Scalar): Point
    /** The sum of every point times its scalar, for public inputs only. */
    multiScalarMultiply(points: readonly Point[], scalars: readonly Scalar[]): Point
}
