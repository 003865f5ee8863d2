import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { fromBase64, fromHex, toHex, uint16 } from "./bytes.ts"
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from "./merkle-proof.ts"
import { appendLeaf, emptyRange, leafHash, nodeHash, rangeRoot } from "./merkle.ts"

type Vectors = {
    readonly inclusion: readonly {
        readonly id: string
        readonly leafIdx: number
        readonly treeSize: number
        readonly root: string
        readonly leafHash: string
        readonly proof: readonly string[] | null
        readonly wantErr: boolean
    }[]
    readonly consistency: readonly {
        readonly id: string
        readonly size1: number
        readonly size2: number
        readonly root1: string
        readonly root2: string
        readonly proof: readonly string[] | null
        readonly wantErr: boolean
    }[]
    readonly ct_reference_tree: {
        readonly leaf_hashes: readonly string[]
        readonly roots_by_size: readonly string[]
        readonly inclusion: readonly { index: number; size: number; proof: string[] }[]
        readonly consistency: readonly { size1: number; size2: number; proof: string[] }[]
    }
}
const vectors = JSON.parse(
    readFileSync(new URL("../../../test/vectors/merkle-rfc6962.json", import.meta.url), "utf8"),
) as Vectors

function hashes(proof: readonly string[] | null): Uint8Array[] {
    return (proof ?? []).map((text) => fromBase64(text)!)
}

function rootOf(leaves: readonly Uint8Array[]): Uint8Array {
    return rangeRoot(leaves.reduce(appendLeaf, emptyRange))
}

function readerOf(leaves: readonly Uint8Array[]) {
    return (level: number, index: number) => {
        const subtree = leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)
        expect(subtree).toHaveLength(2 ** level)
        return rootOf(subtree)
    }
}

describe("transparency-dev/merkle", () => {
    test.each(vectors.inclusion)("$id", (c) => {
        const claim = {
            index: c.leafIdx,
            size: c.treeSize,
            leaf: fromBase64(c.leafHash)!,
            proof: hashes(c.proof),
            root: fromBase64(c.root)!,
        }
        expect(verifyInclusion(claim)).toBe(!c.wantErr)
    })

    // The one case that its authors accept with 12-byte roots ("sizes are equal and proof is empty").
    const shortRoots = "consistency/additional/sizes-are-equal-one-and-proof-is-empty"

    test.each(vectors.consistency)("$id", (c) => {
        const claim = {
            from: c.size1,
            to: c.size2,
            fromRoot: fromBase64(c.root1)!,
            toRoot: fromBase64(c.root2)!,
            proof: hashes(c.proof),
        }
        expect(verifyConsistency(claim)).toBe(!c.wantErr && c.id !== shortRoots)
    })

    test("the case with short roots is refused for their length alone", () => {
        const { root1, wantErr } = vectors.consistency.find((c) => c.id === shortRoots)!
        expect(wantErr).toBe(false)
        const padded = new Uint8Array(32)
        padded.set(fromBase64(root1)!)
        expect(verifyConsistency({ from: 1, to: 1, fromRoot: padded, toRoot: padded, proof: [] })).toBe(true)
    })
})

describe("reference tree", () => {
    const { leaf_hashes, roots_by_size, inclusion, consistency } = vectors.ct_reference_tree
    const leaves = leaf_hashes.map(fromHex)
    const roots = roots_by_size.map(fromHex)
    const read = readerOf(leaves)

    test.each(inclusion)("inclusion of $index in $size", ({ index, size, proof }) => {
        expect(inclusionProof(index, size, read).map(toHex)).toEqual(proof)
        const claim = { index, size, leaf: leaves[index]!, proof: proof.map(fromHex), root: roots[size]! }
        expect(verifyInclusion(claim)).toBe(true)
    })

    test.each(consistency)("consistency of $size1 with $size2", ({ size1: from, size2: to, proof }) => {
        expect(consistencyProof(from, to, read).map(toHex)).toEqual(proof)
        const claim = { from, to, fromRoot: roots[from]!, toRoot: roots[to]!, proof: proof.map(fromHex) }
        expect(verifyConsistency(claim)).toBe(true)
    })
})

function split(width: number): number {
    let k = 1
    while (k * 2 < width) k *= 2
    return k
}

/**
 * The turns from the root down to a leaf. A proof fits every size in which the leaf is reached by the same turns:
 * RFC 9162 leaves it to the signed checkpoint to bind a root to its size.
 */
function turns(index: number, size: number): string {
    if (size === 1) return "."
    const k = split(size)
    return index < k ? `L${turns(index, k)}` : `R${turns(index - k, size - k)}`
}

/** The same for SUBPROOF(from, D[to], known) of §2.1.4.1. */
function subproof(from: number, to: number, known = true): string {
    if (from === to) return known ? "." : "!"
    const k = split(to)
    return from <= k ? `L${subproof(from, k, known)}` : `R${subproof(from - k, to - k, false)}`
}

const size = 40
const leaves = Array.from({ length: size }, (_, i) => leafHash(uint16(i)))
const roots = Array.from({ length: size + 1 }, (_, n) => rootOf(leaves.slice(0, n)))
const subtrees = new Map<string, Uint8Array>()
function read(level: number, index: number): Uint8Array {
    const key = `${level}/${index}`
    const hash = subtrees.get(key) ?? readerOf(leaves)(level, index)
    subtrees.set(key, hash)
    return hash
}
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)
const notSizes = [0, -1, 0.5, NaN, Infinity, 2 ** 53]

function flipped(hash: Uint8Array): Uint8Array {
    return hash.map((byte, i) => (i === 17 ? byte ^ 4 : byte))
}

/** Each proof that differs from `proof` in one component. */
function* changedProofs(proof: readonly Uint8Array[]): Generator<Uint8Array[]> {
    const other = leafHash(uint16(1000))
    for (let i = 0; i <= proof.length; i++) yield proof.toSpliced(i, 0, other)
    for (const [i, hash] of proof.entries()) {
        yield proof.toSpliced(i, 1)
        yield proof.with(i, flipped(hash))
        yield proof.with(i, hash.slice(0, 31))
        yield proof.with(i, Uint8Array.of(...hash, 0))
        yield proof.toSpliced(i, 0, hash)
        const next = proof[i + 1]
        if (next !== undefined) yield proof.toSpliced(i, 2, next, hash)
    }
}

test.each(upTo(size))("inclusion in a tree of %d: true as made, false with one thing changed", (n) => {
    for (let index = 0; index < n; index++) {
        const proof = inclusionProof(index, n, read)
        const claim = { index, size: n, leaf: leaves[index]!, proof, root: roots[n]! }
        expect(verifyInclusion(claim)).toBe(true)
        const changed = [
            { ...claim, leaf: flipped(claim.leaf) },
            { ...claim, root: flipped(claim.root) },
            ...Array.from(changedProofs(proof), (other) => ({ ...claim, proof: other })),
            ...[0, ...upTo(size), ...notSizes]
                .filter((i) => i !== index)
                .map((i) => ({ ...claim, index: i })),
            ...upTo(size)
                .filter((m) => m !== n)
                .map((m) => ({ ...claim, size: m, root: roots[m]! })),
            ...notSizes.map((m) => ({ ...claim, size: m })),
        ]
        expect(changed.filter(verifyInclusion)).toEqual([])
        const fitting = upTo(size).filter((m) => index < m && turns(index, m) === turns(index, n))
        expect(upTo(size).filter((m) => verifyInclusion({ ...claim, size: m }))).toEqual(fitting)
    }
})

test.each(upTo(size))("consistency with a tree of %d: true as made, false with one thing changed", (to) => {
    for (const from of upTo(to)) {
        const proof = consistencyProof(from, to, read)
        const claim = { from, to, fromRoot: roots[from]!, toRoot: roots[to]!, proof }
        expect(verifyConsistency(claim)).toBe(true)
        const others = upTo(size).map((n) => ({ n, root: roots[n]! }))
        const changed = [
            { ...claim, fromRoot: flipped(claim.fromRoot) },
            { ...claim, toRoot: flipped(claim.toRoot) },
            ...Array.from(changedProofs(proof), (other) => ({ ...claim, proof: other })),
            ...others
                .filter(({ n }) => n !== from)
                .map(({ n, root }) => ({ ...claim, from: n, fromRoot: root })),
            ...others.filter(({ n }) => n !== to).map(({ n, root }) => ({ ...claim, to: n, toRoot: root })),
            ...notSizes.flatMap((n) => [
                { ...claim, from: n },
                { ...claim, to: n },
            ]),
        ]
        expect(changed.filter(verifyConsistency)).toEqual([])
        const shape = subproof(from, to)
        expect(upTo(size).filter((n) => verifyConsistency({ ...claim, from: n }))).toEqual(
            upTo(to).filter((n) => subproof(n, to) === shape),
        )
        expect(upTo(size).filter((n) => verifyConsistency({ ...claim, to: n }))).toEqual(
            upTo(size).filter((n) => from <= n && subproof(from, n) === shape),
        )
    }
})

test("nothing is consistent with the empty tree, itself included", () => {
    const [empty, one] = [roots[0]!, roots[1]!]
    expect(verifyConsistency({ from: 0, to: 0, fromRoot: empty, toRoot: empty, proof: [] })).toBe(false)
    expect(verifyConsistency({ from: 0, to: 1, fromRoot: empty, toRoot: one, proof: [] })).toBe(false)
    expect(() => consistencyProof(0, 1, read)).toThrow(RangeError)
})

test("bytes do not pass for hashes of another length", () => {
    const [left, right] = [leaves[0]!, leaves[1]!]
    const honest = { index: 0, size: 2, leaf: left, proof: [right], root: roots[2]! }
    expect(verifyInclusion(honest)).toBe(true)
    // The node's preimage is the same wherever it is cut in two.
    const shifted = { leaf: left.slice(0, 31), proof: [Uint8Array.of(left[31]!, ...right)] }
    expect(verifyInclusion({ ...honest, ...shifted })).toBe(false)
    const short = new Uint8Array(31)
    expect(verifyInclusion({ index: 0, size: 1, leaf: short, proof: [], root: short })).toBe(false)
    expect(verifyConsistency({ from: 2, to: 2, fromRoot: short, toRoot: short, proof: [] })).toBe(false)
    const growth = { from: 1, to: 2, fromRoot: left, toRoot: roots[2]!, proof: [right] }
    expect(verifyConsistency(growth)).toBe(true)
    expect(verifyConsistency({ ...growth, fromRoot: shifted.leaf, proof: shifted.proof })).toBe(false)
})

test("a leaf of a larger tree is not the only leaf of a smaller one", () => {
    const claim = { leaf: leaves[1]!, proof: [leaves[0]!], root: roots[2]! }
    expect(verifyInclusion({ ...claim, index: 1, size: 2 })).toBe(true)
    expect(verifyInclusion({ ...claim, index: 0, size: 1 })).toBe(false)
})

test("there are no proofs outside of the tree", () => {
    for (const index of [-1, 5, 0.5, NaN]) expect(() => inclusionProof(index, 5, read)).toThrow(RangeError)
    for (const from of [-1, 6, 0.5, NaN]) expect(() => consistencyProof(from, 5, read)).toThrow(RangeError)
})

test("a reader that returns something else than a hash stops the proof", () => {
    expect(() => inclusionProof(0, 2, () => new Uint8Array(31))).toThrow("level 0, index 1")
    expect(() => inclusionProof(0, 8, () => new Uint8Array(33))).toThrow("level 2, index 1 is")
})

test("trees of more than 2^32 leaves", () => {
    // All leaves alike, so that one hash a level describes the whole tree.
    const levels = [leafHash(uint16(0))]
    for (let level = 1; level < 53; level++) levels.push(nodeHash(levels[level - 1]!, levels[level - 1]!))
    const readLevel = (level: number) => levels[level]!
    const root = (n: number) => {
        const ones = n.toString(2).padStart(53, "0")
        return rangeRoot({ size: n, hashes: levels.filter((_, level) => ones[52 - level] === "1").reverse() })
    }
    for (const n of [2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 33 + 5, 2 ** 52, 2 ** 53 - 1]) {
        for (const m of [1, 2 ** 30 + 1, Math.floor(n / 3), n / 2 ** 30, n - 1, n].map(Math.floor)) {
            const proof = inclusionProof(m - 1, n, readLevel)
            const inclusion = { index: m - 1, size: n, leaf: levels[0]!, proof, root: root(n) }
            expect(verifyInclusion(inclusion)).toBe(true)
            expect(verifyInclusion({ ...inclusion, proof: proof.slice(1) })).toBe(false)
            const path = consistencyProof(m, n, readLevel)
            const consistency = { from: m, to: n, fromRoot: root(m), toRoot: root(n), proof: path }
            expect(verifyConsistency(consistency)).toBe(true)
            expect(verifyConsistency({ ...consistency, proof: [...path, levels[0]!] })).toBe(false)
            if (m < n) expect(verifyConsistency({ ...consistency, proof: path.slice(1) })).toBe(false)
        }
    }
})
