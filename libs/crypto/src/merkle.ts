// The Merkle tree of RFC 6962 §2.1 (RFC 9162 §2.1.1 is the same): hashes of leaves, of nodes, and the root of a
// log that only grows. Wherever a leaf is asked for, it is the leaf's hash.
import { concatBytes } from "./bytes.ts"
import { sha256 } from "./hash.ts"

/**
 * The roots of the complete subtrees that a tree of `size` leaves consists of, largest (leftmost) first:
 * one for each bit set in `size`.
 */
export type CompactRange = { readonly size: number; readonly hashes: readonly Uint8Array[] }

// §2.1: without different prefixes a node could pass for a leaf, and a proof for a leaf that nobody logged.
const leafPrefix = Uint8Array.of(0)
const nodePrefix = Uint8Array.of(1)

export const emptyRoot: Uint8Array = sha256(new Uint8Array())

export const emptyRange: CompactRange = { size: 0, hashes: [] }

export function leafHash(data: Uint8Array): Uint8Array {
    return sha256(concatBytes(leafPrefix, data))
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
    return sha256(concatBytes(nodePrefix, left, right))
}

export function isHash(bytes: Uint8Array): boolean {
    return bytes.length === 32
}

export function appendLeaf(range: CompactRange, leaf: Uint8Array): CompactRange {
    if (!isHash(leaf)) throw new RangeError(`a leaf hash has 32 bytes, not ${leaf.length}`)
    if (!Number.isSafeInteger(range.size + 1)) throw new RangeError("the tree is full")
    const hashes = [...range.hashes]
    let node = leaf
    // Like a carry in binary addition: each trailing one bit of the size is a subtree that this leaf completes.
    for (let rest = range.size; rest % 2 === 1; rest = (rest - 1) / 2) {
        const left = hashes.pop()
        if (left === undefined) throw new RangeError(`too few hashes for ${range.size} leaves`)
        node = nodeHash(left, node)
    }
    return { size: range.size + 1, hashes: [...hashes, node] }
}

export function rangeRoot(range: CompactRange): Uint8Array {
    const ones = range.size.toString(2).replaceAll("0", "").length
    if (range.hashes.length !== ones)
        throw new RangeError(`${range.hashes.length} hashes for ${range.size} leaves`)
    if (range.size === 0) return emptyRoot
    return range.hashes.reduceRight((right, left) => nodeHash(left, right))
}
