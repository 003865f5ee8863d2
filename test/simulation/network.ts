/**
 * A whole network in one process: a ledger server, parties, a requester and an observer over in-memory twins of
 * every port. Time stands still between calls of `run`, and everything that chance decides comes from one seed, so
 * a scenario is the same every time.
 */
import { equalBytes, toHex } from "@tallylight/crypto/bytes.js"
import { vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { ed25519PublicKey } from "@tallylight/crypto/ed25519.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { scalarFromUniform } from "@tallylight/crypto/scalar.js"
import type { Scalar } from "@tallylight/crypto/scalar.js"
import { Lottery } from "@tallylight/party/lottery.js"
import { Party } from "@tallylight/party/party.js"
import type { PartyKeys } from "@tallylight/party/party.js"
import { Chain, createChain } from "@tallylight/pdl/chain.js"
import type { ChainKeys, ChainOptions } from "@tallylight/pdl/chain.js"
import { chainId } from "@tallylight/protocol/chain/genesis.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry, EntryKind, EntryOf, Parameters } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState, Genesis } from "@tallylight/protocol/ledger/state.js"
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import { channelPair } from "@tallylight/protocol/ports/channel-pair.js"
import type { Line } from "@tallylight/protocol/ports/channel-pair.js"
import type { Random } from "@tallylight/protocol/ports/clock.js"
import type { Head, LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { sealedRound } from "@tallylight/protocol/round/phase.js"
import { openTally } from "@tallylight/protocol/round/share.js"
import { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import type { BrokenPromise } from "@tallylight/protocol/session/receipts.js"
import { Replica } from "@tallylight/protocol/session/replica.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import { openSession } from "@tallylight/protocol/session/session.js"
import type { Session, SessionOptions } from "@tallylight/protocol/session/session.js"
import { LedgerTime } from "@tallylight/protocol/session/skew.js"
import type { Skew } from "@tallylight/protocol/session/skew.js"
import { audit } from "@tallylight/protocol/verify/audit.js"
import type { Report } from "@tallylight/protocol/verify/audit.js"
import { decodeFrame } from "@tallylight/protocol/wire/frame.js"
import type { Frame } from "@tallylight/protocol/wire/frame.js"
import type { Message, Receipt, RequestType, ResponseTo } from "@tallylight/protocol/wire/messages.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"
import { Commission } from "@tallylight/requester/commission.js"
import type { Demand } from "@tallylight/requester/commission.js"
import { Requester } from "@tallylight/requester/requester.js"

export const windowMs = 10_000
const requestTimeoutMs = 5000
const reconnectMs = 250
const limits = { frameBytes: 1 << 20, concurrentRequests: 64, failures: { burst: 64, perMinute: 60 } }

export type Plan = {
    readonly seed: string
    readonly parties: number
    readonly parameters?: Partial<Parameters>
    readonly demand?: Partial<Demand>
}

/** What an append of the ledger server does at the next entry of that kind. */
export type Fault = { readonly kind: EntryKind; readonly outcome: "keep" | "lose" }

/** The store of one life of the ledger server; `fault` outlives it. */
class FaultyStore implements LedgerStore {
    readonly #memory: MemoryStore
    readonly #network: Network

    constructor(memory: MemoryStore, network: Network) {
        this.#memory = memory
        this.#network = network
    }

    head(): Promise<Head> {
        return this.#memory.head()
    }

    append(expected: Head, entries: readonly Uint8Array[], checkpoint: string): Promise<Head> {
        const { fault } = this.#network
        if (fault !== undefined && entries.some((entry) => decodeEntry(entry).kind === fault.kind)) {
            this.#network.fault = undefined
            if (fault.outcome === "keep") this.#memory.failButKeep()
            else this.#memory.failAndLose()
        }
        return this.#memory.append(expected, entries, checkpoint)
    }

    read(from: number, to: number): AsyncIterable<Uint8Array> {
        return this.#memory.read(from, to)
    }

    close(): Promise<void> {
        return this.#memory.close()
    }
}

/** One life of the ledger server. */
class Server {
    readonly chain: Chain
    readonly #lines = new Set<Line>()
    readonly #stop = new AbortController()
    #dead = false

    static async start(options: Omit<ChainOptions, "onFault">, onCrash: (error: unknown) => void) {
        const held: { server?: Server } = {}
        const chain = await Chain.open({
            ...options,
            onFault: (error) => {
                if (held.server?.alive === false) return
                held.server?.kill()
                onCrash(error)
            },
        })
        held.server = new Server(chain)
        return held.server
    }

    private constructor(chain: Chain) {
        this.chain = chain
        void chain.run(this.#stop.signal)
    }

    get alive(): boolean {
        return !this.#dead
    }

    dial(): [Channel, Line] {
        const [near, far, line] = channelPair()
        this.#lines.add(line)
        void this.chain.serve(far).then(() => this.#lines.delete(line))
        return [near, line]
    }

    /** As kill -9 does: nobody is told anything more. */
    kill(): void {
        this.#dead = true
        for (const line of this.#lines) line.cut()
        this.#stop.abort()
    }
}

export type Sent = { readonly by: string; readonly frame: Frame }

export class Network {
    /** The ledger server's; everybody else has one of their own that goes with it. */
    readonly clock = new ManualClock(1_800_000_000_000)
    readonly random: Random
    readonly keys: ChainKeys
    readonly genesis: Genesis
    readonly parties: readonly PartyActor[]
    readonly requester: RequesterActor
    readonly observer: Actor
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

    private constructor({ seed, parties, parameters, demand }: Plan) {
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
        const own = { signer: seedSigner(random(32)), secret: scalarFromUniform(random(64)) }
        this.requester = new RequesterActor(this, own, { rounds: 1, intervalMs: 0, ...demand })
        this.observer = new Actor(this, "observer", () => true)
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
        return [this.observer, ...this.parties, this.requester]
    }

    async startServer(): Promise<void> {
        this.#memory = this.#memory.reopen()
        this.#server = await Server.start(
            {
                ...{ store: new FaultyStore(this.#memory, this), keys: this.keys, clock: this.clock },
                ...{ random: this.random, limits, requestTimeoutMs, backlog: 1000, pauseMs: 1000 },
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

    killServer(): void {
        this.server.kill()
    }

    /** A channel to the server, or undefined while it is down. */
    dial(by: string): [Channel, Line] | undefined {
        if (!this.isServing) return undefined
        const [channel, line] = this.server.dial()
        return [this.#tapped(channel, by), line]
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

    /** What the store holds, crashed or not. */
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

type Links = Partial<
    Pick<SessionOptions, "role" | "signer" | "handlers" | "onOpen" | "onSteps" | "onVerdict">
>

/** Somebody who follows the ledger, and connects again when the connection is gone. */
export class Actor {
    readonly name: string
    replica: Replica | undefined
    readonly clock: ManualClock
    /** What it was told of its clock and the ledger's. */
    readonly skews: Skew[] = []
    protected readonly network: Network
    readonly #proves: (entry: Entry) => boolean
    #life: AbortController | undefined
    #line: Line | undefined
    #seen: { readonly size: number; readonly root: Uint8Array } | undefined

    constructor(network: Network, name: string, proves: (entry: Entry) => boolean) {
        this.network = network
        this.clock = network.clock.ofAnotherMachine()
        this.name = name
        this.#proves = proves
    }

    get state(): ChainState | undefined {
        return this.replica?.state
    }

    /** A process over what the last one left behind. */
    start(): void {
        if (this.#life !== undefined) return
        const life = new AbortController()
        this.#life = life
        const seen = this.#seen
        const replica = new Replica({
            chain: this.network.chain,
            proves: this.#proves,
            ...(seen && { seen }),
        })
        this.replica = replica
        this.#follow(life.signal, replica).catch((error: unknown) => this.fault(error))
    }

    /** As kill -9 does. */
    kill(): void {
        this.#life?.abort()
        this.#life = undefined
        this.#line?.cut()
    }

    restart(): void {
        this.kill()
        this.start()
    }

    /** Loses what it knew of the ledger, but not its other notes. */
    forgetLedger(): void {
        this.#seen = undefined
    }

    /** What a new process does in its sessions. */
    protected links(_replica: Replica): Links {
        return {}
    }

    protected fault(error: unknown): void {
        this.network.faults.push(error)
    }

    protected keep(receipt: Receipt): void {
        this.network.receipts.push(receipt)
    }

    protected readonly events = {
        onBrokenPromise: (broken: BrokenPromise) => this.network.broken.push(broken),
        beforeActing: () => {
            this.#seen = this.replica?.checkpoint
            return Promise.resolve()
        },
        onFault: (error: unknown) => this.fault(error),
    }

    async #follow(life: AbortSignal, replica: Replica): Promise<void> {
        const links = this.links(replica)
        const time = new LedgerTime(this.clock, (skew) => this.skews.push(skew))
        void this.#watchClock(time, life)
        while (!life.aborted) {
            const session = await this.#connect(replica, links, time)
            if (session === undefined) await this.clock.sleep(reconnectMs, life).catch(() => undefined)
            else {
                const { breach } = await session.ended
                if (breach !== undefined) throw breach
            }
        }
    }

    async #watchClock(time: LedgerTime, life: AbortSignal): Promise<void> {
        while (!life.aborted) {
            await this.clock.sleep(1000, life).catch(() => undefined)
            time.look()
        }
    }

    async #connect(replica: Replica, links: Links, time: LedgerTime): Promise<Session | undefined> {
        const { network } = this
        const dialled = network.dial(this.name)
        if (dialled === undefined) return undefined
        const [channel, line] = dialled
        this.#line = line
        try {
            return await openSession({
                role: "observer",
                ...links,
                onOpen: (session) => {
                    time.greeted(session)
                    links.onOpen?.(session)
                },
                onSteps: (steps, session) => {
                    for (const { entry } of steps.slice(-1)) time.dated(entry.time)
                    links.onSteps?.(steps, session)
                },
                ...{ channel, chain: network.chain, replica, clock: this.clock },
                ...{ random: network.random, requestTimeoutMs, onFault: (error) => this.fault(error) },
            })
        } catch (error) {
            // A ledger that is shorter than the one that was seen is no reason to try again.
            if (error instanceof Refusal || (error instanceof PeerRefused && error.action !== "wait"))
                throw error
            return undefined
        }
    }
}

export class PartyActor extends Actor {
    readonly keys: PartyKeys
    readonly notebook = new MemoryNotebook()

    constructor(network: Network, name: string, keys: PartyKeys) {
        super(network, name, ({ kind }) => kind === "genesis" || kind === "ticket")
        this.keys = keys
    }

    protected override links(replica: Replica): Links {
        const { network, events } = this
        const party = new Party(this.keys, this.notebook, network.random)
        let lottery: Lottery | undefined
        const receipts = new ReceiptBook(network.chain)
        const lotteryOf = (session: Session, state: ChainState): Lottery =>
            new Lottery([party], session, state, this.clock, receipts, {
                ...events,
                onRegistered: (_, receipt) => this.keep(receipt),
                onBarred: (_, removed) =>
                    network.barred.push(`${this.name}: ${removed ? "removed" : "not admitted"}`),
                onAnswered: (_, __, ___, receipt) => this.keep(receipt),
                onRefused: (_, what, { code }) => network.refused.push(`${this.name}, ${what}: ${code}`),
            })
        return {
            role: "party",
            onOpen: (session) => {
                lottery = replica.state && lotteryOf(session, replica.state)
                lottery?.act()
            },
            onSteps: (steps: readonly Step[], session) => {
                const [first] = steps
                if (first === undefined) return
                lottery ??= lotteryOf(session, first.after)
                lottery.take(steps)
            },
        }
    }
}

export class RequesterActor extends Actor {
    readonly signer: Signer
    readonly secret: Scalar
    readonly notebook = new MemoryNotebook()
    demand: Demand
    /** How many shares it will sign whose proofs do not hold. */
    lies = 0
    readonly opened: number[] = []
    readonly beacons: EntryOf<"beacon">[] = []

    constructor(
        network: Network,
        keys: { readonly signer: Signer; readonly secret: Scalar },
        demand: Demand,
    ) {
        super(network, "requester", () => true)
        this.signer = keys.signer
        this.secret = keys.secret
        this.demand = demand
    }

    protected override links(): Links {
        const { network, events, signer, secret } = this
        const requester = new Requester({ signer, secret }, this.notebook, network.random)
        const receipts = new ReceiptBook(network.chain)
        const commission = new Commission(requester, this.demand, this.clock, receipts, {
            ...events,
            onRegistered: (receipt) => this.keep(receipt),
            onRequested: (receipt) => this.keep(receipt),
            onOpened: (round) => this.opened.push(round),
            onBeacon: (beacon) => this.beacons.push(beacon),
            onRefused: (what, { code }) => network.refused.push(`${this.name}, ${what}: ${code}`),
        })
        return {
            role: "requester",
            signer,
            handlers: {
                ReqDecryption: async (asked) => {
                    const honest = await commission.open(asked, requestTimeoutMs)
                    return this.lies > 0 ? this.#wrong(honest) : honest
                },
            },
            onOpen: (session) => commission.attach(session),
            onSteps: (steps) => commission.take(steps),
            onVerdict: (_, verdict) => {
                if (!("index" in verdict)) {
                    network.refused.push(`${this.name}, share: ${verdict.code}`)
                    return
                }
                this.keep(verdict)
                commission.keep(verdict)
            },
        }
    }

    #wrong(honest: Message<"RespDecryption">): Message<"RespDecryption"> {
        this.lies -= 1
        const { state } = this
        const current = state?.current
        if (state === undefined || current === undefined) throw new Error("nothing is sealed")
        const { signer, secret } = this
        const own = { member: honest.member, signer, secret: secret + 1n, random: this.network.random(32) }
        const share = openTally(state.chain, sealedRound(state, current.round), own)
        return { ...honest, ...share }
    }
}

function genesisOf(
    keys: ChainKeys,
    salt: Uint8Array,
    time: number,
    parameters: Partial<Parameters> = {},
): Genesis {
    return {
        ...{ kind: "genesis", time, version: 1, name: "simulation", salt },
        ledgerKey: ed25519PublicKey(keys.ledgerSeed),
        messageKey: ed25519PublicKey(keys.messageSeed),
        vrfKey: vrfPublicKey(keys.vrfSeed),
        origin: `tallylight.example/${toHex(salt.slice(0, 4))}`,
        witnesses: [],
        quorum: 0,
        parameters: {
            ...{ expectedContributors: 2, minimumContributors: 1, queueLength: 8, registrationRounds: 50 },
            ...{ contributionWindowMs: windowMs, decryptionWindowMs: windowMs, everyoneAnswers: true },
            ...{ admission: "open", operatorKey: new Uint8Array(32), ...parameters },
        },
    }
}
