/** Whole rounds in one process: every byte encoded, sent, decoded and verified, no socket and no disk. */
import { setImmediate as turn } from "node:timers/promises"
import { vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { scalarFromUniform } from "@tallylight/crypto/scalar.js"
import { systemClock as clock } from "@tallylight/node/system-clock.js"
import { systemRandom as random } from "@tallylight/node/system-random.js"
import { Lottery } from "@tallylight/party/lottery.js"
import { Party } from "@tallylight/party/party.js"
import { Chain } from "@tallylight/pdl/chain/chain.js"
import { pdlConfig } from "@tallylight/pdl/config.js"
import { createChain } from "@tallylight/pdl/ledger/beginning.js"
import { ProofPool } from "@tallylight/pdl/proofs/pool.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"
import { channelPair } from "@tallylight/protocol/ports/channel-pair.js"
import { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { ownThread } from "@tallylight/protocol/ports/verifier.js"
import { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import { Replica } from "@tallylight/protocol/session/replica.js"
import { openSession } from "@tallylight/protocol/session/session.js"
import type { SessionOptions } from "@tallylight/protocol/session/session.js"
import { Commission } from "@tallylight/requester/commission.js"
import { Requester } from "@tallylight/requester/requester.js"
import type { Table } from "./report.ts"
import { chainParameters, partyCount, roundCount, roundTimes } from "./round-times.ts"

const requestTimeoutMs = 30_000
const limits = pdlConfig.parse({ limits: { frameBytes: 1 << 20, concurrentRequests: 256 } }).limits

type Links = Pick<SessionOptions, "role" | "onOpen" | "onSteps"> &
    Partial<Pick<SessionOptions, "signer" | "handlers">> & { readonly proves: (entry: Entry) => boolean }

export async function roundInMemory(): Promise<Table> {
    const server = await Server.start()
    const ended = server.run()
    await Promise.race([startParties(server), server.failed])
    await Promise.race([server.reached(() => server.chain.state.parties.size === partyCount), server.failed])
    await Promise.race([commissionRounds(server), server.failed])
    const rows = roundTimes(await server.entries())
    server.stop()
    await ended
    return {
        name: "round-in-memory",
        says: `${roundCount} rounds of ${partyCount} contributions, everybody in one process on one core`,
        rows,
    }
}

class Server {
    readonly chain: Chain
    readonly failed: Promise<never>
    readonly #fail: (error: unknown) => void
    readonly #stop = new AbortController()
    readonly #watchers: Watchers

    static async start(): Promise<Server> {
        const keys = { ledgerSeed: random(32), messageSeed: random(32), vrfSeed: random(32) }
        const store = new MemoryStore()
        await createChain(store, genesisOf(keys), keys.ledgerSeed)
        const watchers: Watchers = new Set()
        let fail: (error: unknown) => void = () => undefined
        const failed = new Promise<never>((_, reject) => (fail = reject))
        const chain = await Chain.open({
            ...{ store, keys, clock, random, limits, requestTimeoutMs, backlog: 4096, pauseMs: 1000 },
            onSkew: () => undefined,
            proofs: new ProofPool([ownThread(() => turn())]).open(),
            breathe: () => turn(),
            onCommit: () => watchers.forEach((watch) => watch()),
            onUnanswered: (_, __, error) => fail(error),
            onFault: (error) => fail(error),
        })
        return new Server(chain, failed, fail, watchers)
    }

    private constructor(
        chain: Chain,
        failed: Promise<never>,
        fail: (error: unknown) => void,
        watchers: Watchers,
    ) {
        this.chain = chain
        this.failed = failed
        this.#fail = fail
        this.#watchers = watchers
    }

    async run(): Promise<void> {
        await this.chain.run(this.#stop.signal)
    }

    stop(): void {
        this.#stop.abort()
    }

    readonly fail = (error: unknown): void => this.#fail(error)

    /** Resolves once something that a commit brings about is so. */
    async reached(holds: () => boolean): Promise<void> {
        while (!holds()) {
            await new Promise<void>((resolve) => {
                const watch = (): void => {
                    this.#watchers.delete(watch)
                    // The commit that is being told of shows in the state only after this turn.
                    setImmediate(resolve)
                }
                this.#watchers.add(watch)
            })
        }
    }

    async connect({ proves, ...links }: Links): Promise<void> {
        const [near, far] = channelPair()
        void this.chain.serve(far)
        const replica = new Replica({ chain: this.chain.chain, proves })
        const channel = { channel: near, chain: this.chain.chain, replica }
        await openSession({ ...links, ...channel, clock, random, requestTimeoutMs, onFault: this.#fail })
    }

    async entries(): Promise<Entry[]> {
        return (await this.chain.entries(0, this.chain.head.size)).map(decodeEntry)
    }
}

type Watchers = Set<() => void>

/** Each on a connection of its own, as when each is run by somebody else. */
async function startParties(server: Server): Promise<void> {
    for (let number = 0; number < partyCount; number++) {
        const keys = { signer: seedSigner(random(32)), vrfSeed: random(32) }
        const party = new Party(keys, new MemoryNotebook(), random)
        const receipts = new ReceiptBook(server.chain.chain)
        let lottery: Lottery | undefined
        await server.connect({
            role: "party",
            proves: ({ kind }) => kind === "genesis" || kind === "ticket",
            onOpen: () => undefined,
            onSteps: (steps, session) => {
                const [first] = steps
                if (first === undefined) return
                lottery ??= new Lottery([party], session, first.after, clock, receipts, {
                    onRegistered: () => undefined,
                    onBarred: () => undefined,
                    onAnswered: () => undefined,
                    onRefused: (_, __, error) => server.fail(error),
                    onBrokenPromise: () => server.fail(new Error("a receipt was broken")),
                    beforeActing: () => Promise.resolve(),
                    onFault: server.fail,
                })
                lottery.take(steps)
            },
        })
    }
}

/** Resolves after the last of the rounds. */
async function commissionRounds(server: Server): Promise<void> {
    const signer: Signer = seedSigner(random(32))
    const requester = new Requester(
        { signer, secret: scalarFromUniform(random(64)) },
        new MemoryNotebook(),
        random,
    )
    await new Promise<void>((resolve, reject) => {
        const commission: Commission = new Commission(
            requester,
            { rounds: roundCount, intervalMs: 0 },
            clock,
            new ReceiptBook(server.chain.chain),
            {
                onRegistered: () => undefined,
                onRequested: () => undefined,
                onOpened: () => undefined,
                onBeacon: () => {
                    if (commission.done) resolve()
                },
                onRefused: (_, error) => reject(error),
                onBrokenPromise: () => reject(new Error("a receipt was broken")),
                beforeActing: () => Promise.resolve(),
                onFault: server.fail,
            },
        )
        server
            .connect({
                ...{ role: "requester", signer, proves: () => true },
                handlers: { ReqDecryption: (asked) => commission.open(asked, requestTimeoutMs) },
                onOpen: (session) => commission.attach(session),
                onSteps: (steps) => commission.take(steps),
            })
            .catch(reject)
    })
}

function genesisOf(keys: { ledgerSeed: Uint8Array; messageSeed: Uint8Array; vrfSeed: Uint8Array }): Genesis {
    return {
        ...{ kind: "genesis", time: clock.now(), version: 1, name: "bench", salt: random(32) },
        ledgerKey: seedSigner(keys.ledgerSeed).publicKey,
        messageKey: seedSigner(keys.messageSeed).publicKey,
        vrfKey: vrfPublicKey(keys.vrfSeed),
        ...{ origin: "tallylight.example/bench", witnesses: [], quorum: 0 },
        parameters: { ...chainParameters, admission: "open", operatorKey: new Uint8Array(32) },
    }
}
