// Consistency proofs (RFC 9162 §2.1.4.1) of a log that goes by once, leaf by leaf, and is not kept.
import { consistencyProof } from "./merkle-proof.ts"
import { nodeHash } from "./merkle.ts"
import type { CompactRange } from "./merkle.ts"

type Node = { readonly level: number; readonly index: number; readonly hash: Uint8Array }

/** A log from a tree of `from.size` >= 1 leaves on; keeps a number of hashes that is logarithmic in its size. */
export class Growth {
    readonly from: CompactRange
    size: number
    /** The largest complete subtrees that lie wholly before or wholly behind `from`, leftmost first. */
    readonly #nodes: Node[] = []

    constructor(from: CompactRange) {
        this.from = from
        this.size = from.size
        let [rest, first] = [from.size, 0]
        for (const hash of from.hashes) {
            const level = Math.floor(Math.log2(rest))
            this.#nodes.push({ level, index: first / 2 ** level, hash })
            rest -= 2 ** level
            first += 2 ** level
        }
    }

    /** Takes the hash of the next leaf. */
    append(leaf: Uint8Array): void {
        let node: Node = { level: 0, index: this.size, hash: leaf }
        for (let left = this.#nodes.at(-1); left !== undefined; left = this.#nodes.at(-1)) {
            const begin = left.index * 2 ** left.level
            if (left.level !== node.level || left.index % 2 === 1 || begin < this.from.size) break
            this.#nodes.pop()
            node = { level: node.level + 1, index: left.index / 2, hash: nodeHash(left.hash, node.hash) }
        }
        this.#nodes.push(node)
        this.size += 1
    }

    /** That the tree of `from` is the beginning of the one of `size`. */
    proof(): Uint8Array[] {
        return consistencyProof(this.from.size, this.size, (level, index) => {
            const found = this.#nodes.find((node) => node.level === level && node.index === index)
            if (found === undefined) throw new RangeError(`no hash at level ${level}, index ${index}`)
            return found.hash
        })
    }
}
