import { concatBytes, uint16, utf8 } from "@tallylight/crypto/bytes.js"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { blob, choice, decode, fixed, flag, list, struct, text, u16, u32, u64, u8 } from "./layout.ts"
import type { Layout } from "./layout.ts"

const bytes = (...values: number[]): Uint8Array => Uint8Array.of(...values)

const word = text(8, /^[a-z]+$/)
const record = struct({
    number: u64,
    small: u8,
    ready: flag,
    key: fixed(3),
    note: blob(5),
    word,
    colour: choice("red", "green"),
    items: list(u16, 1, 3),
})

const value = {
    number: 2 ** 53 - 1,
    small: 255,
    ready: true,
    key: bytes(1, 2, 3),
    note: bytes(4, 5),
    word: "abc",
    colour: "green",
    items: [6, 65_535],
} as const

describe("the bytes of a value", () => {
    test("are its fields in order, big-endian, variable parts behind a length", () => {
        expect(record.write(value)).toEqual(
            concatBytes(
                ...[bytes(0, 31, 255, 255, 255, 255, 255, 255), bytes(255), bytes(1), bytes(1, 2, 3)],
                ...[bytes(0, 2, 4, 5), bytes(0, 3), utf8("abc"), bytes(1), bytes(0, 2, 0, 6, 255, 255)],
            ),
        )
        expect(decode(record, record.write(value))).toEqual(value)
    })

    test("do not decode when cut short anywhere, or with a byte too many", () => {
        const whole = record.write(value)
        expect(decode(record, whole)).toEqual(value)
        for (let length = 0; length < whole.length; length++)
            expect(decode(record, whole.subarray(0, length)), `${length} bytes`).toBeUndefined()
        expect(decode(record, concatBytes(whole, bytes(0)))).toBeUndefined()
    })

    test("decode to nothing that shares their memory, even where they are a Buffer", () => {
        const received = Buffer.from(record.write(value))
        const decoded = decode(record, received)
        expect(decoded).toEqual(value)
        received.fill(0xff)
        expect(decoded).toEqual(value)
    })

    test("whatever decodes encodes to the same bytes", () => {
        const whole = record.write(value)
        fc.assert(
            fc.property(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
                const changed = whole.with(at, byte)
                const decoded = decode(record, changed)
                if (decoded !== undefined) expect(record.write(decoded)).toEqual(changed)
            }),
            { numRuns: 2000 },
        )
    })
})

describe("refused in both directions", () => {
    function refuses<T>(layout: Layout<T>, good: T, bad: T, badBytes: Uint8Array): void {
        expect(decode(layout, layout.write(good))).toEqual(good)
        expect(() => layout.write(bad)).toThrow(RangeError)
        expect(decode(layout, badBytes)).toBeUndefined()
    }

    test("an integer above 2^53 - 1", () => {
        refuses(u64, 2 ** 53 - 1, 2 ** 53, bytes(0, 32, 0, 0, 0, 0, 0, 0))
        refuses(u64, 0, -1, bytes(255, 255, 255, 255, 255, 255, 255, 255))
        refuses(u64, 1, 1.5, bytes(0, 32, 0, 0, 0, 0, 0, 1))
        refuses(u64, 1, NaN, bytes(128, 0, 0, 0, 0, 0, 0, 1))
    })

    test("an integer that is wider than its field", () => {
        refuses(u8, 255, 256, bytes(1, 0))
        refuses(u16, 65_535, 65_536, bytes(1, 0, 0))
        refuses(u32, 2 ** 32 - 1, 2 ** 32, bytes(1, 0, 0, 0, 0))
    })

    test("bytes of another length", () => refuses(fixed(2), bytes(1, 2), bytes(1), bytes(1)))

    test("a blob that is too long", () =>
        refuses(blob(2), bytes(1, 2), bytes(1, 2, 3), concatBytes(uint16(3), bytes(1, 2, 3))))

    test("text that is too long, of the wrong form or no UTF-8", () => {
        refuses(word, "abcdefgh", "abcdefghi", concatBytes(uint16(9), utf8("abcdefghi")))
        refuses(word, "a", "", uint16(0))
        refuses(word, "a", "a\n", concatBytes(uint16(2), utf8("a\n")))
        refuses(text(8, /./u), "é", "", concatBytes(uint16(2), bytes(0xc3, 0x28)))
        // The limit counts bytes, as the length in front of them does.
        refuses(text(3, /./u), "éa", "éé", concatBytes(uint16(4), utf8("éé")))
    })

    test("too few and too many items", () => {
        const some = list(u8, 1, 2)
        refuses(some, [1], [], uint16(0))
        refuses(some, [1, 2], [1, 2, 3], concatBytes(uint16(3), bytes(1, 2, 3)))
    })

    test("a choice that is none", () =>
        refuses(choice("red", "green") as Layout<string>, "red", "blue", bytes(2)))

    test("a flag that is neither 0 nor 1", () => {
        expect([0, 1, 2, 255].map((byte) => decode(flag, bytes(byte)))).toEqual([
            false,
            true,
            undefined,
            undefined,
        ])
    })
})
