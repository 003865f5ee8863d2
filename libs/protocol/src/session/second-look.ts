/**
 * The ledger as the PDL shows it to a stranger, held against what it signed before (PROTOCOL.md §6.6). Only hashes and
 * signatures count: a history that breaks the chain's rules convicts as well as one that keeps them.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { openCheckpoint } from "@tallylight/crypto/checkpoint.js"
import type { Checkpoint } from "@tallylight/crypto/checkpoint.js"
import { appendLeaf, emptyRange, leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { Growth } from "@tallylight/crypto/merkle-growth.js"
import type { Genesis } from "../ledger/state.ts"
import type { Message } from "../wire/messages.ts"
import { Refusal, require } from "../wire/refusal.ts"
import type { Contradiction, Step } from "./replica.ts"
import type { LedgerCopy } from "./session.ts"

type Seen = Checkpoint & {
    readonly note: string
    /** From its size on, once the ledger that is shown has come so far. */
    growth?: Growth
}

export class SecondLook implements LedgerCopy {
    readonly suspicion = undefined
    /** One of the notes, and what the PDL signed against it. */
    found: { readonly before: string; readonly now: Contradiction } | undefined
    /** One signed checkpoint extends all of the notes. */
    isOneHistory = false
    readonly #notes: readonly string[]
    readonly #onEnough: () => void
    #genesis: Genesis | undefined
    #seen: Seen[] = []
    #range = emptyRange
    /** As the PDL said at the hello. */
    #head = 0

    /** `onEnough` is called when nothing more can be learnt. */
    constructor(notes: readonly string[], onEnough: () => void) {
        this.#notes = notes
        this.#onEnough = onEnough
    }

    get next(): number {
        return this.#range.size
    }

    rewind(): void {
        this.#range = emptyRange
        this.#seen = []
    }

    greeted(genesis: Genesis, head: string): void {
        this.#genesis = genesis
        this.#seen = this.#notes.flatMap((note) => {
            const checkpoint = this.#open(note)
            return checkpoint === undefined ? [] : [{ ...checkpoint, note }]
        })
        this.#head = this.#open(head)?.size ?? 0
        if (!this.#seen.some(({ size }) => size <= this.#head))
            throw new Refusal("forked", { size: this.#head })
    }

    extend(event: Message<"Event">): readonly Step[] {
        for (const { index, entry } of event.entries) {
            require(index === this.next, "missing-entries", { expected: this.next, got: index })
            const leaf = leafHash(entry)
            this.#range = appendLeaf(this.#range, leaf)
            for (const seen of this.#seen)
                if (seen.growth !== undefined) seen.growth.append(leaf)
                else if (seen.size === this.next) seen.growth = new Growth(this.#range)
        }
        if (event.size === this.next) this.#compare(event.checkpoint)
        return []
    }

    #compare(note: string): void {
        const { size, root } = this.#open(note) ?? {}
        require(size !== undefined && root !== undefined, "bad-checkpoint")
        require(size === this.next && equalBytes(root, rangeRoot(this.#range)), "wrong-root", { size })
        for (const { note: before, root: signed, growth } of this.#seen) {
            if (growth === undefined || equalBytes(signed, rangeRoot(growth.from))) continue
            const proof = { prefix: rangeRoot(growth.from), consistency: growth.proof() }
            if (this.#genesis !== undefined)
                this.found = { before, now: { genesis: this.#genesis, note, proof } }
            return this.#onEnough()
        }
        const ahead = this.#seen.filter(({ growth }) => growth === undefined)
        this.isOneHistory = ahead.length === 0
        if (!ahead.some(({ size }) => size <= this.#head)) this.#onEnough()
    }

    #open(note: string): Checkpoint | undefined {
        if (this.#genesis === undefined) return undefined
        const { origin, ledgerKey: publicKey } = this.#genesis
        return openCheckpoint(note, { origin, publicKey })
    }
}
