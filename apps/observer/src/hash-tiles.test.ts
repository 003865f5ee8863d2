import { uint32 } from "@tallylight/crypto/bytes.js"
import { appendLeaf, emptyRange, leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { tilePath, tilesForSize } from "@tallylight/crypto/tiles.js"
import { expect, test } from "vitest"
import { HashTiles } from "./hash-tiles.ts"

test("are those of C2SP tlog-tiles, up to the third level", () => {
    const size = 256 ** 2 + 3 * 256 + 5
    const leaves = Array.from({ length: size }, (_, i) => leafHash(uint32(i)))
    const tiles = new HashTiles()
    const made = [...leaves.flatMap((leaf) => tiles.add(leaf)), ...tiles.partial()]
    const paths = tilesForSize(size).flatMap((tile) => (tile.kind === "hashes" ? [tilePath(tile)] : []))
    expect(made.map(({ tile }) => tilePath(tile)).sort()).toStrictEqual(paths.sort())

    // "MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l])"
    for (const { tile, hashes } of made.filter(({ tile: { level, index } }) => level > 0 || index > 250)) {
        const span = 256 ** tile.level
        const expected = hashes.map((_, i) => {
            const first = (tile.index * 256 + i) * span
            return rangeRoot(leaves.slice(first, first + span).reduce(appendLeaf, emptyRange))
        })
        expect(hashes).toStrictEqual(expected)
        expect(hashes).toHaveLength(tile.width)
    }
    expect(tiles.size).toBe(size)
    expect(tiles.root).toStrictEqual(rangeRoot(leaves.reduce(appendLeaf, emptyRange)))
})
