/**
 * The Merkle tree over the ledger, for proofs and tiles. The hashes of full tiles are kept in memory, one for 256
 * entries; what lies below them is hashed again from the stored entries when somebody asks, tile by tile, and kept
 * for the next who does.
 */
import { concatBytes } from "@tallylight/crypto/bytes.js"
import { leafHash, nodeHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { consistencyProof, inclusionProof } from "@tallylight/crypto/merkle-proof.js"
import type { HashReader } from "@tallylight/crypto/merkle-proof.js"
import type { LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { require } from "@tallylight/protocol/wire/refusal.js"

/** C2SP tlog-tiles: eight levels of the tree in one tile. */
const tileHeight = 8
const tileWidth = 2 ** tileHeight

/** Half a mebibyte of hashes. */
const tilesKept = 64

const unread = new Uint8Array(32)

export class LogTree {
    readonly #store: Pick<LedgerStore, "read">
    /** full[L][i] is the hash of the complete subtree of 256^(L+1) entries with that index. */
    readonly #full: Uint8Array[][] = []
    /** Hashes that do not fill a tile yet, by tile level; the lowest are leaf hashes. */
    readonly #partial: Uint8Array[][] = []
    /** The leaf hashes of full tiles, those that were asked for last at the end. */
    readonly #asked = new Map<number, Promise<readonly Uint8Array[]>>()
    #size = 0

    constructor(store: Pick<LedgerStore, "read">) {
        this.#store = store
    }

    get size(): number {
        return this.#size
    }

    append(entry: Uint8Array): void {
        this.#size += 1
        this.#add(0, leafHash(entry))
    }

    #add(level: number, hash: Uint8Array): void {
        const partial = (this.#partial[level] ??= [])
        partial.push(hash)
        if (partial.length < tileWidth) return
        const root = subtreeHash(partial)
        ;(this.#full[level] ??= []).push(root)
        this.#partial[level] = []
        this.#add(level + 1, root)
    }

    /** The hashes of a tile, `width` of them, concatenated; undefined where the tree does not have them. */
    async tile(level: number, index: number, width: number): Promise<Uint8Array | undefined> {
        const start = index * tileWidth
        if (level > 0) {
            const hashes = this.#full[level - 1]?.slice(start, start + width) ?? []
            return hashes.length === width ? concatBytes(...hashes) : undefined
        }
        if (start + width > this.#size) return undefined
        return concatBytes(...(await this.#leaves(start, start + width)))
    }

    /** The root of the first `size` entries. */
    async rootAt(size: number): Promise<Uint8Array> {
        require(size <= this.#size, "no-such-entry", { size: this.#size })
        const hashes: Uint8Array[] = []
        let start = 0
        // RFC 9162 §2.1.1: complete subtrees from the left, each as large as what is left allows.
        for (let width = 2 ** 52; width >= 1; width /= 2) {
            if (size - start < width) continue
            hashes.push(await this.#hash(Math.log2(width), start / width))
            start += width
        }
        return rangeRoot({ size, hashes })
    }

    async inclusion(index: number, size: number): Promise<{ leaf: Uint8Array; proof: Uint8Array[] }> {
        require(index < size && size <= this.#size, "no-such-entry", { size: this.#size })
        const leaf = await this.#hash(0, index)
        const proof = await this.#prove((read) => inclusionProof(index, size, read))
        return { leaf, proof }
    }

    async consistency(from: number, to: number): Promise<Uint8Array[]> {
        require(from >= 1 && from <= to && to <= this.#size, "no-such-entry", { size: this.#size })
        return this.#prove((read) => consistencyProof(from, to, read))
    }

    /** Which hashes a proof reads does not depend on their values: once to learn which, once with them. */
    async #prove(make: (read: HashReader) => readonly Uint8Array[]): Promise<Uint8Array[]> {
        const hashes = new Map<string, Uint8Array>()
        const wanted: (readonly [number, number])[] = []
        make((level, index) => {
            wanted.push([level, index])
            return unread
        })
        for (const [level, index] of wanted) hashes.set(`${level}/${index}`, await this.#hash(level, index))
        return [...make((level, index) => hashes.get(`${level}/${index}`) ?? unread)]
    }

    /** The hash of the complete subtree of 2^level entries with that index. */
    async #hash(level: number, index: number): Promise<Uint8Array> {
        const tileLevel = Math.floor(level / tileHeight)
        const width = 2 ** (level % tileHeight)
        const start = index * width
        const hashes =
            tileLevel === 0
                ? await this.#leaves(start, start + width)
                : (this.#full[tileLevel - 1]?.slice(start, start + width) ?? [])
        return subtreeHash(hashes)
    }

    /** Of entries in one tile. */
    async #leaves(from: number, to: number): Promise<readonly Uint8Array[]> {
        const index = Math.floor(from / tileWidth)
        const start = index * tileWidth
        const isFull = start + tileWidth <= this.#size
        const tile = isFull ? await this.#fullTile(index) : (this.#partial[0] ?? [])
        return tile.slice(from - start, to - start)
    }

    /** A proof asks for some tiles several times, and those who flood the server with questions do so again and again. */
    #fullTile(index: number): Promise<readonly Uint8Array[]> {
        const tile = this.#asked.get(index) ?? this.#readTile(index)
        this.#asked.delete(index)
        this.#asked.set(index, tile)
        const [oldest] = this.#asked.keys()
        if (this.#asked.size > tilesKept && oldest !== undefined) this.#asked.delete(oldest)
        return tile
    }

    async #readTile(index: number): Promise<readonly Uint8Array[]> {
        const leaves = []
        const start = index * tileWidth
        for await (const entry of this.#store.read(start, start + tileWidth)) leaves.push(leafHash(entry))
        return leaves
    }
}

/** Of a power of two of hashes. */
function subtreeHash(hashes: readonly Uint8Array[]): Uint8Array {
    const [first, second] = hashes
    if (first === undefined) throw new RangeError("no hashes")
    if (second === undefined) return first
    const half = hashes.length / 2
    return nodeHash(subtreeHash(hashes.slice(0, half)), subtreeHash(hashes.slice(half)))
}
