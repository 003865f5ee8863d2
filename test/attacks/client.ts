/** A scripted client on a real WebSocket: follows the ledger as the apps do, and sends whatever it is told to. */
import type { ChainAddress } from "@tallylight/node/chain-address.js"
import { findChain } from "@tallylight/node/find-chain.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { connectWebSocket } from "@tallylight/node/ws-connect.js"
import type { Role } from "@tallylight/protocol/chain/hello.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import { Bell } from "@tallylight/protocol/session/bell.js"
import { Replica } from "@tallylight/protocol/session/replica.js"
import { openSession } from "@tallylight/protocol/session/session.js"
import type { Message, Receipt, RequestType, ResponseTo } from "@tallylight/protocol/wire/messages.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import type { Handlers, Peer } from "@tallylight/protocol/wire/peer.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"

const limits = { frameBytes: 1024 * 1024, bufferedBytes: 1024 * 1024, stalledMs: 30_000, heartbeatMs: 30_000 }
const requestTimeoutMs = 20_000
const never = new AbortController().signal

export function chainAt(url: string): Promise<ChainAddress> {
    return findChain({ url }, never)
}

export function dial({ socket }: ChainAddress): Promise<Channel> {
    return connectWebSocket(socket, limits, systemClock, { signal: never })
}

/** The code with which it was refused, here or there, or “accepted”. */
export async function outcomeOf(action: Promise<unknown> | (() => unknown)): Promise<string> {
    try {
        await (typeof action === "function" ? action() : action)
        return "accepted"
    } catch (error) {
        if (error instanceof Refusal || error instanceof PeerRefused) return error.code
        throw error
    }
}

/** A connection that follows nothing and says nothing by itself. */
export class Stranger {
    readonly peer: Peer

    static async dial(address: ChainAddress, handlers: Handlers = {}): Promise<Stranger> {
        const stranger = new Stranger(await dial(address), address.id, handlers)
        await stranger.ask("ReqHello", {
            ...{ versions: [1], role: "observer", nonce: systemRandom(32) },
            ...{ identity: null, answering: null, signature: null },
        })
        return stranger
    }

    private constructor(channel: Channel, chain: Uint8Array, handlers: Handlers) {
        this.peer = openPeer({
            ...{ channel, side: "dialler", chain, handlers, requestTimeoutMs, clock: systemClock },
            limits: { ...limits, concurrentRequests: 64, failures: { burst: 64, perMinute: 64 } },
            onNotice: () => Promise.resolve(),
            onFault: (error) => {
                throw error
            },
        })
    }

    ask<R extends RequestType>(type: R, body: Message<R>): Promise<Message<ResponseTo<R>>> {
        return this.peer.request(type, body)
    }

    outcome<R extends RequestType>(type: R, body: Message<R>): Promise<string> {
        return outcomeOf(this.ask(type, body))
    }

    close(): void {
        this.peer.close(1000, "")
    }
}

type Seat = {
    readonly role: Role
    readonly signer: Signer
    readonly handlers: Handlers
    /** The PDL's word on what was answered to its question of that id. */
    readonly onVerdict: (id: number, verdict: Receipt | Message<"RespError">) => void
}

/** Somebody who follows the ledger. Proofs are left to the audit at the end of each stage. */
export class Follower {
    readonly entries: Entry[] = []
    readonly #replica: Replica
    readonly #moved = new Bell()
    #hangUp: () => void = () => undefined

    static async connect(address: ChainAddress, seat?: Seat): Promise<Follower> {
        const follower = new Follower(address.id)
        const session = await openSession({
            ...{ channel: await dial(address), chain: address.id, replica: follower.#replica },
            ...{ role: "observer", clock: systemClock, random: systemRandom, requestTimeoutMs },
            onOpen: () => undefined,
            onSteps: (steps) => {
                follower.entries.push(...steps.map(({ entry }) => entry))
                follower.#moved.ring()
            },
            onFault: (error) => {
                throw error
            },
            ...(seat && {
                ...seat,
            }),
        })
        follower.#hangUp = () => session.peer.close(1000, "")
        await follower.until("the head", () => follower.#replica.next >= session.size)
        return follower
    }

    private constructor(chain: Uint8Array) {
        this.#replica = new Replica({ chain, proves: () => false })
    }

    get state(): ChainState {
        const { state } = this.#replica
        if (state === undefined) throw new Error("no checkpoint has covered anything yet")
        return state
    }

    /** The first value that `look` finds, now or once the ledger has grown. */
    async until<T>(what: string, look: () => T | false | undefined, mostMs = 30_000): Promise<T> {
        const deadline = systemClock.elapsed() + mostMs
        for (;;) {
            const found = look()
            if (found !== undefined && found !== false) return found
            const late = new AbortController()
            const tooLate = systemClock.sleep(deadline - systemClock.elapsed(), late.signal).then(
                () => true,
                () => false,
            )
            const over = await Promise.race([this.#moved.heard().then(() => false), tooLate])
            late.abort()
            if (over) throw new Error(`waited ${mostMs} ms in vain for ${what}`)
        }
    }

    /** Until a round that is asked for from now on has its beacon. */
    async nextBeacon(): Promise<void> {
        const { rounds } = this.state
        const done = () => this.entries.some((entry) => entry.kind === "beacon" && entry.round > rounds)
        await this.until("the honest parties' next beacon", done, 120_000)
    }

    close(): void {
        this.#hangUp()
    }
}
