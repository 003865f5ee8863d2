/**
 * A follower's copy of the chain's state, moved forward by what the PDL sends (PROTOCOL.md §8.5). Entries count
 * only once a signed checkpoint covers them: until then nothing is handed out, and a PDL that sends one thing
 * and signs another is caught before anybody acts on it.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { openCheckpoint } from "@tallylight/crypto/checkpoint.js"
import type { Checkpoint } from "@tallylight/crypto/checkpoint.js"
import { leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { Growth } from "@tallylight/crypto/merkle-growth.js"
import { apply, begin } from "../ledger/apply.ts"
import { decodeEntry } from "../ledger/entry.ts"
import type { Entry } from "../ledger/entry.ts"
import type { ChainState, Genesis } from "../ledger/state.ts"
import { verifyEntry } from "../ledger/verify.ts"
import { tallies } from "../round/schedule.ts"
import type { DivergenceProof } from "../verify/evidence.ts"
import type { Message } from "../wire/messages.ts"
import { Refusal, require } from "../wire/refusal.ts"

/** One entry, with the chain's state before (undefined at the genesis) and after it. */
export type Step = {
    readonly index: number
    readonly leaf: Uint8Array
    readonly entry: Entry
    readonly before: ChainState | undefined
    readonly after: ChainState
}

export type ReplicaOptions = {
    readonly chain: Uint8Array
    /** A checkpoint verified earlier; the ledger must extend it, and entries below it are not proved again. */
    readonly seen?: Pick<Checkpoint, "size" | "root">
    /** Whether the proofs of this entry are to be checked; what is skipped is taken on the PDL's word. */
    readonly proves: (entry: Entry) => boolean
    /** For progress on long ledgers: an entry was taken, out of `size`. */
    readonly onEntry?: (index: number, size: number) => void
}

/** What the PDL signed although it had signed something else before, or for entries that were refused. */
export type Contradiction = {
    readonly genesis: Genesis
    readonly note: string
    /** Where what was seen before is not the beginning of that; without it there is a suspicion and no more. */
    readonly proof?: DivergenceProof
}

/** Behind the place where another history begins; the PDL signs a checkpoint at least that often (PROTOCOL.md §8.5). */
const longestProof = 4096

export class Replica {
    /** The latest state that a checkpoint covers; undefined before the first. */
    state: ChainState | undefined
    checkpoint: Checkpoint | undefined
    /** That checkpoint as the PDL signed it. */
    note = ""
    /** Set before the refusal that is about it. */
    contradiction: Contradiction | undefined
    readonly #options: ReplicaOptions
    /** From the last tally to `checkpoint`: its key holders are shown a checkpoint that ends with it. */
    #sinceTally: Growth | undefined
    #ahead: ChainState | undefined
    #steps: Step[] = []
    /** The other history, from where it should be `seen` on. */
    #fork: Growth | undefined

    constructor(options: ReplicaOptions) {
        this.#options = options
    }

    /** Where the subscription must go on. */
    get next(): number {
        return this.#ahead?.range.size ?? 0
    }

    /** Forgets what no checkpoint has covered: the connection that sent it is gone. */
    rewind(): void {
        this.#ahead = this.state
        this.#steps = []
        this.#fork = undefined
        this.contradiction = undefined
    }

    /** The ledger is another one than `seen`, and no checkpoint has come that proves it. */
    get suspicion(): Refusal | undefined {
        return this.#fork && new Refusal("forked", { size: this.#fork.from.size })
    }

    /** The head that the PDL named at the hello: smaller than what was relied on, if the ledger was cut short. */
    greeted(genesis: Genesis, note: string): void {
        const head = openNote(genesis, note)
        const known = this.checkpoint?.size ?? this.#options.seen?.size ?? 0
        if (head !== undefined && head.size < known) this.contradiction = { genesis, note }
    }

    /** The steps that are now certain: none while the event's checkpoint lies further ahead. */
    extend(event: Message<"Event">): readonly Step[] {
        try {
            return this.#extend(event)
        } catch (error) {
            const genesis = this.#ahead?.genesis
            // Whatever rule the entries break: perhaps they do because they are of another history.
            if (genesis !== undefined && openNote(genesis, event.checkpoint) !== undefined)
                this.contradiction ??= { genesis, note: event.checkpoint }
            throw error
        }
    }

    #extend(event: Message<"Event">): readonly Step[] {
        for (const { index, entry } of event.entries) {
            require(index === this.next, "missing-entries", { expected: this.next, got: index })
            this.#take(entry)
            this.#options.onEntry?.(index, event.size)
        }
        require(event.size >= this.next, "missing-entries", { size: event.size, got: this.next })
        const state = this.#ahead
        if (state?.range.size !== event.size) return []
        this.checkpoint = this.#open(state, event.checkpoint)
        this.note = event.checkpoint
        this.state = state
        const steps = this.#steps
        this.#steps = []
        for (const { entry, leaf, after } of steps) {
            if (entry.kind === "tally") this.#sinceTally = new Growth(after.range)
            else this.#sinceTally?.append(leaf)
        }
        return steps
    }

    /**
     * Whether `note`, shown to a key holder with a tally, is signed for another root than the one that this ledger had
     * when it ended with that tally; undefined also where no tally of that size is known.
     */
    contradictedBy(note: string): Contradiction | undefined {
        if (this.state === undefined) return undefined
        const { genesis } = this.state
        const shown = openNote(genesis, note)
        const own = tallies(this.state).find(({ tallyIndex }) => tallyIndex + 1 === shown?.size)
        if (shown === undefined || own === undefined || equalBytes(shown.root, own.tallyRoot))
            return undefined
        // That of a round withheld before the last tally is left to the log.
        const since = this.#sinceTally?.from.size === shown.size ? this.#sinceTally : undefined
        return {
            ...{ genesis, note },
            ...(since && { proof: { prefix: own.tallyRoot, consistency: since.proof() } }),
        }
    }

    #take(bytes: Uint8Array): void {
        const entry = decodeEntry(bytes)
        const before = this.#ahead
        const after = before === undefined ? begin(entry) : apply(before, entry)
        if (before === undefined) require(equalBytes(after.chain, this.#options.chain), "wrong-chain")
        const seen = this.#options.seen
        const index = after.range.size - 1
        if (index >= (seen?.size ?? 0) && this.#options.proves(entry)) verifyEntry(before ?? after, entry)
        const leaf = leafHash(bytes)
        this.#fork?.append(leaf)
        // Refused when the checkpoint has come that the PDL signed for it, and with which it convicts itself.
        if (seen?.size === after.range.size && !equalBytes(rangeRoot(after.range), seen.root))
            this.#fork = new Growth(after.range)
        if (this.#fork !== undefined && this.#fork.size - this.#fork.from.size > longestProof)
            throw new Refusal("forked", { size: this.#fork.from.size })
        this.#ahead = after
        this.#steps.push({ index, leaf, entry, before, after })
    }

    #open(state: ChainState, note: string): Checkpoint {
        const { genesis } = state
        const checkpoint = openNote(genesis, note)
        if (checkpoint === undefined) throw new Refusal("bad-checkpoint")
        const seen = this.#options.seen?.size ?? 0
        this.contradiction = { genesis, note }
        require(checkpoint.size >= seen, "forked", { seen, size: checkpoint.size })
        const same =
            checkpoint.size === state.range.size && equalBytes(checkpoint.root, rangeRoot(state.range))
        require(same, "wrong-root", { size: state.range.size })
        if (this.#fork !== undefined) {
            const { from } = this.#fork
            const proof = { prefix: rangeRoot(from), consistency: this.#fork.proof() }
            this.contradiction = { genesis, note, proof }
            throw new Refusal("forked", { size: from.size })
        }
        this.contradiction = undefined
        return checkpoint
    }
}

function openNote({ origin, ledgerKey: publicKey }: Genesis, note: string): Checkpoint | undefined {
    return openCheckpoint(note, { origin, publicKey })
}
