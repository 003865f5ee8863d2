import { concatBytes, equalBytes, uint32 } from "@tallylight/crypto/bytes.js"
import { appendLeaf, emptyRange, leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { verifyConsistency, verifyInclusion } from "@tallylight/crypto/merkle-proof.js"
import { decodeHashTile, tilesForSize } from "@tallylight/crypto/tiles.js"
import type { HashTile } from "@tallylight/crypto/tiles.js"
import { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { describe, expect, test } from "vitest"
import { LogTree } from "./tree.ts"

/** Around the first tile of each of the two lowest levels, and the first of the third. */
const sizes = [1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537]
const largest = 65_537

const entries = Array.from({ length: largest }, (_, index) => uint32(index))
const leaves = entries.map(leafHash)

/** The roots of every size, computed without the code under test. */
const roots: Uint8Array[] = []
leaves.reduce((range, leaf) => {
    const next = appendLeaf(range, leaf)
    roots[next.size] = rangeRoot(next)
    return next
}, emptyRange)

const store = new MemoryStore()
await store.append(await store.head(), entries, "checkpoint")

/** Trees as the server had them when the log was that long, over a store that has gone on since. */
const trees = new Map<number, LogTree>()
const growing = new LogTree(store)
for (const entry of entries) growing.append(entry)
for (const size of sizes.slice(0, -1)) {
    const tree = new LogTree(store)
    for (const entry of entries.slice(0, size)) tree.append(entry)
    trees.set(size, tree)
}
trees.set(largest, growing)

const indices = (size: number): number[] =>
    [...new Set([0, 1, 254, 255, 256, 257, Math.floor(size / 2), 65_279, 65_280, size - 2, size - 1])].filter(
        (index) => index >= 0 && index < size,
    )

describe.each(sizes)("a log of %i entries", (size) => {
    const tree = trees.get(size)!

    test("proves the entries that it holds, to the root of that size and no other", async () => {
        for (const index of indices(size)) {
            const { leaf, proof } = await tree.inclusion(index, size)
            const claim = { index, size, leaf, proof, root: roots[size]! }
            expect(leaf).toEqual(leaves[index])
            expect(verifyInclusion(claim), `entry ${index}`).toBe(true)
            expect(verifyInclusion({ ...claim, root: leaves[index === 0 ? 1 : 0]! })).toBe(false)
        }
    })

    test("proves that it extends each shorter one", async () => {
        for (const from of sizes.filter((from) => from <= size)) {
            const proof = await tree.consistency(from, size)
            const claim = { from, to: size, fromRoot: roots[from]!, toRoot: roots[size]!, proof }
            expect(verifyConsistency(claim), `from ${from}`).toBe(true)
            expect(verifyConsistency({ ...claim, fromRoot: leaves[2]! })).toBe(false)
        }
    })

    test("has every tile of that size, which hash to what is above them", async () => {
        const tiles = tilesForSize(size).filter((tile): tile is HashTile => tile.kind === "hashes")
        const hashes = new Map<string, Uint8Array[]>()
        for (const { level, index, width } of tiles) {
            const bytes = await tree.tile(level, index, width)
            hashes.set(`${level}/${index}`, decodeHashTile(bytes!, width)!)
        }
        for (const { level, index, width } of tiles) {
            const below = (at: number): Uint8Array =>
                level === 0
                    ? leaves[index * 256 + at]!
                    : rangeRoot(
                          hashes.get(`${level - 1}/${index * 256 + at}`)!.reduce(appendLeaf, emptyRange),
                      )
            const expected = Array.from({ length: width }, (_, at) => below(at))
            const served = concatBytes(...hashes.get(`${level}/${index}`)!)
            // Not toEqual, which takes seconds over megabytes.
            expect(equalBytes(served, concatBytes(...expected)), `tile ${level}/${index}`).toBe(true)
        }
    })

    test("has no tile, and proves nothing, beyond its size", async () => {
        expect(await tree.tile(0, Math.floor(size / 256), (size % 256) + 1)).toBeUndefined()
        expect(
            await tree.tile(1, Math.floor(size / 65_536), (Math.floor(size / 256) % 256) + 1),
        ).toBeUndefined()
        expect(await tree.tile(7, 0, 1)).toBeUndefined()
        const beyond = [
            tree.inclusion(size, size),
            tree.inclusion(0, size + 1),
            tree.consistency(0, size),
            tree.consistency(1, size + 1),
            tree.consistency(size + 1, size),
        ]
        for (const refusal of await Promise.allSettled(beyond)) {
            if (refusal.status === "fulfilled") throw new Error("proved what it does not hold")
            expect(refusal.reason).toBeInstanceOf(Refusal)
            expect(refusal.reason).toMatchObject({ code: "no-such-entry" })
        }
    })
})

test("a tree that has grown still proves what it proved when it was smaller", async () => {
    for (const size of sizes) {
        const { leaf, proof } = await growing.inclusion(size - 1, size)
        expect(verifyInclusion({ index: size - 1, size, leaf, proof, root: roots[size]! })).toBe(true)
    }
    for (const from of sizes)
        for (const to of sizes.filter((to) => to >= from)) {
            const proof = await growing.consistency(from, to)
            expect(
                verifyConsistency({ from, to, fromRoot: roots[from]!, toRoot: roots[to]!, proof }),
                `${from} to ${to}`,
            ).toBe(true)
        }
})

test("a tree knows the root of every size that it had", async () => {
    for (const size of [...sizes, 3, 4096, 8192, 61_440])
        expect(await growing.rootAt(size)).toEqual(roots[size])
    await expect(growing.rootAt(largest + 1)).rejects.toThrow(Refusal)
})

test("whoever asks for the same proofs again costs the store nothing", async () => {
    let reads = 0
    const counting: Pick<MemoryStore, "read"> = {
        read: (from, to) => {
            reads += 1
            return store.read(from, to)
        },
    }
    const tree = new LogTree(counting)
    for (const entry of entries.slice(0, 700)) tree.append(entry)
    // The last tile is not full: its hashes are in memory.
    await tree.inclusion(600, 700)
    const before = reads
    await tree.inclusion(10, 700)
    expect(reads).toBe(before + 1)
    await tree.inclusion(200, 700)
    await tree.consistency(100, 700)
    expect(reads).toBe(before + 1)
})
