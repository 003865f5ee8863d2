/** The hash tiles of a log (C2SP tlog-tiles), made from its leaves one by one. */
import { appendLeaf, emptyRange, rangeRoot } from "@tallylight/crypto/merkle.js"
import type { CompactRange } from "@tallylight/crypto/merkle.js"
import type { HashTile } from "@tallylight/crypto/tiles.js"

export type MadeTile = { readonly tile: HashTile; readonly hashes: readonly Uint8Array[] }

const fullWidth = 256

export class HashTiles {
    #range: CompactRange = emptyRange
    /** By level, the hashes that do not fill a tile yet, and how many tiles are full before them. */
    readonly #levels: { hashes: Uint8Array[]; full: number }[] = []

    get size(): number {
        return this.#range.size
    }

    get root(): Uint8Array {
        return rangeRoot(this.#range)
    }

    /** Takes the next leaf hash, and gives the tiles that it completes, lowest first. */
    add(leaf: Uint8Array): MadeTile[] {
        this.#range = appendLeaf(this.#range, leaf)
        const made: MadeTile[] = []
        let hash = leaf
        for (let level = 0; ; level += 1) {
            const at = (this.#levels[level] ??= { hashes: [], full: 0 })
            at.hashes.push(hash)
            if (at.hashes.length < fullWidth) return made
            made.push({
                tile: { kind: "hashes", level, index: at.full, width: fullWidth },
                hashes: at.hashes,
            })
            hash = rangeRoot(at.hashes.reduce(appendLeaf, emptyRange))
            this.#levels[level] = { hashes: [], full: at.full + 1 }
        }
    }

    /** The partial tiles of the log as it is now. */
    partial(): MadeTile[] {
        return this.#levels.flatMap(({ hashes, full }, level): MadeTile[] =>
            hashes.length === 0
                ? []
                : [
                      {
                          tile: { kind: "hashes", level, index: full, width: hashes.length },
                          hashes: [...hashes],
                      },
                  ],
        )
    }
}
