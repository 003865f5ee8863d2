/** The one writer of a chain's ledger: compare-and-append, in groups, durable before anybody is told. */
import { signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { apply } from "@tallylight/protocol/ledger/apply.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Head, LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import type { LedgerClock } from "./clock.ts"

export type Appended = { readonly index: number; readonly entry: Entry }

/** Everything one group commit added, and the state and signed head after it. */
export type Commit = {
    readonly from: number
    readonly entries: readonly Entry[]
    readonly state: ChainState
    readonly head: Head
}

/** The entry to append in that state at that time; undefined for none; throws a Refusal. */
type Build = (state: ChainState, time: UnixMs) => Entry | undefined

type Waiting = {
    readonly build: Build
    readonly resolve: (appended: Appended | undefined) => void
    readonly reject: (error: unknown) => void
}

type Options = {
    readonly store: LedgerStore
    readonly state: ChainState
    readonly head: Head
    readonly ledgerSeed: Uint8Array
    readonly clock: LedgerClock
    /** Called in order, before the submitters of the group are told. */
    readonly onCommit: (commit: Commit) => void
    /** The store failed: nobody knows what it kept, so the process must end and start from what it reads. */
    readonly onFault: (error: unknown) => void
}

type Gathered = {
    readonly group: { readonly waiting: Waiting; readonly entry: Entry; readonly state: ChainState }[]
    readonly refused: { readonly waiting: Waiting; readonly error: unknown }[]
}

const largestGroup = 512

export class LedgerWriter {
    /** Both are durable, and only the running group's commit replaces them. */
    state: ChainState
    head: Head
    readonly #options: Options
    /** After the running group, which may not be durable yet. */
    #latest: ChainState
    /** Submissions of which no group has taken charge yet. */
    #waiting: Waiting[] = []
    #running = false
    #broken = false

    constructor(options: Options) {
        this.#options = options
        this.state = options.state
        this.#latest = options.state
        this.head = options.head
    }

    /** The ledger's time. A window begins with a ticket's date, and so before the ticket is durable. */
    now(): UnixMs {
        return this.#options.clock.read(this.#latest)
    }

    /** How many submissions wait for a group: what a server that is too busy looks at. */
    get backlog(): number {
        return this.#waiting.length
    }

    /** Resolves once the entry is durable; rejects with the Refusal of `build` or of the fold. */
    submit(build: Build): Promise<Appended | undefined> {
        if (this.#broken) return Promise.reject(new Refusal("shutting-down"))
        const appended = new Promise<Appended | undefined>((resolve, reject) => {
            this.#waiting.push({ build, resolve, reject })
        })
        if (!this.#running) void this.#run()
        return appended
    }

    async #run(): Promise<void> {
        this.#running = true
        // Submissions that arrive in the same turn of the event loop join the first group.
        await Promise.resolve()
        while (this.#waiting.length > 0 && !this.#broken) await this.#commitGroup()
        this.#running = false
    }

    async #commitGroup(): Promise<void> {
        const { group, refused } = this.#gather()
        const turnDown = (): void => {
            for (const { waiting, error } of refused) waiting.reject(error)
        }
        const [last] = group.slice(-1)
        if (last === undefined) {
            turnDown()
            return
        }
        const entries = group.map(({ entry }) => entry)
        const from = this.state.range.size
        this.#latest = last.state
        try {
            const { size } = last.state.range
            const root = rangeRoot(last.state.range)
            const checkpoint = signCheckpoint(
                { origin: last.state.genesis.origin, size, root },
                this.#options.ledgerSeed,
            )
            this.head = await this.#options.store.append(this.head, entries.map(encodeEntry), checkpoint)
            this.state = last.state
            this.#options.onCommit({ from, entries, state: this.state, head: this.head })
        } catch (error) {
            this.#breakDown(
                [...[...group, ...refused].map(({ waiting }) => waiting), ...this.#waiting],
                error,
            )
            return
        }
        group.forEach(({ waiting, entry }, at) => waiting.resolve({ index: from + at, entry }))
        // Not before: what they were refused for may be an entry of this group, which was not durable yet.
        turnDown()
    }

    /** Applies what waits, one after the other, and turns down what the state refuses by now. */
    #gather(): Gathered {
        const group: Gathered["group"] = []
        const refused: Gathered["refused"] = []
        let state = this.state
        const time = this.now()
        while (this.#waiting.length > 0 && group.length < largestGroup) {
            const waiting = this.#waiting.shift()
            if (waiting === undefined) break
            try {
                const entry = waiting.build(state, time)
                if (entry === undefined) {
                    waiting.resolve(undefined)
                    continue
                }
                state = apply(state, entry)
                group.push({ waiting, entry, state })
                // Shares are signed over the checkpoint whose last entry is the tally, so there must be one.
                if (entry.kind === "tally") break
            } catch (error) {
                refused.push({ waiting, error })
            }
        }
        return { group, refused }
    }

    #breakDown(submitters: readonly Waiting[], error: unknown): void {
        this.#broken = true
        this.#waiting = []
        this.#options.onFault(error)
        // Whether their entries were kept is not known: they ask again after the restart.
        for (const { reject } of submitters) reject(new Refusal("shutting-down"))
    }
}
