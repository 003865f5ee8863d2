import { expand_message_xmd } from "@noble/curves/abstract/hash-to-curve.js"
import { ed25519 } from "@noble/curves/ed25519.js"
import { sha512 as nobleSha512 } from "@noble/hashes/sha2.js"
import fc from "fast-check"
import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { concatBytes, fromHex, toHex, uint16, utf8 } from "./bytes.ts"
import type { Point } from "./group.ts"
import { sha512 } from "./hash.ts"
import { decodePoint, encodePoint, ristretto255 as group } from "./ristretto255.ts"
import { decodeScalar, encodeScalar, order, reduceScalar, scalarFromUniform, type Scalar } from "./scalar.ts"

function read(name: string): unknown {
    return JSON.parse(readFileSync(new URL(`../../../test/vectors/${name}.json`, import.meta.url), "utf8"))
}

const { vectors } = read("ristretto255") as {
    vectors: readonly (
        | { kind: "multiple_of_generator"; n: number; encoding: string }
        | { kind: "must_reject"; encoding: string; category: string }
        | { kind: "element_derivation"; uniform_bytes: string; encoding: string }
    )[]
}

const scalar = fc.bigInt(0n, order - 1n)

function hex(point: Point): string {
    return toHex(encodePoint(point))
}

describe("RFC 9496 appendix A", () => {
    const multiples = vectors.filter((vector) => vector.kind === "multiple_of_generator")
    const rejected = vectors.filter((vector) => vector.kind === "must_reject")
    const derived = vectors.filter((vector) => vector.kind === "element_derivation")

    test.each(multiples)("A.1: $n times the base", ({ n, encoding }) => {
        const point = group.decode(fromHex(encoding))!
        expect(hex(point)).toBe(encoding)
        expect(hex(group.multiplyBase(BigInt(n)))).toBe(encoding)
        expect(hex(group.multiplyPublic(group.base, BigInt(n)))).toBe(encoding)
        const summed = Array.from({ length: n }, () => group.base).reduce(
            (a, b) => group.add(a, b),
            group.identity,
        )
        expect(group.equals(summed, point)).toBe(true)
        // Only where n = 0 does a received element differ from a decoded one.
        expect(decodePoint(fromHex(encoding)) === undefined).toBe(n === 0)
    })

    test.each(rejected)("A.3: refuses $encoding: $category", ({ encoding }) => {
        expect(group.decode(fromHex(encoding))).toBeUndefined()
        expect(decodePoint(fromHex(encoding))).toBeUndefined()
    })

    test.each(derived)("A.4: maps $uniform_bytes", ({ uniform_bytes, encoding }) => {
        expect(hex(group.fromUniform(fromHex(uniform_bytes)))).toBe(encoding)
    })

    test("has vectors of each kind", () => {
        expect([multiples.length, rejected.length, derived.length].every((count) => count >= 8)).toBe(true)
    })
})

describe("decoding", () => {
    test("takes 32 bytes only", () => {
        for (const length of [0, 31, 33, 64]) expect(group.decode(new Uint8Array(length))).toBeUndefined()
    })

    test("of any bytes gives nothing, or what encodes to them", () => {
        fc.assert(
            fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
                const point = group.decode(bytes)
                if (point !== undefined) expect(encodePoint(point)).toEqual(bytes)
            }),
        )
    })

    test("leaves the identity to sums, and does not receive it", () => {
        const identity = group.decode(new Uint8Array(32))
        expect(identity !== undefined && group.isIdentity(identity)).toBe(true)
        expect(decodePoint(new Uint8Array(32))).toBeUndefined()
    })
})

describe("arithmetic", () => {
    test("is that of the scalars", () => {
        fc.assert(
            fc.property(scalar, scalar, (a, b) => {
                const [pa, pb] = [group.multiplyBase(a), group.multiplyBase(b)]
                expect(group.equals(group.add(pa, pb), group.multiplyBase(reduceScalar(a + b)))).toBe(true)
                expect(group.equals(group.subtract(pa, pb), group.multiplyBase(reduceScalar(a - b)))).toBe(
                    true,
                )
                const product = group.multiplyBase(reduceScalar(a * b))
                expect(group.equals(group.multiply(pa, b), product)).toBe(true)
                expect(group.equals(group.multiplyPublic(pb, a), product)).toBe(true)
            }),
            { numRuns: 15 },
        )
    })

    test("has a zero that is no mistake", () => {
        const point = group.multiplyBase(5n)
        for (const zero of [
            group.multiply(point, 0n),
            group.multiplyPublic(point, 0n),
            group.multiplyBase(0n),
            group.multiply(group.identity, 5n),
            group.multiplyPublic(group.identity, 5n),
            group.subtract(point, point),
            group.multiScalarMultiply([], []),
        ]) {
            expect(group.isIdentity(zero)).toBe(true)
        }
        expect(group.isIdentity(point)).toBe(false)
        expect(group.equals(point, group.multiplyBase(6n))).toBe(false)
    })

    test("refuses what is no scalar, and points of another group", () => {
        expect(() => group.multiply(group.base, order)).toThrow(RangeError)
        expect(() => group.multiplyPublic(group.base, -1n)).toThrow(RangeError)
        const foreign = ed25519.Point.BASE as typeof ed25519.Point.BASE & Point
        expect(() => group.add(group.base, foreign)).toThrow(TypeError)
    })

    // Both algorithms: buckets begin above 400 points.
    test.each([1, 2, 7, 60, 401])("sums %d products at once as one by one", (count) => {
        const points = Array.from({ length: count }, (_, i) =>
            group.multiplyPublic(group.base, BigInt(3 * i)),
        )
        const scalars = Array.from({ length: count }, (_, i) => (i % 3 === 0 ? BigInt(i) : order - BigInt(i)))
        const logarithm = scalars.reduce((sum, s, i) => reduceScalar(sum + s * BigInt(3 * i)), 0n)
        const sum = group.multiScalarMultiply(points, scalars)
        expect(group.equals(sum, group.multiplyBase(logarithm))).toBe(true)
        expect(() => group.multiScalarMultiply(points, scalars.slice(1))).toThrow(RangeError)
    })

    test("maps nothing but 64 bytes", () => {
        expect(() => group.fromUniform(new Uint8Array(32))).toThrow(RangeError)
    })
})

// RFC 9497 §2.2: proofs of equal logarithms over this group, by other hands.
describe("RFC 9497 appendix A.1.2", () => {
    const voprf = read("voprf-dleq-ristretto255") as {
        context_string_hex: string
        vectors: readonly (Record<
            "id" | "skS" | "pkS" | "r" | "proof_c" | "proof_s" | "M" | "Z" | "t2" | "t3",
            string
        > & {
            C: readonly string[]
            D: readonly string[]
        })[]
    }
    const context = fromHex(voprf.context_string_hex)

    function prefixed(...parts: readonly Uint8Array[]): Uint8Array {
        return concatBytes(...parts.flatMap((part) => [uint16(part.length), part]))
    }

    function hashToScalar(bytes: Uint8Array): Scalar {
        return scalarFromUniform(
            expand_message_xmd(bytes, concatBytes(utf8("HashToScalar-"), context), 64, nobleSha512),
        )
    }

    test.each(voprf.vectors)("$id", (vector) => {
        const point = (text: string) => decodePoint(fromHex(text))!
        const key = point(vector.pkS)
        const secret = decodeScalar(fromHex(vector.skS))!
        const c = decodeScalar(fromHex(vector.proof_c))!
        const s = decodeScalar(fromHex(vector.proof_s))!
        const r = decodeScalar(fromHex(vector.r))!
        expect(hex(group.multiplyBase(secret))).toBe(vector.pkS)

        const composites = fromHex(vector.pkS)
        const seed = sha512(prefixed(composites, concatBytes(utf8("Seed-"), context)))
        const factors = vector.C.map((element, i) =>
            hashToScalar(
                concatBytes(
                    prefixed(seed),
                    uint16(i),
                    prefixed(fromHex(element), fromHex(vector.D[i]!)),
                    utf8("Composite"),
                ),
            ),
        )
        const m = group.multiScalarMultiply(vector.C.map(point), factors)
        const z = group.multiScalarMultiply(vector.D.map(point), factors)
        expect(hex(m)).toBe(vector.M)
        expect(hex(z)).toBe(vector.Z)
        expect(group.equals(group.multiply(m, secret), z)).toBe(true)

        const t2 = group.multiScalarMultiply([group.base, key], [s, c])
        const t3 = group.multiScalarMultiply([m, z], [s, c])
        expect(hex(t2)).toBe(vector.t2)
        expect(hex(t3)).toBe(vector.t3)
        expect(group.equals(group.multiplyBase(r), t2)).toBe(true)
        const parts = [vector.pkS, vector.M, vector.Z, vector.t2, vector.t3].map(fromHex)
        expect(hashToScalar(concatBytes(prefixed(...parts), utf8("Challenge")))).toBe(c)
        expect(toHex(encodeScalar(reduceScalar(r - c * secret)))).toBe(vector.proof_s)
    })
})
