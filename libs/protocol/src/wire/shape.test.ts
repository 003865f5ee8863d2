import fc from "fast-check"
import { describe, expect, test } from "vitest"

import { DecodeError } from "./decode-error.ts"
import { checkShape } from "./shape.ts"

/** MessagePack by hand: numbers are bytes, text is ASCII. */
function raw(...parts: readonly (number | string | readonly number[])[]): Uint8Array {
    return Uint8Array.from(
        parts.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part, "ascii")] : part)),
    )
}

function refusal(bytes: Uint8Array): string {
    try {
        checkShape(bytes)
    } catch (error) {
        if (error instanceof DecodeError) return error.message
        throw error
    }
    return "accepted"
}

const zeros = (length: number): number[] => new Array<number>(length).fill(0)

describe("accepts", () => {
    test.each([
        ["nil", raw(0xc0)],
        ["booleans", raw(0x92, 0xc2, 0xc3)],
        [
            "integers of every width",
            raw(0x98, 0x7f, 0xe0, 0xcc, 1, 0xcd, 1, 2, 0xce, zeros(4), 0xd0, 1, 0xd1, 1, 2, 0xd2, zeros(4)),
        ],
        ["2^53 - 1", raw(0xcf, 0, 0x1f, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
        ["-2^53", raw(0xd3, 0xff, 0xe0, zeros(6))],
        ["a float of 64 bits", raw(0xcb, 0x3f, 0xe0, zeros(6))],
        [
            "strings of every width",
            raw(0x94, 0xa1, "a", 0xd9, 1, "a", 0xda, 0, 1, "a", 0xdb, 0, 0, 0, 1, "a"),
        ],
        ["bytes of every width", raw(0x93, 0xc4, 1, 0, 0xc5, 0, 1, 0, 0xc6, 0, 0, 0, 1, 0)],
        ["arrays of every width", raw(0x93, 0x90, 0xdc, 0, 1, 0, 0xdd, 0, 0, 0, 1, 0)],
        ["maps of every width", raw(0x93, 0x80, 0xde, 0, 1, 0xa1, "a", 0, 0xdf, 0, 0, 0, 1, 0xd9, 1, "a", 0)],
        ["one key in two maps", raw(0x92, 0x81, 0xa1, "a", 0, 0x81, 0xa1, "a", 0)],
        ["a key of 32 bytes", raw(0x81, 0xd9, 32, "k".repeat(32), 0)],
        ["five levels", raw(0x91, 0x91, 0x91, 0x91, 0x91, 0)],
        ["8192 values", raw(0xdc, 0x1f, 0xff, zeros(8191))],
        ["text beyond ASCII", raw(0xa4, [0xf0, 0x9f, 0x8e, 0xb2])],
    ])("%s", (_, bytes) => {
        expect(refusal(bytes)).toBe("accepted")
    })
})

describe("refuses", () => {
    test.each([
        ["nothing", raw(), "frame: ends early at byte 0"],
        ["two values", raw(0xc0, 0xc0), "frame: trailing bytes at byte 1"],
        ["the byte that means nothing", raw(0xc1), "frame: type 0xc1, which no message uses, at byte 0"],
        ["a float of 32 bits", raw(0xca, zeros(4)), "frame: type 0xca, which no message uses, at byte 0"],
        ["ext 8", raw(0xc7, 1, 5, 0), "frame: type 0xc7, which no message uses, at byte 0"],
        ["ext 16", raw(0xc8, 0, 1, 5, 0), "frame: type 0xc8, which no message uses, at byte 0"],
        ["ext 32", raw(0xc9, 0, 0, 0, 1, 5, 0), "frame: type 0xc9, which no message uses, at byte 0"],
        ["fixext 1", raw(0xd4, 0x72, 0x40), "frame: type 0xd4, which no message uses, at byte 0"],
        [
            "a timestamp",
            raw(0x91, 0xd6, 0xff, zeros(4)),
            "frame: type 0xd6, which no message uses, at byte 1",
        ],
        ["fixext 16", raw(0xd8, 0, zeros(16)), "frame: type 0xd8, which no message uses, at byte 0"],
        ["2^53", raw(0xcf, 0, 0x20, zeros(6)), "frame: integer beyond 2^53 at byte 9"],
        [
            "-2^53 - 1",
            raw(0xd3, 0xff, 0xdf, new Array<number>(6).fill(0xff)),
            "frame: integer beyond 2^53 at byte 9",
        ],
        ["2^64 - 1", raw(0xcf, new Array<number>(8).fill(0xff)), "frame: integer beyond 2^53 at byte 9"],
        [
            "not a number",
            raw(0xcb, 0x7f, 0xf8, zeros(6)),
            "frame: number that is not finite, or negative zero at byte 9",
        ],
        [
            "infinity",
            raw(0xcb, 0x7f, 0xf0, zeros(6)),
            "frame: number that is not finite, or negative zero at byte 9",
        ],
        [
            "negative zero",
            raw(0xcb, 0x80, zeros(7)),
            "frame: number that is not finite, or negative zero at byte 9",
        ],
        ["a key twice", raw(0x82, 0xa1, "a", 1, 0xa1, "a", 2), "frame: duplicate map key a at byte 6"],
        [
            "a key in two spellings",
            raw(0x82, 0xa1, "a", 1, 0xd9, 1, "a", 2),
            "frame: duplicate map key a at byte 7",
        ],
        ["the key __proto__", raw(0x81, 0xa9, "__proto__", 0), "frame: map key __proto__ at byte 11"],
        ["a number for a key", raw(0x81, 1, 1), "frame: map key that is not a string at byte 2"],
        ["an empty key", raw(0x81, 0xa0, 1), "frame: map key that is not plain ASCII at byte 2"],
        ["a key with a space", raw(0x81, 0xa1, " ", 1), "frame: map key that is not plain ASCII at byte 3"],
        [
            "a key beyond ASCII",
            raw(0x81, 0xa2, [0xc3, 0xa9], 1),
            "frame: map key that is not plain ASCII at byte 4",
        ],
        [
            "a key of 33 bytes",
            raw(0x81, 0xd9, 33, "k".repeat(33), 0),
            "frame: map key that is too long at byte 3",
        ],
        ["six levels", raw(0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0), "frame: nested too deep at byte 6"],
        ["8193 values", raw(0xdc, 0x20, 0x00, zeros(8192)), "frame: too many values at byte 8194"],
        ["a surrogate in UTF-8", raw(0xa3, [0xed, 0xa0, 0x80]), "frame: invalid UTF-8 at byte 4"],
        ["overlong UTF-8", raw(0xa2, [0xc0, 0x80]), "frame: invalid UTF-8 at byte 3"],
        ["half a character", raw(0xa1, [0xc3]), "frame: invalid UTF-8 at byte 2"],
        ["a byte order mark", raw(0xa3, [0xef, 0xbb, 0xbf]), "frame: byte order mark at byte 4"],
    ])("%s", (_, bytes, message) => {
        expect(refusal(bytes)).toBe(message)
    })

    test.each([
        ["array", raw(0xdd, [0xff, 0xff, 0xff, 0xff])],
        ["map", raw(0xdf, [0xff, 0xff, 0xff, 0xff])],
        ["string", raw(0xdb, [0xff, 0xff, 0xff, 0xff])],
        ["bytes", raw(0xc6, [0xff, 0xff, 0xff, 0xff])],
        ["array with one element too few", raw(0xdc, 0, 2, 0)],
        ["map without its last value", raw(0x81, 0xa1, "a")],
    ])("a length that the bytes do not back: %s", (_, bytes) => {
        expect(refusal(bytes)).toMatch(/^frame: ends early at byte/)
    })

    test("100,000 nested arrays, without using the stack", () => {
        expect(refusal(new Uint8Array(100_000).fill(0x91))).toBe("frame: nested too deep at byte 6")
    })

    test("a million values, after looking at a few thousand", () => {
        const bytes = new Uint8Array(1_000_005).fill(0xc0)
        bytes.set([0xdd, 0x00, 0x0f, 0x42, 0x40])
        expect(refusal(bytes)).toBe("frame: too many values at byte 8196")
    })
})

test("reads a view at its own offset", () => {
    const around = raw(0xff, 0xff, 0xa1, "a", 0xff)
    expect(refusal(around.subarray(2, 4))).toBe("accepted")
    expect(refusal(around.subarray(2, 5))).toBe("frame: trailing bytes at byte 2")
})

test("whatever the bytes, they are accepted or named", () => {
    fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => refusal(bytes) !== ""),
        { numRuns: 5000 },
    )
})
