import { createHash } from "node:crypto"
import { describe, expect, test } from "vitest"
import {
    drawValues,
    floatDraw,
    integerDraw,
    integerFormats,
    rangedDraw,
    uuidDraw,
    type Draw,
} from "./draws.ts"

/** Every value of so many bytes, once each. */
function* everyInput(width: number): Generator<Uint8Array> {
    for (let n = 0; n < 256 ** width; n += 1) {
        yield Uint8Array.from({ length: width }, (_, i) => Math.floor(n / 256 ** (width - 1 - i)) & 0xff)
    }
}

/** How often each value comes when every input of the draw's width comes once. */
function census<Value>(draw: Draw<Value>): Map<Value, number> {
    const counts = new Map<Value, number>()
    for (const bytes of everyInput(draw.width)) {
        const value = draw.read(bytes)
        if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1)
    }
    return counts
}

describe("integers", () => {
    test.each([
        ["uint8", 0, 255],
        ["int8", -128, 127],
        ["uint16", 0, 65_535],
        ["int16", -32_768, 32_767],
    ] as const)("%s: each value comes for exactly one input", (format, min, max) => {
        const counts = census(integerDraw(format))
        expect(counts.size).toBe(max - min + 1)
        expect([...counts].every(([n, count]) => n >= min && n <= max && count === 1)).toBe(true)
    })

    test("are big-endian, in two's complement, and bigints from 64 bits on", () => {
        const bytes = Uint8Array.of(0xff, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06)
        const read = integerFormats.map((format) => integerDraw(format).read(bytes))
        expect(read).toEqual([
            -1,
            -256,
            -0xfffefe,
            -0xfffefdfcfbfafan,
            0xff,
            0xff00,
            0xff000102,
            0xff00010203040506n,
        ])
    })
})

describe("integers of a range", () => {
    test.each([
        [0n, 0n],
        [0n, 1n],
        [1n, 6n],
        [-3n, 3n],
        [0n, 127n],
        [0n, 128n],
        [0n, 255n],
        [-5n, 250n],
        [0n, 256n],
        [1n, 1000n],
        [-32_768n, 32_767n],
        [10n, 49_151n],
    ])("from %i to %i: each comes for the same number of inputs, and no other", (min, max) => {
        const draw = rangedDraw(min, max)
        const counts = census(draw)
        expect(counts.size).toBe(Number(max - min + 1n))
        expect(new Set(counts.values()).size).toBe(1)
        const values = [...counts.keys()].sort((a, b) => (a < b ? -1 : 1))
        expect([values[0], values.at(-1)]).toEqual([min, max])
        // At least every second attempt succeeds.
        const accepted = [...counts.values()].reduce((sum, count) => sum + count, 0)
        expect(2 * accepted).toBeGreaterThanOrEqual(256 ** draw.width)
    })

    test("of 2^64, and of one more than 2^63, where half is rejected", () => {
        const all = rangedDraw(-(2n ** 63n), 2n ** 63n - 1n)
        expect(all.read(new Uint8Array(8))).toBe(-(2n ** 63n))
        expect(all.read(new Uint8Array(8).fill(0xff))).toBe(2n ** 63n - 1n)
        const half = rangedDraw(0n, 2n ** 63n)
        expect(half.read(Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 0))).toBe(2n ** 63n)
        expect(half.read(Uint8Array.of(0x80, 0, 0, 0, 0, 0, 0, 1))).toBeUndefined()
    })

    test("are refused where there is none, or more than 2^64", () => {
        expect(() => rangedDraw(1n, 0n)).toThrow(RangeError)
        expect(() => rangedDraw(0n, 2n ** 64n)).toThrow(RangeError)
        expect(rangedDraw(0n, 2n ** 64n - 1n).width).toBe(8)
    })
})

describe("floats", () => {
    const at = (...bytes: number[]): number | undefined => floatDraw.read(Uint8Array.from(bytes))

    test("lie from 0 to below 1, in steps of 2^-53", () => {
        expect(at(0, 0, 0, 0, 0, 0, 0)).toBe(0)
        expect(at(0, 0, 0, 0, 0, 0, 1)).toBe(2 ** -53)
        expect(at(0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)).toBe(1 - 2 ** -53)
        expect(at(0x10, 0, 0, 0, 0, 0, 0)).toBe(0.5)
    })

    test("the surplus bits change nothing, and each of the others does what it is worth", () => {
        expect(at(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)).toBe(1 - 2 ** -53)
        expect(at(0xe0, 0, 0, 0, 0, 0, 0)).toBe(0)
        for (let bit = 0; bit < 53; bit += 1) {
            const bytes = new Uint8Array(7)
            bytes[6 - Math.floor(bit / 8)] = 1 << (bit % 8)
            expect(floatDraw.read(bytes)).toBe(2 ** (bit - 53))
        }
    })
})

describe("UUIDs", () => {
    test("are version 4 and variant 10, and keep all other bits", () => {
        expect(uuidDraw.read(new Uint8Array(16))).toBe("00000000-0000-4000-8000-000000000000")
        expect(uuidDraw.read(new Uint8Array(16).fill(0xff))).toBe("ffffffff-ffff-4fff-bfff-ffffffffffff")
        const counting = Uint8Array.from({ length: 16 }, (_, i) => i * 17)
        expect(uuidDraw.read(counting)).toBe("00112233-4455-4677-8899-aabbccddeeff")
    })

    test("leave the bytes as they were", () => {
        const bytes = Buffer.alloc(16)
        uuidDraw.read(bytes)
        expect(bytes).toEqual(Buffer.alloc(16))
    })
})

describe("drawing many", () => {
    /** The same bytes every time, and how many were taken. */
    function counted() {
        const taken = { bytes: 0 }
        const drawBytes = (length: number): Promise<Uint8Array> => {
            const from = taken.bytes
            taken.bytes += length
            const bytes = Uint8Array.from(
                { length },
                (_, i) =>
                    createHash("sha256")
                        .update(String(from + i))
                        .digest()[0] ?? 0,
            )
            return Promise.resolve(bytes)
        }
        return { taken, drawBytes }
    }

    test("gives as many values as were asked for, in the order of the bytes", async () => {
        const { drawBytes, taken } = counted()
        const values = await drawValues(rangedDraw(1n, 6n), 1000, drawBytes)
        expect(values).toHaveLength(1000)
        const again = await counted().drawBytes(taken.bytes)
        const expected = [...again].map((byte) => byte & 7).filter((offset) => offset <= 5)
        expect(values.map((value) => Number(value) - 1)).toEqual(expected)
    })

    test("draws no byte too many", async () => {
        const { drawBytes, taken } = counted()
        await drawValues(integerDraw("int32"), 25, drawBytes)
        expect(taken.bytes).toBe(100)
        await drawValues(uuidDraw, 0, drawBytes)
        expect(taken.bytes).toBe(100)
    })
})
