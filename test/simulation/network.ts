/**
 * A whole network in one process: a ledger server, parties, a requester and an observer over in-memory twins of
 * every port. Time stands still between calls of `run`, and everything that chance decides comes from one seed, so
 * a scenario is the same every time.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { scalarFromUniform } from "@tallylight/crypto/scalar.js"
import type { ChainKeys } from "@tallylight/pdl/chain/keys.js"
import { createChain } from "@tallylight/pdl/ledger/beginning.js"
import { ProofPool } from "@tallylight/pdl/proofs/pool.js"
import { chainId } from "@tallylight/protocol/chain/genesis.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry, EntryKind, EntryOf, Parameters } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState, Genesis } from "@tallylight/protocol/ledger/state.js"
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import type { Line } from "@tallylight/protocol/ports/channel-pair.js"
import type { Random } from "@tallylight/protocol/ports/clock.js"
import type { Head } from "@tallylight/protocol/ports/ledger-store.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { ownThread } from "@tallylight/protocol/ports/verifier.js"
import type { BrokenPromise } from "@tallylight/protocol/session/receipts.js"
import { audit } from "@tallylight/protocol/verify/audit.js"
import type { Report } from "@tallylight/protocol/verify/audit.js"
import { decodeFrame } from "@tallylight/protocol/wire/frame.js"
import type { Frame } from "@tallylight/protocol/wire/frame.js"
import type { Message, Receipt, RequestType, ResponseTo } from "@tallylight/protocol/wire/messages.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import type { Demand } from "@tallylight/requester/commission.js"
import { dealCommittee } from "@tallylight/requester/dealer.js"
import type { Quorum } from "@tallylight/requester/dealer.js"
import { Actor, requestTimeoutMs } from "./actor.ts"
import { Disk } from "./disk.ts"
import { genesisOf } from "./genesis.ts"
import type { Death, Hazards } from "./hazards.ts"
import { PartyActor } from "./party-actor.ts"
import { RequesterActor } from "./requester-actor.ts"
import { Server } from "./server.ts"

const plenty = { burst: 1000, perMinute: 1000 }
const limits = {
    ...{ frameBytes: 1 << 20, concurrentRequests: 64, failures: { burst: 64, perMinute: 60 } },
    ...{ registrations: plenty, registrationsPerAddress: plenty, renewalsPerIdentity: plenty },
    ...{ queuedPerAddress: 64, helloMs: 10_000 },
}

export type Plan = {
    readonly seed: string
    readonly parties: number
    readonly parameters?: Partial<Parameters>
    readonly demand?: Partial<Demand>
    /** A second requester, whose key is shared. */
    readonly committee?: Quorum
    readonly hazards?: Hazards
    /** Followers take the server's word for proofs: somebody else checks every one of them. */
    readonly trusting?: true
}

/** What an append of the ledger server does at the next entry of that kind. */
export type Fault = { readonly kind: EntryKind; readonly outcome: "keep" | "lose" }

export type Sent = { readonly by: string; readonly frame: Frame }

export class Network {
    /** The ledger server's; everybody else has one of their own that goes with it. */
    readonly clock = new ManualClock(1_800_000_000_000)
    readonly random: Random
    readonly keys: ChainKeys
    readonly genesis: Genesis
    readonly parties: readonly PartyActor[]
    readonly requester: RequesterActor
    /** Its members; the first one asks for its rounds. */
    readonly committee: readonly RequesterActor[]
    readonly observer: Actor
    /** Whether requesters and observers check every proof, as they do outside of tests. */
    readonly proves: boolean
    /** None at first; may be changed at any time. */
    hazards: Hazards | undefined
    /** Every receipt that anybody was given. */
    readonly receipts: Receipt[] = []
    readonly broken: BrokenPromise[] = []
    readonly refused: string[] = []
    /** Parties that were told that the operator keeps them out. */
    readonly barred: string[] = []
    /** What the ledger server said of its own clock. */
    readonly skews: { readonly aheadMs: number; readonly isOff: boolean }[] = []
    /** What must not happen unless the scenario says so. */
    readonly faults: unknown[] = []
    /** Every request and answer that an actor sent, in order. */
    readonly sent: Sent[] = []
    fault: Fault | undefined
    /** The sizes of which the ledger server made a checkpoint durable. */
    readonly checkpointSizes = new Set<number>()
    /** How often the ledger server died of its store. */
    crashes = 0
    #memory = new MemoryStore()
    #server: Server | undefined

    /** A chain of one entry, and nobody running yet. */
    static async create(plan: Plan): Promise<Network> {
        const network = new Network(plan)
        await createChain(network.#memory, network.genesis, network.keys.ledgerSeed)
        return network
    }

    private constructor(plan: Plan) {
        const { seed, parties, parameters, demand, committee: quorum, hazards } = plan
        this.proves = plan.trusting !== true
        this.random = seededRandom(seed)
        const { random } = this
        this.keys = { ledgerSeed: random(32), messageSeed: random(32), vrfSeed: random(32) }
        this.genesis = genesisOf(this.keys, random(32), this.clock.now(), parameters)
        this.parties = Array.from({ length: parties }, (_, at) => {
            return new PartyActor(this, `party ${at + 1}`, {
                signer: seedSigner(random(32)),
                vrfSeed: random(32),
            })
        })
        const wanted = { rounds: 1, intervalMs: 0, ...demand }
        const keys = { signer: seedSigner(random(32)), secret: scalarFromUniform(random(64)) }
        this.requester = new RequesterActor(this, "requester", keys, wanted)
        this.committee = quorum === undefined ? [] : this.#committee(quorum, wanted)
        this.observer = new Actor(this, "observer", () => this.proves)
        this.hazards = hazards
    }

    #committee(quorum: Quorum, demand: Demand): RequesterActor[] {
        const { committee, requesterSeed, members } = dealCommittee(this.chain, quorum, this.random)
        return members.map(({ number, identitySeed, share: secret }) => {
            const requester = number === 1 ? seedSigner(requesterSeed) : undefined
            const keys = {
                signer: seedSigner(identitySeed),
                secret,
                membership: { committee, number, requester },
            }
            return new RequesterActor(this, `member ${number}`, keys, demand)
        })
    }

    get chain(): Uint8Array {
        return chainId(this.genesis)
    }

    get server(): Server {
        if (this.#server === undefined) throw new Error("the server was never started")
        return this.#server
    }

    /** The server's state, which is durable. */
    get state(): ChainState {
        return this.server.chain.state
    }

    get isServing(): boolean {
        return this.#server?.alive === true
    }

    /** Starts the server from what the store holds, and everybody who is not running. */
    async start(...actors: readonly Actor[]): Promise<void> {
        if (!this.isServing) await this.startServer()
        for (const actor of actors.length > 0 ? actors : this.everybody) actor.start()
        await settle()
    }

    get everybody(): readonly Actor[] {
        return [this.observer, ...this.parties, this.requester, ...this.committee]
    }

    async startServer(): Promise<void> {
        this.#memory = this.#memory.reopen()
        this.#server = await Server.start(
            {
                ...{ store: this.#disk(), keys: this.keys, clock: this.clock },
                ...{ random: this.random, limits, requestTimeoutMs, backlog: 1000, pauseMs: 1000 },
                proofs: new ProofPool([ownThread(() => Promise.resolve())]).open(),
                breathe: () => Promise.resolve(),
                onCommit: () => undefined,
                onUnanswered: () => undefined,
                onSkew: (aheadMs, isOff) => this.skews.push({ aheadMs, isOff }),
            },
            (error) => {
                if (error instanceof Error && error.message === "the disk failed") this.crashes += 1
                else this.faults.push(error)
            },
        )
        await settle()
    }

    #disk(): Disk {
        return new Disk({
            ...{ memory: this.#memory, clock: this.clock },
            onKept: (size) => this.checkpointSizes.add(size),
            appendMs: () => this.hazards?.appendMs() ?? 0,
            atAppend: (kinds) => this.#planned(kinds) ?? this.hazards?.atAppend(kinds),
        })
    }

    #planned(kinds: readonly EntryKind[]): Death | undefined {
        const { fault } = this
        if (fault === undefined || !kinds.includes(fault.kind)) return undefined
        this.fault = undefined
        return fault.outcome === "keep" ? "after" : "before"
    }

    killServer(): void {
        this.server.kill()
    }

    /** A channel to the server, or undefined while it is down. */
    dial(by: string): [Channel, Line] | undefined {
        if (!this.isServing) return undefined
        const { hazards, clock } = this
        if (hazards === undefined) {
            const [channel, line] = this.server.dial({})
            return [this.#tapped(channel, by), line]
        }
        const latency = {
            clock,
            get ms() {
                return hazards.latencyMs(by)
            },
        }
        const [channel, line] = this.server.dial({ latency })
        return [
            this.#tapped(
                slowed(channel, clock, () => hazards.pauseMs(by)),
                by,
            ),
            line,
        ]
    }

    /** One request on a connection of its own, by somebody who is no actor here. */
    async ask<R extends RequestType>(type: R, body: Message<R>): Promise<Message<ResponseTo<R>>> {
        const dialled = this.dial("somebody")
        if (dialled === undefined) throw new Error("the server is down")
        const peer = openPeer({
            ...{ channel: dialled[0], side: "dialler", chain: this.chain, handlers: {}, limits },
            ...{ clock: this.clock, requestTimeoutMs, onFault: (error) => this.faults.push(error) },
        })
        try {
            return await peer.request(type, body)
        } finally {
            peer.close(1000, "")
        }
    }

    async run(ms: number): Promise<void> {
        await this.clock.advance(ms)
        await settle()
    }

    /** Lets time pass until `reached`; a scenario that never comes there fails. */
    async until(what: string, reached: () => boolean, mostMs = 120_000): Promise<void> {
        await settle()
        for (let passed = 0; !reached(); passed += 100) {
            if (passed >= mostMs) throw new Error(`waited ${mostMs} ms in vain for ${what}`)
            await this.run(100)
        }
    }

    /** What the store says, crashed or not. */
    head(): Promise<Head> {
        return this.#memory.reopen().head()
    }

    read(from: number, to: number): AsyncIterable<Uint8Array> {
        return this.#memory.reopen().read(from, to)
    }

    async entries(): Promise<Entry[]> {
        return (await this.#stored()).map(decodeEntry)
    }

    async ofKind<K extends EntryKind>(kind: K): Promise<EntryOf<K>[]> {
        const entries = await this.entries()
        return entries.filter((entry): entry is Entry & EntryOf<K> => entry.kind === kind)
    }

    /** The ledger as an operator might copy it to another disk. */
    async backup(): Promise<MemoryStore> {
        const store = this.#memory.reopen()
        const { checkpoint } = await store.head()
        const copy = new MemoryStore()
        await copy.append(await copy.head(), await this.#stored(), checkpoint)
        return copy
    }

    /** The server must be down. */
    restore(backup: MemoryStore): void {
        this.#memory = backup
    }

    async audit(): Promise<Report> {
        const store = this.#memory.reopen()
        const { size, checkpoint } = await store.head()
        return audit({ entries: store.read(0, size), checkpoint, chain: this.chain })
    }

    /** What must hold at every moment: says what does not. */
    async violations(): Promise<string[]> {
        const report = await this.audit()
        const stored = await this.#stored()
        const broken = report.verdicts.filter(({ verdict }) => verdict === "broken")
        const unkept = this.receipts.filter(({ index, leaf }) => {
            const entry = stored[index]
            return entry === undefined || !equalBytes(leafHash(entry), leaf)
        })
        return [
            ...broken.map(({ rule, first }) => `${rule}: ${first?.code ?? ""} at ${first?.index ?? -1}`),
            ...unkept.map(({ index }) => `the entry promised at ${index} is not there`),
            ...this.broken.map(({ receipt }) => `somebody saw the promise at ${receipt.index} broken`),
            ...this.faults.map((fault) => `fault: ${String(fault)}`),
        ]
    }

    async #stored(): Promise<Uint8Array[]> {
        const store = this.#memory.reopen()
        const entries = []
        for await (const entry of store.read(0, (await store.head()).size)) entries.push(entry)
        return entries
    }

    #tapped(channel: Channel, by: string): Channel {
        return {
            send: (bytes) => {
                this.sent.push({ by, frame: decodeFrame(bytes, limits.frameBytes) })
                return channel.send(bytes)
            },
            frames: channel.frames,
            close: (code, reason) => channel.close(code, reason),
            closed: channel.closed,
        }
    }
}

/** The same channel in the hands of somebody who takes that long before each frame. */
function slowed(channel: Channel, clock: ManualClock, pauseMs: () => number): Channel {
    async function* frames(): AsyncGenerator<Uint8Array, void> {
        for await (const frame of channel.frames) {
            const ms = pauseMs()
            if (ms > 0) await clock.sleep(ms)
            yield frame
        }
    }
    return {
        send: (bytes) => channel.send(bytes),
        frames: { [Symbol.asyncIterator]: frames },
        close: (code, reason) => channel.close(code, reason),
        closed: channel.closed,
    }
}
