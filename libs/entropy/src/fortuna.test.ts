import { createCipheriv, createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { fromHex, toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { describe, expect, test } from "vitest"
import { Accumulator, EventStream } from "./accumulator.ts"
import {
    CounterBlocks,
    doubleHash,
    FortunaGenerator,
    longestRequest,
    NotSeeded,
    type FortunaPrimitives,
} from "./fortuna.ts"

const primitives: FortunaPrimitives = {
    startCipher: (key) => {
        const cipher = createCipheriv("aes-256-ecb", key, null)
        return (blocks) => cipher.update(blocks)
    },
    startHash: () => {
        const hash = createHash("sha256")
        return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
    },
}

type Step = {
    readonly reseed?: string
    readonly read?: number
    readonly out?: string
    readonly event?: { readonly source: number; readonly pool: number; readonly data: string }
    readonly times?: number
    readonly event_loop?: { readonly source: number; readonly data: string }
    readonly reseed_if_due?: true
}
const vectors = JSON.parse(
    readFileSync(new URL("../../../test/vectors/fortuna.json", import.meta.url), "utf8"),
) as {
    readonly shad256: readonly { readonly msg_ascii: string; readonly digest: string }[]
    readonly generator: readonly { readonly source: string; readonly steps: readonly Step[] }[]
    readonly accumulator: readonly { readonly source: string; readonly steps: readonly Step[] }[]
}

function seeded(seed = "seed"): FortunaGenerator {
    const generator = new FortunaGenerator(primitives)
    generator.reseed(utf8(seed))
    return generator
}

test.each(vectors.shad256)("SHAd256 of “$msg_ascii”", ({ msg_ascii, digest }) => {
    expect(toHex(doubleHash(primitives, utf8(msg_ascii)))).toBe(digest)
})

describe("generator", () => {
    test.each(vectors.generator)("$source", ({ steps }) => {
        const generator = new FortunaGenerator(primitives)
        let compared = 0
        for (const { reseed, read, out } of steps) {
            if (reseed !== undefined) generator.reseed(fromHex(reseed))
            if (read === undefined) continue
            expect(toHex(generator.read(read))).toBe(out)
            compared += 1
        }
        expect(compared).toBeGreaterThan(0)
    })

    test("refuses before it is seeded, whatever is asked", () => {
        const generator = new FortunaGenerator(primitives)
        expect(() => generator.read(0)).toThrow(NotSeeded)
        expect(() => generator.read(32)).toThrow(NotSeeded)
        generator.reseed(Uint8Array.of())
        expect(generator.read(32)).toHaveLength(32)
    })

    test("gives 2^20 bytes at a time and not one more", () => {
        expect(seeded().read(longestRequest)).toHaveLength(2 ** 20)
        expect(() => seeded().read(longestRequest + 1)).toThrow(RangeError)
    })

    test.each([0, 1, 16, 47, 48, 49, 96, 1000])(
        "gives the same %i bytes in pieces, and goes on alike",
        (length) => {
            const [whole, cut] = [seeded(), seeded()]
            const pieces = cut.readPieces(length, 48)
            expect(toHex(Buffer.concat(pieces))).toBe(toHex(whole.read(length)))
            expect(pieces.map((piece) => piece.length)).toEqual([
                ...Array<number>(Math.max(0, Math.ceil(length / 48) - 1)).fill(48),
                length === 0 ? 0 : length % 48 || 48,
            ])
            expect(toHex(cut.read(32))).toBe(toHex(whole.read(32)))
        },
    )

    test("cuts no block", () => {
        for (const most of [0, 24, -16]) expect(() => seeded().readPieces(64, most)).toThrow(RangeError)
    })

    test("is AES-256 in counter mode, little-endian, under the hash of the seed", () => {
        // Block by block, as the book writes it.
        const key = doubleHash(primitives, new Uint8Array(32), utf8("seed"))
        const blocks = Array.from({ length: 300 }, (_, i) => {
            const counter = new Uint8Array(16)
            new DataView(counter.buffer).setUint16(0, 1 + i, true)
            return primitives.startCipher(key)(counter)
        })
        expect(toHex(seeded().read(4800))).toBe(toHex(Buffer.concat(blocks)))
    })

    test("changes its key after each request, also after one of nothing", () => {
        const together = seeded().read(64)
        const apart = seeded()
        expect(toHex(apart.read(32))).toBe(toHex(together.subarray(0, 32)))
        expect(toHex(apart.read(32))).not.toBe(toHex(together.subarray(32)))
        const later = seeded()
        later.read(0)
        expect(toHex(later.read(32))).not.toBe(toHex(together.subarray(0, 32)))
    })

    test("leaves nothing of the next key or block in the memory that it hands out", () => {
        const output = seeded().read(20)
        const memory = new Uint8Array(output.buffer, output.byteOffset)
        expect(memory.subarray(20, 64).every((byte) => byte === 0)).toBe(true)
    })

    test("depends on every seed that it was given", () => {
        const twice = seeded()
        twice.reseed(utf8("more"))
        const other = seeded("other")
        other.reseed(utf8("more"))
        expect(toHex(twice.read(32))).not.toBe(toHex(other.read(32)))
        expect(toHex(seeded().read(32))).toBe(toHex(seeded().read(32)))
    })
})

describe("counter blocks", () => {
    const littleEndian = (n: bigint): string =>
        Array.from({ length: 16 }, (_, i) =>
            Number((n >> BigInt(8 * i)) & 0xffn)
                .toString(16)
                .padStart(2, "0"),
        ).join("")

    test.each([1n, 2n ** 32n - 3n, 2n ** 32n, 2n ** 64n - 2n, 2n ** 96n - 1n, 2n ** 127n + 2n ** 33n - 2n])(
        "count by one from %i, carries included",
        (first) => {
            const blocks = new CounterBlocks()
            const expected = Array.from({ length: 5 }, (_, i) => littleEndian(first + BigInt(i)))
            expect(toHex(blocks.from(first, 5))).toBe(expected.join(""))
            // The same memory again, for fewer, and for as many whose upper bits are the same again.
            expect(toHex(blocks.from(1n, 1))).toBe(littleEndian(1n))
            expect(toHex(blocks.from(2n, 4))).toBe([2n, 3n, 4n, 5n].map(littleEndian).join(""))
            expect(toHex(blocks.from(first, 5))).toBe(expected.join(""))
        },
    )

    test("keep their upper bits where more memory is needed for them", () => {
        const blocks = new CounterBlocks()
        const first = 2n ** 100n + 7n
        blocks.from(first, 1)
        const expected = Array.from({ length: 3 }, (_, i) => littleEndian(first + BigInt(i)))
        expect(toHex(blocks.from(first, 3))).toBe(expected.join(""))
    })
})

describe("accumulator", () => {
    test.each(vectors.accumulator)("$source", ({ steps }) => {
        const accumulator = new Accumulator(primitives)
        let compared = 0
        for (const { event, times = 1, event_loop, reseed_if_due, read, out } of steps) {
            for (let i = 0; event !== undefined && i < times; i += 1) {
                accumulator.addEvent(event.source, event.pool, fromHex(event.data))
            }
            for (let i = 0; event_loop !== undefined && i < 1000; i += 1) {
                accumulator.addEvent(event_loop.source, i % 32, fromHex(event_loop.data))
            }
            if (reseed_if_due === true) expect(accumulator.reseedIfDue(0)).toBe(true)
            if (read === undefined) continue
            expect(toHex(accumulator.read(read, 0))).toBe(out)
            compared += 1
        }
        expect(compared).toBe(1)
        expect(accumulator.reseeds).toBe(1)
    })

    /** 30 bytes, so 32 in the pool. */
    const event = new Uint8Array(30)

    test("refuses before a pool or a seed has reseeded it", () => {
        const accumulator = new Accumulator(primitives)
        expect(() => accumulator.read(1, 0)).toThrow(NotSeeded)
        accumulator.addEvent(0, 0, event)
        expect(() => accumulator.read(1, 0)).toThrow(NotSeeded)
        accumulator.addEvent(0, 0, event)
        expect(accumulator.read(1, 0)).toHaveLength(1)
    })

    test("reseeds at 64 bytes in pool 0, counted with each event's two, and not at 63", () => {
        const accumulator = new Accumulator(primitives)
        accumulator.addEvent(0, 0, event)
        accumulator.addEvent(0, 0, event.subarray(1))
        for (let pool = 1; pool < 32; pool += 1) accumulator.addEvent(0, pool, new Uint8Array(32))
        expect(accumulator.reseedIfDue(0)).toBe(false)
        const full = new Accumulator(primitives)
        full.addEvent(0, 0, event)
        full.addEvent(0, 0, event)
        expect(full.reseedIfDue(0)).toBe(true)
    })

    test("reseeds again after 100 ms and not before, and empties pool 0", () => {
        const accumulator = new Accumulator(primitives)
        const fill = (): void => {
            accumulator.addEvent(0, 0, event)
            accumulator.addEvent(0, 0, event)
        }
        fill()
        expect(accumulator.reseedIfDue(1000)).toBe(true)
        expect(accumulator.reseedIfDue(2000)).toBe(false)
        fill()
        expect(accumulator.reseedIfDue(1099.9)).toBe(false)
        expect(accumulator.reseedIfDue(1100)).toBe(true)
        expect(accumulator.reseeds).toBe(2)
    })

    test("uses pool i in every 2^i-th reseed", () => {
        const output = (marked: number, reseeds: number): string => {
            const accumulator = new Accumulator(primitives)
            if (marked > 0) accumulator.addEvent(1, marked, Uint8Array.of(1))
            for (let i = 0; i < reseeds; i += 1) {
                accumulator.addEvent(0, 0, event)
                accumulator.addEvent(0, 0, event)
                expect(accumulator.reseedIfDue(i * 100)).toBe(true)
            }
            return toHex(accumulator.generator.read(16))
        }
        for (const pool of [1, 2, 3, 5]) {
            expect(output(pool, 2 ** pool - 1)).toBe(output(0, 2 ** pool - 1))
            expect(output(pool, 2 ** pool)).not.toBe(output(0, 2 ** pool))
        }
    })

    test("takes events of 1 to 32 bytes for 32 pools of 256 sources", () => {
        const accumulator = new Accumulator(primitives)
        accumulator.addEvent(255, 31, new Uint8Array(32))
        accumulator.addEvent(0, 0, new Uint8Array(1))
        expect(() => accumulator.addEvent(256, 0, event)).toThrow(RangeError)
        expect(() => accumulator.addEvent(0, 32, event)).toThrow(RangeError)
        expect(() => accumulator.addEvent(0, 0, new Uint8Array(33))).toThrow(RangeError)
        expect(() => accumulator.addEvent(0, 0, new Uint8Array(0))).toThrow(RangeError)
    })

    test("a source's bytes go through the pools in turn, 32 at a time", () => {
        const byHand = new Accumulator(primitives)
        const bytes = Uint8Array.from({ length: 33 * 32 + 5 }, (_, i) => i & 0xff)
        for (let i = 0; i < 34; i += 1)
            byHand.addEvent(9, i % 32, bytes.subarray(32 * i, Math.min(32 * i + 32, bytes.length)))
        const streamed = new Accumulator(primitives)
        const stream = new EventStream(streamed, 9)
        stream.add(bytes.subarray(0, 64))
        stream.add(bytes.subarray(64))
        expect(toHex(streamed.read(32, 0))).toBe(toHex(byHand.read(32, 0)))
    })
})
