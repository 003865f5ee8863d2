import { toHex } from "@tallylight/crypto/bytes.js"
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { encodeScalar, order } from "@tallylight/crypto/scalar.js"
import { describe, expect, test } from "vitest"
import { commitmentPoints, element, elementOrIdentity, scalar } from "./elements.ts"

const badPoint: unknown = expect.objectContaining({ code: "bad-point", facts: {} })
const identity = new Uint8Array(32)
const noPoint = new Uint8Array(32).fill(0xff)

function times(k: number): Uint8Array {
    return encodePoint(ristretto255.multiplyBase(BigInt(k)))
}

describe("a received element", () => {
    test("is the point that its bytes encode, each time", () => {
        const bytes = times(5)
        for (const _ of ["decoded", "remembered"]) expect(encodePoint(element(bytes))).toEqual(times(5))
        expect(element(bytes)).toBe(element(bytes))
        expect(encodePoint(element(times(6)))).toEqual(times(6))
    })

    test("is canonical, and the identity in sums alone", () => {
        expect(() => element(noPoint)).toThrow(badPoint)
        expect(() => element(identity)).toThrow(badPoint)
        expect(() => elementOrIdentity(noPoint)).toThrow(badPoint)
        expect(ristretto255.isIdentity(elementOrIdentity(identity))).toBe(true)
        expect(encodePoint(elementOrIdentity(times(5)))).toEqual(times(5))
    })
})

test("a received scalar is below the order", () => {
    expect(scalar(encodeScalar(order - 1n))).toBe(order - 1n)
    expect(scalar(encodeScalar(0n))).toBe(0n)
    expect(() => scalar(noPoint)).toThrow(badPoint)
})

describe("a committee's commitments", () => {
    const points = (commitments: readonly Uint8Array[]) =>
        commitmentPoints(commitments).map((point) => toHex(encodePoint(point)))

    test("are what their bytes encode, however many other committees come between", () => {
        for (let round = 0; round < 2; round++)
            for (let k = 1; k <= 40; k++) {
                const commitments = [times(k), times(k + 1)]
                expect(points(commitments)).toEqual(commitments.map(toHex))
                expect(points(commitments.slice(0, 1))).toEqual([toHex(times(k))])
            }
    })

    test("of the last sixteen committees are remembered, and of no more", () => {
        const of = (k: number) => commitmentPoints([times(k), times(k)])
        const first = of(101)
        for (let k = 102; k <= 116; k++) of(k)
        // Whoever was asked for last is kept longest.
        expect(of(101)).toBe(first)
        for (let k = 117; k <= 131; k++) of(k)
        expect(of(101)).toBe(first)
        for (let k = 132; k <= 147; k++) of(k)
        expect(of(101)).not.toBe(first)
    })

    test("are refused where one of them is no element", () => {
        expect(() => commitmentPoints([times(1), identity])).toThrow(badPoint)
        expect(() => commitmentPoints([times(1), noPoint])).toThrow(badPoint)
    })
})
