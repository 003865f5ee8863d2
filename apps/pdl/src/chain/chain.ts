/** One chain of a PDL: its ledger, its rounds, and everybody who is connected to it. Knows ports, no sockets. */
import { LedgerClock } from "../ledger/clock.ts"
import type { OnSkew } from "../ledger/clock.ts"
import { RoundIndex } from "../ledger/round-index.ts"
import { LogTree } from "../ledger/tree.ts"
import { LedgerWriter } from "../ledger/writer.ts"
import type { Appended, Commit } from "../ledger/writer.ts"
import { Intake } from "../limits/intake.ts"
import type { IntakeLimits } from "../limits/intake.ts"
import type { ProofLane } from "../proofs/pool.ts"
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { openCheckpoint, signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { ed25519PublicKey } from "@tallylight/crypto/ed25519.js"
import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { apply, begin } from "@tallylight/protocol/ledger/apply.js"
import { decodeEntry, encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState, Genesis } from "@tallylight/protocol/ledger/state.js"
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import { closeCodes } from "@tallylight/protocol/ports/channel.js"
import type { Clock, Random, UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Head, LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import type { Peer, PeerOptions } from "@tallylight/protocol/wire/peer.js"
import { require } from "@tallylight/protocol/wire/refusal.js"
import { Unanswered } from "@tallylight/protocol/wire/resp-error.js"
import { Acceptance } from "./acceptance.ts"
import { Conversation } from "./conversation.ts"
import { Decryptions } from "./decryptions.ts"
import type { Meter } from "./meter.ts"
import { RoundKeeper } from "./round-keeper.ts"
import { Subscription } from "./subscription.ts"

export type ChainKeys = {
    readonly ledgerSeed: Uint8Array
    readonly messageSeed: Uint8Array
    readonly vrfSeed: Uint8Array
}

export type ChainLimits = PeerOptions["limits"] &
    IntakeLimits & {
        /** For a connection to say hello. */
        readonly helloMs: number
    }

export type ChainOptions = {
    readonly store: LedgerStore
    readonly keys: ChainKeys
    readonly clock: Clock
    readonly random: Random
    readonly limits: ChainLimits
    readonly requestTimeoutMs: number
    readonly proofs: ProofLane
    /** Messages whose proofs may wait for verification. */
    readonly backlog: number
    /** Before a key holder that did not answer is asked again. */
    readonly pauseMs: number
    readonly breathe: () => Promise<void>
    readonly onCommit: (appended: Appended, state: ChainState) => void
    /** Told of what is done, and how often a limit is reached. */
    readonly meter?: Meter | undefined
    readonly onUnanswered: (members: readonly string[], round: number, error: unknown) => void
    readonly onSkew: OnSkew
    /** A defect or a failed store: this object is of no use any more, and its owner starts again from the store. */
    readonly onFault: (error: unknown) => void
}

type Recovered = {
    readonly state: ChainState
    readonly tree: LogTree
    readonly rounds: RoundIndex
    past: Appended[]
}

/** The ledger's first entry and checkpoint: makes the chain. */
export async function createChain(
    store: LedgerStore,
    genesis: Genesis,
    ledgerSeed: Uint8Array,
): Promise<void> {
    const state = begin(genesis)
    await store.append(await store.head(), [encodeEntry(genesis)], checkpointOf(state, ledgerSeed))
}

function checkpointOf(state: ChainState, ledgerSeed: Uint8Array): string {
    const { size } = state.range
    return signCheckpoint({ origin: state.genesis.origin, size, root: rangeRoot(state.range) }, ledgerSeed)
}

/** Replays the store, which is how every start begins, after a crash or not. */
async function recover(store: LedgerStore, head: Head): Promise<Recovered> {
    const tree = new LogTree(store)
    const rounds = new RoundIndex()
    let state: ChainState | undefined
    let past: Appended[] = []
    for await (const bytes of store.read(0, head.size)) {
        const entry = decodeEntry(bytes)
        const index = tree.size
        state = state === undefined ? begin(entry) : apply(state, entry)
        tree.append(bytes)
        rounds.add(index, entry)
        past.push({ index, entry })
        if (past.length > 40_000) past = past.slice(-20_000)
    }
    if (state === undefined) throw new Error("the ledger is empty: it was never initialised")
    const { origin, ledgerKey: publicKey } = state.genesis
    const checkpoint = openCheckpoint(head.checkpoint, { origin, publicKey })
    if (checkpoint?.size !== head.size || !equalBytes(checkpoint.root, rangeRoot(state.range)))
        throw new Error(
            "the stored ledger does not hash to its own signed checkpoint: it was damaged or edited",
        )
    return { state, tree, rounds, past }
}

export class Chain {
    readonly chain: Uint8Array
    readonly tree: LogTree
    readonly rounds: RoundIndex
    readonly messageKey: Signer
    readonly acceptance: Acceptance
    readonly decryptions: Decryptions
    readonly random: Random
    readonly #options: ChainOptions
    readonly #clock: LedgerClock
    readonly #writer: LedgerWriter
    readonly #keeper: RoundKeeper
    readonly #peers = new Set<Peer>()
    readonly #subscriptions = new Set<Subscription>()
    #stopped = false

    static async open(options: ChainOptions): Promise<Chain> {
        const head = await options.store.head()
        const recovered = await recover(options.store, head)
        const { genesis } = recovered.state
        const { keys } = options
        const foreign = [
            ...(equalBytes(genesis.ledgerKey, ed25519PublicKey(keys.ledgerSeed)) ? [] : ["ledger"]),
            ...(equalBytes(genesis.messageKey, ed25519PublicKey(keys.messageSeed)) ? [] : ["message"]),
            ...(equalBytes(genesis.vrfKey, vrfPublicKey(keys.vrfSeed)) ? [] : ["vrf"]),
        ]
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
                if (error instanceof Unanswered) options.meter?.reached("requestTimeoutMs")
                options.onUnanswered(members, round, error)
            },
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
        return this.#peers.size
    }

    /** Requests of all connections that are worked on, or whose answers are not taken. */
    get working(): number {
        return [...this.#peers].reduce((sum, { working }) => sum + working, 0)
    }

    /** How many follow the ledger, and how many entries the slowest of them is behind. */
    get subscribers(): { readonly count: number; readonly lag: number } {
        const { size } = this.head
        const lag = [...this.#subscriptions].reduce((most, { cursor }) => Math.max(most, size - cursor), 0)
        return { count: this.#subscriptions.size, lag }
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
        for (const subscription of this.#subscriptions) subscription.end()
        for (const peer of this.#peers) peer.close(closeCodes.goingAway, "the server is stopping")
    }

    /** Talks to whoever is at the other end until they go; `address` is whom limits per address count it to. */
    async serve(channel: Channel, address?: string): Promise<void> {
        const { clock, limits, requestTimeoutMs, meter, onFault } = this.#options
        const conversation = new Conversation(this, address)
        const peer = openPeer({
            ...{ side: "listener", chain: this.chain, handlers: conversation.handlers },
            channel: meter?.channel(channel) ?? channel,
            ...{ clock, limits, requestTimeoutMs, onFault },
            onFull: () => meter?.reached("concurrentRequests"),
            onRefusal: (code) => {
                meter?.refused(code)
                if (code === "over-budget") meter?.reached("failures")
            },
        })
        this.#peers.add(peer)
        void this.#expectHello(conversation, peer)
        await peer.closed
        this.#peers.delete(peer)
        conversation.end(peer)
    }

    async #expectHello(conversation: Conversation, peer: Peer): Promise<void> {
        const { clock, limits, meter } = this.#options
        const gone = new AbortController()
        void peer.closed.then(() => gone.abort())
        const late = await clock.sleep(limits.helloMs, gone.signal).then(
            () => !conversation.greeted,
            () => false,
        )
        if (!late) return
        meter?.reached("helloMs")
        peer.close(closeCodes.policy, "no hello came in time")
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

    subscribe(peer: Peer, from: number, kinds: ReadonlySet<EntryKind> | undefined): Subscription {
        const subscription = new Subscription(peer, this.#options.store, this.head, from, kinds, (size) =>
            this.#checkpointAt(size),
        )
        this.#subscriptions.add(subscription)
        // A send that fails means that the connection is closed or being closed; `serve` sees the end of it.
        void breatheFirst(this.#options.breathe, () => subscription.run()).catch(() => {
            peer.close(closeCodes.goingAway, "subscription ended")
        })
        return subscription
    }

    unsubscribe(subscription: Subscription): void {
        subscription.end()
        this.#subscriptions.delete(subscription)
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
        for (const subscription of this.#subscriptions) subscription.publish(commit)
        this.decryptions.update()
        this.#keeper.wake()
    }
}

/** The answer to ReqSubscribe goes out before the first event. */
async function breatheFirst(breathe: () => Promise<void>, run: () => Promise<void>): Promise<void> {
    await breathe()
    await run()
}
