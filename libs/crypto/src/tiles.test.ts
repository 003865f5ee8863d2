import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { concatBytes, fromHex, toHex } from "./bytes.ts"
import {
    decodeEntryBundle,
    decodeHashTile,
    encodeEntryBundle,
    entriesPath,
    parseTilePath,
    tilePath,
    tilesForSize,
    type Tile,
} from "./tiles.ts"

function pathOf(tile: Tile): string {
    return tile.kind === "entries" ? entriesPath(tile.index, tile.width) : tilePath(tile)
}

describe("paths", () => {
    test("are spelled as in the specification", () => {
        expect(tilePath({ level: 0, index: 1234067, width: 256 })).toBe("tile/0/x001/x234/067")
        expect(tilePath({ level: 63, index: 0, width: 1 })).toBe("tile/63/000.p/1")
        expect(tilePath({ level: 2, index: 999, width: 255 })).toBe("tile/2/999.p/255")
        expect(entriesPath(1000, 256)).toBe("tile/entries/x001/000")
        expect(entriesPath(Number.MAX_SAFE_INTEGER, 256)).toBe("tile/entries/x009/x007/x199/x254/x740/991")
    })

    const position = {
        index: fc.oneof(fc.nat(3000), fc.maxSafeNat()),
        width: fc.integer({ min: 1, max: 256 }),
    }
    const anyTile: fc.Arbitrary<Tile> = fc.oneof(
        fc.record({ kind: fc.constant("hashes" as const), level: fc.nat(63), ...position }),
        fc.record({ kind: fc.constant("entries" as const), ...position }),
    )

    test("parse to the tile they were made for", () => {
        fc.assert(
            fc.property(anyTile, (tile) => {
                expect(parseTilePath(pathOf(tile))).toEqual(tile)
            }),
        )
    })

    test("have no second spelling: one character changed names another tile or none", () => {
        fc.assert(
            fc.property(
                anyTile,
                fc.nat(),
                fc.constantFrom(...Array.from("0123456789x/.p \n")),
                (tile, at, character) => {
                    const path = pathOf(tile)
                    const i = at % path.length
                    for (const next of [path.slice(0, i) + character + path.slice(i + 1), path + character]) {
                        const parsed = parseTilePath(next)
                        if (parsed !== undefined) expect(pathOf(parsed)).toBe(next)
                    }
                },
            ),
        )
    })

    test.each([
        "",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x000/067",
        "tile/0/x1/067",
        "tile/0/X001/067",
        "tile/0//000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/entries/000.p",
        "tile/entries/000.p/",
        "tile/entries/000.p/0",
        "tile/entries/000.p/01",
        "tile/entries/000.p/256",
        "tile/entries/000.p/300",
        "tile/entries/000.p/1.p/1",
        "tile/entries/../000",
        "tile/entries/x009/x007/x199/x254/x740/992",
        "tile/entries/x001/x009/x007/x199/x254/x740/991",
        "tile/0/٠٠٠",
        "checkpoint",
    ])("%j is refused", (path) => {
        expect(parseTilePath(path)).toBeUndefined()
    })

    test("are not made for tiles that cannot be", () => {
        for (const index of [-1, 0.5, NaN, 2 ** 53]) expect(() => entriesPath(index, 1)).toThrow(RangeError)
        for (const width of [0, -1, 257, 1.5]) expect(() => entriesPath(0, width)).toThrow(RangeError)
        for (const level of [-1, 64, 0.5]) {
            expect(() => tilePath({ level, index: 0, width: 1 })).toThrow(RangeError)
        }
    })
})

describe("the files of a log", () => {
    test("of 70,000 entries are those of the specification's example", () => {
        const tiles = tilesForSize(70_000)
        const at = (level: number) => tiles.filter((tile) => tile.kind === "hashes" && tile.level === level)
        expect(at(0).filter((tile) => tile.width === 256)).toHaveLength(273)
        expect(at(0).at(-1)).toEqual({ kind: "hashes", level: 0, index: 273, width: 112 })
        expect(at(0)).toHaveLength(274)
        expect(at(1)).toEqual([
            { kind: "hashes", level: 1, index: 0, width: 256 },
            { kind: "hashes", level: 1, index: 1, width: 17 },
        ])
        expect(at(2)).toEqual([{ kind: "hashes", level: 2, index: 0, width: 1 }])
        expect(at(3)).toEqual([])
        const bundles = tiles.filter((tile) => tile.kind === "entries")
        expect(bundles.map(({ index, width }) => ({ index, width }))).toEqual(
            at(0).map(({ index, width }) => ({ index, width })),
        )
    })

    test.each([
        [0, []],
        [1, ["tile/entries/000.p/1", "tile/0/000.p/1"]],
        [255, ["tile/entries/000.p/255", "tile/0/000.p/255"]],
        [256, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]],
        [257, ["tile/entries/000", "tile/entries/001.p/1", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]],
    ])("of %d entries", (size, paths) => {
        expect(tilesForSize(size).map(pathOf)).toEqual(paths)
    })

    test("hold each entry once, and each full tile once in the level above", () => {
        fc.assert(
            fc.property(fc.nat(200_000), (size) => {
                const tiles = tilesForSize(size)
                const widthOf = (some: readonly Tile[]) => some.reduce((sum, tile) => sum + tile.width, 0)
                const levels = [0, 1, 2, 3].map((level) =>
                    tiles.filter((tile) => tile.kind === "hashes" && tile.level === level),
                )
                expect(widthOf(tiles.filter((tile) => tile.kind === "entries"))).toBe(size)
                expect(levels.map(widthOf)).toEqual([0, 1, 2, 3].map((l) => Math.floor(size / 256 ** l)))
            }),
            { numRuns: 30 },
        )
    })

    test("are not listed for what is no size", () => {
        for (const size of [-1, 0.5, NaN, 2 ** 53]) expect(() => tilesForSize(size)).toThrow(RangeError)
    })
})

describe("entry bundles", () => {
    test("are entries with their lengths before them", () => {
        expect(toHex(encodeEntryBundle(["0a0b0c", "", "ff"].map(fromHex)))).toBe("00030a0b0c00000001ff")
        const longest = new Uint8Array(65_535).fill(7)
        expect(decodeEntryBundle(encodeEntryBundle([longest]), 1)).toEqual([longest])
        expect(() => encodeEntryBundle([new Uint8Array(65_536)])).toThrow(RangeError)
    })

    const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 256, size: "max" })

    test("decode to what was encoded, and with any byte or count more or less to nothing", () => {
        fc.assert(
            fc.property(entries, (list) => {
                const bundle = encodeEntryBundle(list)
                expect(decodeEntryBundle(bundle, list.length)).toEqual(list)
                expect(decodeEntryBundle(bundle.subarray(0, -1), list.length)).toBeUndefined()
                expect(decodeEntryBundle(concatBytes(bundle, fromHex("00")), list.length)).toBeUndefined()
                expect(decodeEntryBundle(concatBytes(bundle, fromHex("0000")), list.length)).toBeUndefined()
                if (list.length > 1) expect(decodeEntryBundle(bundle, list.length - 1)).toBeUndefined()
                if (list.length < 256) expect(decodeEntryBundle(bundle, list.length + 1)).toBeUndefined()
            }),
            { numRuns: 30 },
        )
    })

    test("have one to 256 entries", () => {
        expect(() => encodeEntryBundle([])).toThrow(RangeError)
        expect(() => encodeEntryBundle(new Array<Uint8Array>(257).fill(new Uint8Array()))).toThrow(RangeError)
        expect(() => decodeEntryBundle(new Uint8Array(), 0)).toThrow(RangeError)
    })
})

test("a hash tile has exactly its width in hashes", () => {
    const bytes = new Uint8Array(96).map((_, i) => i)
    expect(decodeHashTile(bytes, 3)).toEqual([bytes.slice(0, 32), bytes.slice(32, 64), bytes.slice(64)])
    for (const width of [1, 2, 4, 256]) expect(decodeHashTile(bytes, width)).toBeUndefined()
    expect(decodeHashTile(bytes.subarray(1), 3)).toBeUndefined()
})

test("what is decoded keeps its bytes when the file's buffer is reused", () => {
    const bundle = Buffer.from("0001aa", "hex")
    const tile = Buffer.alloc(32, 5)
    const [entry] = decodeEntryBundle(bundle, 1)!
    const [hash] = decodeHashTile(tile, 1)!
    bundle.fill(0)
    tile.fill(0)
    expect(toHex(entry!)).toBe("aa")
    expect(hash).toEqual(new Uint8Array(32).fill(5))
})
