/** Everybody who is connected to a chain: let in, expected to say hello, and counted until they go. */
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import { closeCodes } from "@tallylight/protocol/ports/channel.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import type { Peer, PeerOptions } from "@tallylight/protocol/wire/peer.js"
import { Conversation } from "./conversation.ts"
import type { Meter } from "./meter.ts"
import type { ServedChain } from "./served-chain.ts"

export type ConnectionLimits = PeerOptions["limits"] & {
    /** For a connection to say hello. */
    readonly helloMs: number
}

type Options = {
    readonly chain: ServedChain
    readonly clock: Clock
    readonly limits: ConnectionLimits
    readonly requestTimeoutMs: number
    readonly meter: Meter | undefined
    readonly onFault: (error: unknown) => void
}

export class Connections {
    readonly #options: Options
    readonly #peers = new Set<Peer>()

    constructor(options: Options) {
        this.#options = options
    }

    get count(): number {
        return this.#peers.size
    }

    /** Requests of all of them that are worked on, or whose answers are not taken. */
    get working(): number {
        return [...this.#peers].reduce((sum, { working }) => sum + working, 0)
    }

    /** Talks to whoever is at the other end until they go; `address` is whom limits per address count it to. */
    async serve(channel: Channel, address?: string): Promise<void> {
        const { chain, clock, limits, requestTimeoutMs, meter, onFault } = this.#options
        const conversation = new Conversation(chain, address)
        const unheard = new AbortController()
        const peer = openPeer({
            ...{ side: "listener", chain: chain.chain, handlers: conversation.handlers },
            channel: tellEnd(meter?.channel(channel) ?? channel, () => unheard.abort()),
            ...{ clock, limits, requestTimeoutMs, onFault },
            onFull: () => meter?.reached("concurrentRequests"),
            onRefusal: (code) => {
                meter?.refused(code)
                if (code === "over-budget") meter?.reached("failures")
            },
        })
        this.#peers.add(peer)
        void this.#expectHello(conversation, peer, unheard.signal)
        await peer.closed
        this.#peers.delete(peer)
        conversation.end(peer)
    }

    /** Says goodbye to everybody. */
    close(reason: string): void {
        for (const peer of this.#peers) peer.close(closeCodes.goingAway, reason)
    }

    /** Of a connection that is being closed, as for want of the subprotocol, `unheard` says that no hello can come. */
    async #expectHello(conversation: Conversation, peer: Peer, unheard: AbortSignal): Promise<void> {
        const { clock, limits, meter } = this.#options
        const late = await clock.sleep(limits.helloMs, unheard).then(
            () => !conversation.greeted,
            () => false,
        )
        if (!late) return
        meter?.reached("helloMs")
        peer.close(closeCodes.policy, "no hello came in time")
    }
}

/** The same channel; `onEnd` is told when nothing more is read from it, which may be long before it is closed. */
function tellEnd(channel: Channel, onEnd: () => void): Channel {
    async function* frames(): AsyncGenerator<Uint8Array, void> {
        try {
            yield* channel.frames
        } finally {
            onEnd()
        }
    }
    return {
        frames: { [Symbol.asyncIterator]: frames },
        closed: channel.closed,
        close: (code, reason) => channel.close(code, reason),
        send: (frame) => channel.send(frame),
    }
}
