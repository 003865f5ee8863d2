/** One chain of a PDL: its ledger, its rounds, and everybody who is connected to it. Knows ports, no sockets. */
import { signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import type { Random, UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Head } from "@tallylight/protocol/ports/ledger-store.js"
import { require } from "@tallylight/protocol/wire/refusal.js"
import { TimedOut } from "@tallylight/protocol/wire/resp-error.js"
import { recover } from "../ledger/beginning.ts"
import type { Recovered } from "../ledger/beginning.ts"
import { LedgerClock } from "../ledger/clock.ts"
import type { RoundIndex } from "../ledger/round-index.ts"
import type { LogTree } from "../ledger/tree.ts"
import { LedgerWriter } from "../ledger/writer.ts"
import type { Commit } from "../ledger/writer.ts"
import { Intake } from "../limits/intake.ts"
import { Acceptance } from "./acceptance.ts"
import { Connections } from "./connections.ts"
import { Decryptions } from "./decryptions.ts"
import { Followers } from "./followers.ts"
import { foreignKeys } from "./keys.ts"
import type { ChainOptions } from "./options.ts"
import { RoundKeeper } from "./round-keeper.ts"

export class Chain {
    readonly chain: Uint8Array
    readonly tree: LogTree
    readonly rounds: RoundIndex
    readonly messageKey: Signer
    readonly acceptance: Acceptance
    readonly decryptions: Decryptions
    readonly followers: Followers
    readonly random: Random
    readonly #options: ChainOptions
    readonly #clock: LedgerClock
    readonly #writer: LedgerWriter
    readonly #keeper: RoundKeeper
    readonly #connections: Connections
    #stopped = false

    static async open(options: ChainOptions): Promise<Chain> {
        const head = await options.store.head()
        const recovered = await recover(options.store, head)
        const foreign = foreignKeys(recovered.state.genesis, options.keys)
        if (foreign.length > 0)
            throw new Error(
                `the ledger's first entry names another ${foreign.join(", ")} key than its key file holds; ` +
                    "put back the files that were made with this ledger",
            )
        return new Chain(options, recovered, head)
    }

    private constructor(options: ChainOptions, { state, tree, rounds, past }: Recovered, head: Head) {
        const { store, keys, clock, proofs, backlog } = options
        const onFault = (error: unknown): void => {
            this.#stopped = true
            options.onFault(error)
        }
        this.#options = { ...options, onFault }
        this.chain = state.chain
        this.tree = tree
        this.rounds = rounds
        this.random = options.random
        this.messageKey = seedSigner(keys.messageSeed)
        const { ledgerSeed } = keys
        this.#clock = new LedgerClock(clock, state, options.onSkew)
        const onCommit = (commit: Commit): void => this.#committed(commit)
        this.#writer = new LedgerWriter({
            store,
            state,
            head,
            ledgerSeed,
            clock: this.#clock,
            onCommit,
            onFault,
        })
        this.acceptance = new Acceptance({
            writer: this.#writer,
            intake: new Intake(options.limits, clock, (limit) => options.meter?.reached(limit)),
            messageKey: this.messageKey,
            meter: options.meter,
            ...{ proofs, backlog },
        })
        past.forEach((appended) => this.acceptance.remember(appended))
        this.#keeper = new RoundKeeper(this.#writer, keys.vrfSeed, this.#clock)
        this.decryptions = new Decryptions({
            state: () => this.state,
            acceptance: this.acceptance,
            // Signed once already, when the tally was committed as the last entry of its group: the same bytes.
            checkpointOf: ({ tallyIndex, tallyRoot }) =>
                signCheckpoint(
                    { origin: state.genesis.origin, size: tallyIndex + 1, root: tallyRoot },
                    ledgerSeed,
                ),
            ...{ clock, pauseMs: options.pauseMs },
            onUnanswered: (members, round, error) => {
                if (error instanceof TimedOut) options.meter?.reached("requestTimeoutMs")
                options.onUnanswered(members, round, error)
            },
        })
        this.followers = new Followers({
            ...{ store, breathe: options.breathe },
            head: () => this.head,
            checkpointAt: (size) => this.#checkpointAt(size),
        })
        const { limits, requestTimeoutMs, meter } = options
        this.#connections = new Connections({
            chain: this,
            ...{ clock, limits, requestTimeoutMs, meter, onFault },
        })
    }

    get state(): ChainState {
        return this.#writer.state
    }

    get head(): Head {
        return this.#writer.head
    }

    /** By a fault: what it knows may not be what its store holds, so it answers nothing any more. */
    get stopped(): boolean {
        return this.#stopped
    }

    get connections(): number {
        return this.#connections.count
    }

    /** Requests of all connections that are worked on, or whose answers are not taken. */
    get working(): number {
        return this.#connections.working
    }

    /** The ledger's time. */
    now(): UnixMs {
        return this.#writer.now()
    }

    /** The ledger's time minus the machine's wall clock. */
    get ledgerClockAheadMs(): number {
        return this.#clock.aheadMs
    }

    /** Keeps rounds going until `signal` aborts, then says goodbye to everybody. */
    async run(signal: AbortSignal): Promise<void> {
        try {
            await this.#keeper.run(signal)
        } catch (error) {
            this.#options.onFault(error)
        }
        this.followers.end()
        this.#connections.close(this.#stopped ? "this chain is stopped" : "the server is stopping")
    }

    /** Talks to whoever is at the other end until they go; `address` is whom limits per address count it to. */
    async serve(channel: Channel, address?: string): Promise<void> {
        return this.#connections.serve(channel, address)
    }

    /** At most `limit` entries from `from` on, and no more after the one that fills `mostBytes`. */
    async entries(from: number, limit: number, mostBytes = Infinity): Promise<Uint8Array[]> {
        const { size } = this.head
        require(from < size, "no-such-entry", { size })
        const entries = []
        let bytes = 0
        for await (const entry of this.#options.store.read(from, Math.min(size, from + limit))) {
            entries.push(entry)
            bytes += entry.length
            if (bytes >= mostBytes) break
        }
        return entries
    }

    /** Index of a round's ticket; for the round after the last one, of what comes next. */
    ticketIndex(round: number): number {
        const place = this.rounds.get(round)
        if (place !== undefined) return place.ticket
        require(round === this.state.rounds + 1, "no-such-entry", { rounds: this.state.rounds })
        return this.head.size
    }

    /** Of a tree that this ledger went through, and so consistent with every other one that it signs. */
    async #checkpointAt(size: number): Promise<string> {
        const { origin } = this.state.genesis
        return signCheckpoint(
            { origin, size, root: await this.tree.rootAt(size) },
            this.#options.keys.ledgerSeed,
        )
    }

    #committed(commit: Commit): void {
        commit.entries.forEach((entry, at) => {
            const appended = { index: commit.from + at, entry }
            this.tree.append(encodeEntry(entry))
            this.rounds.add(appended.index, entry)
            this.acceptance.remember(appended)
            const place = "round" in entry ? this.rounds.get(entry.round) : undefined
            this.#options.meter?.committed(entry, place)
            this.#options.onCommit(appended, commit.state)
        })
        this.followers.publish(commit)
        this.decryptions.update()
        this.#keeper.wake()
    }
}
