import { numberToBytesLE } from "@noble/curves/utils.js"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { toHex } from "./bytes.ts"
import { sha512 } from "./hash.ts"
import {
    decodeScalar,
    encodeScalar,
    hashToScalar,
    invertScalar,
    order,
    reduceScalar,
    scalarFromUniform,
} from "./scalar.ts"

const scalar = fc.bigInt(0n, order - 1n)

describe("encoding", () => {
    test("is 32 bytes, little-endian", () => {
        expect(toHex(encodeScalar(0x0102n))).toBe(`0201${"00".repeat(30)}`)
        fc.assert(
            fc.property(scalar, (s) => {
                expect(decodeScalar(encodeScalar(s))).toBe(s)
            }),
        )
    })

    test("is given to both ends of the range, zero and q - 1", () => {
        expect(toHex(encodeScalar(0n))).toBe("00".repeat(32))
        expect(decodeScalar(new Uint8Array(32))).toBe(0n)
        expect(decodeScalar(encodeScalar(order - 1n))).toBe(order - 1n)
    })

    test("has one spelling: q - 1 decodes, q and everything above does not", () => {
        expect(decodeScalar(numberToBytesLE(order - 1n, 32))).toBe(order - 1n)
        expect(decodeScalar(numberToBytesLE(order, 32))).toBeUndefined()
        expect(decodeScalar(numberToBytesLE(order + 5n, 32))).toBeUndefined()
        expect(decodeScalar(new Uint8Array(32).fill(0xff))).toBeUndefined()
    })

    test("has one length", () => {
        for (const length of [0, 31, 33, 64]) expect(decodeScalar(new Uint8Array(length))).toBeUndefined()
    })

    test("is not given to what is no scalar", () => {
        expect(() => encodeScalar(order)).toThrow(RangeError)
        expect(() => encodeScalar(-1n)).toThrow(RangeError)
    })
})

describe("arithmetic", () => {
    test("reduces negative numbers to what they are congruent to", () => {
        expect(reduceScalar(-1n)).toBe(order - 1n)
        expect(reduceScalar(-order)).toBe(0n)
        expect(reduceScalar(3n * order + 7n)).toBe(7n)
    })

    test("inverts everything but zero", () => {
        fc.assert(
            fc.property(fc.bigInt(1n, order - 1n), (s) => {
                expect(reduceScalar(s * invertScalar(s))).toBe(1n)
            }),
        )
        expect(() => invertScalar(0n)).toThrow(RangeError)
    })
})

describe("hashing", () => {
    test("reduces all 64 bytes, the last one highest", () => {
        const bytes = new Uint8Array(64)
        bytes[63] = 1
        expect(scalarFromUniform(bytes)).toBe(2n ** 504n % order)
        expect(scalarFromUniform(numberToBytesLE(order, 64))).toBe(0n)
        for (const length of [32, 63, 65]) {
            expect(() => scalarFromUniform(new Uint8Array(length))).toThrow(RangeError)
        }
    })

    test("goes through SHA-512", () => {
        const bytes = Uint8Array.of(1, 2, 3)
        expect(hashToScalar(bytes)).toBe(scalarFromUniform(sha512(bytes)))
        expect(hashToScalar(bytes)).not.toBe(hashToScalar(Uint8Array.of(1, 2, 4)))
    })
})
