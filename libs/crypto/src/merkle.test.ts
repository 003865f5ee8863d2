import fc from "fast-check"
import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { fromHex, toHex, uint16, utf8 } from "./bytes.ts"
import { appendLeaf, emptyRange, emptyRoot, leafHash, nodeHash, rangeRoot } from "./merkle.ts"

type Vectors = {
    readonly ct_reference_tree: {
        readonly leaves_hex: readonly string[]
        readonly leaf_hashes: readonly string[]
        readonly roots_by_size: readonly string[]
        readonly large_roots_leaf_u16be: Readonly<Record<string, string>>
    }
}
const { ct_reference_tree: reference } = JSON.parse(
    readFileSync(new URL("../../../test/vectors/merkle-rfc6962.json", import.meta.url), "utf8"),
) as Vectors

/** MTH(D[n]) as RFC 6962 §2.1 writes it. */
function definedRoot(leaves: readonly Uint8Array[]): Uint8Array {
    const [first] = leaves
    if (first === undefined) return emptyRoot
    if (leaves.length === 1) return first
    let k = 1
    while (k * 2 < leaves.length) k *= 2
    return nodeHash(definedRoot(leaves.slice(0, k)), definedRoot(leaves.slice(k)))
}

function rangeOf(leaves: readonly Uint8Array[]) {
    return leaves.reduce(appendLeaf, emptyRange)
}

const leaves = Array.from({ length: 301 }, (_, i) => leafHash(uint16(i)))

describe("reference tree", () => {
    const data = reference.leaves_hex.map(fromHex)

    test("leaf hashes", () => {
        expect(data.map((d) => toHex(leafHash(d)))).toEqual(reference.leaf_hashes)
    })

    test.each(reference.roots_by_size.map((root, size) => [size, root] as const))(
        "root of %d",
        (size, root) => {
            expect(toHex(rangeRoot(rangeOf(data.slice(0, size).map(leafHash))))).toBe(root)
        },
    )

    test.each(Object.entries(reference.large_roots_leaf_u16be).filter(([size]) => /^\d+$/.test(size)))(
        "root of %s",
        (size, root) => {
            const many = Array.from({ length: Number(size) }, (_, i) => leafHash(uint16(i)))
            expect(toHex(rangeRoot(rangeOf(many)))).toBe(root)
        },
    )
})

test("after each append the root is the defined one, and earlier ranges keep theirs", () => {
    const ranges = [emptyRange]
    for (const leaf of leaves.slice(0, 300)) ranges.push(appendLeaf(ranges.at(-1)!, leaf))
    expect(ranges).toHaveLength(301)
    for (const [size, range] of ranges.entries()) {
        expect(range.size).toBe(size)
        expect(toHex(rangeRoot(range))).toBe(toHex(definedRoot(leaves.slice(0, size))))
    }
})

test("a range continues in two ways without either touching the other", () => {
    fc.assert(
        fc.property(fc.nat(299), fc.uint8Array(), fc.uint8Array(), (size, a, b) => {
            const shared = leaves.slice(0, size)
            const range = rangeOf(shared)
            const [left, right] = [appendLeaf(range, leafHash(a)), appendLeaf(range, leafHash(b))]
            expect(toHex(rangeRoot(left))).toBe(toHex(definedRoot([...shared, leafHash(a)])))
            expect(toHex(rangeRoot(right))).toBe(toHex(definedRoot([...shared, leafHash(b)])))
        }),
        { numRuns: 30 },
    )
})

test("a node's preimage is not taken for a leaf's", () => {
    const [a, b] = [leafHash(utf8("a")), leafHash(utf8("b"))]
    expect(toHex(leafHash(Uint8Array.of(...a, ...b)))).not.toBe(toHex(nodeHash(a, b)))
})

test("refuses leaf hashes of another length", () => {
    expect(() => appendLeaf(emptyRange, new Uint8Array(31))).toThrow(RangeError)
    expect(() => appendLeaf(emptyRange, new Uint8Array(33))).toThrow(RangeError)
})

test("refuses ranges whose hashes do not fit their size", () => {
    const leaf = leaves[0]!
    expect(() => appendLeaf({ size: 3, hashes: [leaf] }, leaf)).toThrow(RangeError)
    expect(() =>
        appendLeaf({ size: Number.MAX_SAFE_INTEGER, hashes: new Array(53).fill(leaf) }, leaf),
    ).toThrow("full")
    expect(() => rangeRoot({ size: 0, hashes: [leaf] })).toThrow(RangeError)
    expect(() => rangeRoot({ size: 2, hashes: [] })).toThrow(RangeError)
    expect(() => rangeRoot({ size: 2, hashes: [leaf, leaf] })).toThrow(RangeError)
})
