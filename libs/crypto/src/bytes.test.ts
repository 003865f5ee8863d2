import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
    compareBytes,
    concatBytes,
    equalBytes,
    fromBase64,
    fromHex,
    readUint64,
    toBase64,
    toHex,
    toUtf8,
    uint16,
    uint32,
    uint64,
    utf8,
} from "./bytes.ts"

const bytes = fc.uint8Array({ maxLength: 40 })

test("hex is read in either case and written in lower case", () => {
    expect(toHex(fromHex("00fFAb09"))).toBe("00ffab09")
    fc.assert(fc.property(bytes, (b) => equalBytes(fromHex(toHex(b)), b)))
})

test.each(["0", "0g", "0x00", " 00", "00 ", "00\n", "０0"])("%j is not hex", (text) => {
    expect(() => fromHex(text)).toThrow()
})

describe("integers", () => {
    test("are big-endian", () => {
        expect(toHex(uint16(0x0102))).toBe("0102")
        expect(toHex(uint32(0xfffefdfc))).toBe("fffefdfc")
        expect(toHex(uint64(0x1f_0203_0405_0607))).toBe("001f020304050607")
        expect(toHex(uint64(0))).toBe("0000000000000000")
    })

    test.each([
        ["uint16", uint16, 0xffff],
        ["uint32", uint32, 0xffff_ffff],
        ["uint64", uint64, Number.MAX_SAFE_INTEGER],
    ])("%s takes 0 to its maximum and nothing else", (_, encode, max) => {
        expect(() => encode(max)).not.toThrow()
        for (const n of [-1, 0.5, NaN, Infinity, max + 1]) expect(() => encode(n)).toThrow(RangeError)
    })

    test("of 64 bits are read back if a number holds them", () => {
        fc.assert(fc.property(fc.maxSafeNat(), (n) => readUint64(uint64(n)) === n))
        expect(readUint64(fromHex("001fffffffffffff"))).toBe(Number.MAX_SAFE_INTEGER)
        for (const hex of ["0020000000000000", "0020000000000001", "8000000000000000", "ffffffffffffffff"]) {
            expect(readUint64(fromHex(hex))).toBeUndefined()
        }
        expect(readUint64(new Uint8Array(7))).toBeUndefined()
        expect(readUint64(new Uint8Array(9))).toBeUndefined()
    })
})

test("the order is lexicographic and total", () => {
    const inOrder = ["", "00", "0000", "0001", "01", "0100", "7f", "80", "ff"].map(fromHex)
    for (const [i, a] of inOrder.entries()) {
        for (const [j, b] of inOrder.entries()) {
            expect(Math.sign(compareBytes(a, b))).toBe(Math.sign(i - j))
            expect(equalBytes(a, b)).toBe(i === j)
        }
    }
})

test("concatenation joins its parts, none included", () => {
    expect(toHex(concatBytes())).toBe("")
    expect(toHex(concatBytes(fromHex("01"), fromHex(""), fromHex("0203")))).toBe("010203")
})

describe("UTF-8", () => {
    test("is written and read, byte order mark included", () => {
        expect(toHex(utf8("é—\u{1F600}"))).toBe("c3a9e28094f09f9880")
        expect(toUtf8(fromHex("efbbbf61"))).toBe("\ufeffa")
        fc.assert(fc.property(fc.string({ unit: "binary" }), (s) => toUtf8(utf8(s)) === s))
    })

    test.each(["ff", "c0af", "eda080", "f4908080", "e280"])("%s is refused", (hex) => {
        expect(toUtf8(fromHex(hex))).toBeUndefined()
    })

    test("a lone surrogate has no encoding", () => {
        expect(() => utf8("\ud800")).toThrow()
    })
})

describe("base64", () => {
    test("round-trips", () => {
        expect(toBase64(fromHex("fbff"))).toBe("+/8=")
        fc.assert(fc.property(bytes, (b) => equalBytes(fromBase64(toBase64(b))!, b)))
    })

    test.each(["AA", "AA=", "AB==", "AAB=", "AA==\n", " AA==", "A A=", "-_8=", "AA==AA==", "===="])(
        "%j is refused",
        (text) => {
            expect(fromBase64(text)).toBeUndefined()
        },
    )
})
