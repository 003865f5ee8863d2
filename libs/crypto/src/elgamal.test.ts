import fc from "fast-check"
import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { fromHex, toHex, utf8 } from "./bytes.ts"
import { addCiphertexts, encrypt, zeroCiphertext, type Ciphertext } from "./elgamal.ts"
import type { Point } from "./group.ts"
import { sha512 } from "./hash.ts"
import { decodePoint, encodePoint, ristretto255 as group } from "./ristretto255.ts"
import { decodeScalar, order, reduceScalar } from "./scalar.ts"

const vectors = JSON.parse(
    readFileSync(new URL("../../../test/vectors/elgamal-ristretto255.json", import.meta.url), "utf8"),
) as {
    readonly x: string
    readonly Y: string
    readonly contributions: readonly (Record<
        "k" | "M" | "C" | "D" | "sum_C" | "sum_D" | "sum_M" | "pok_nonce" | "pok_A",
        string
    > & {
        readonly i: number
    })[]
    readonly M_after_4: string
}
const x = decodeScalar(fromHex(vectors.x))!
const key = decodePoint(fromHex(vectors.Y))!
const scalar = fc.bigInt(1n, order - 1n)

function hex(point: Point): string {
    return toHex(encodePoint(point))
}

function decrypt({ c, d }: Ciphertext, secret: bigint): Point {
    return group.subtract(d, group.multiply(c, secret))
}

describe("known answers", () => {
    test("key", () => expect(hex(group.multiplyBase(x))).toBe(vectors.Y))

    test.each(vectors.contributions)("ciphertext $i and the sum so far", (vector) => {
        const message = group.fromUniform(sha512(utf8(`drb-elgamal-kat:M${vector.i}`)))
        expect(hex(message)).toBe(vector.M)
        const ciphertext = encrypt(key, message, decodeScalar(fromHex(vector.k))!)
        expect([hex(ciphertext.c), hex(ciphertext.d)]).toEqual([vector.C, vector.D])
        expect(hex(decrypt(ciphertext, x))).toBe(vector.M)
        expect(hex(group.multiplyBase(decodeScalar(fromHex(vector.pok_nonce))!))).toBe(vector.pok_A)

        const sum = vectors.contributions
            .slice(0, vector.i)
            .map(({ C, D }) => ({ c: decodePoint(fromHex(C))!, d: decodePoint(fromHex(D))! }))
            .reduce(addCiphertexts, zeroCiphertext)
        expect([hex(sum.c), hex(sum.d)]).toEqual([vector.sum_C, vector.sum_D])
        expect(hex(decrypt(sum, x))).toBe(vector.sum_M)
    })

    test("the last sum is the whole", () => {
        expect(vectors.contributions).toHaveLength(4)
        expect(vectors.contributions[3]!.sum_M).toBe(vectors.M_after_4)
    })
})

test("a sum of ciphertexts decrypts to the sum of the messages, whatever the order", () => {
    fc.assert(
        fc.property(scalar, fc.array(fc.tuple(scalar, scalar), { maxLength: 4 }), (secret, pairs) => {
            const key = group.multiplyBase(secret)
            const ciphertexts = pairs.map(([m, k]) => encrypt(key, group.multiplyBase(m), k))
            const messages = group.multiplyBase(pairs.reduce((sum, [m]) => reduceScalar(sum + m), 0n))
            const sum = ciphertexts.reduce(addCiphertexts, zeroCiphertext)
            expect(group.equals(decrypt(sum, secret), messages)).toBe(true)
            const reversed = ciphertexts.reduceRight(addCiphertexts, zeroCiphertext)
            expect(group.equals(reversed.c, sum.c) && group.equals(reversed.d, sum.d)).toBe(true)
        }),
        { numRuns: 8 },
    )
})

test("the identity is a message like any other", () => {
    const ciphertext = encrypt(key, group.identity, 5n)
    expect(group.isIdentity(ciphertext.d)).toBe(false)
    expect(group.isIdentity(decrypt(ciphertext, x))).toBe(true)
})

test("nothing is sent in the clear", () => {
    const message = group.multiplyBase(7n)
    expect(() => encrypt(key, message, 0n)).toThrow(RangeError)
    expect(() => encrypt(group.identity, message, 5n)).toThrow(RangeError)
    expect(group.equals(encrypt(key, message, 5n).d, message)).toBe(false)
})
