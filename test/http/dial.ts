/** Clients of a served chain, from whichever address a trusted proxy says that they have. */
import { once } from "node:events"
import { connect } from "node:net"
import type { Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { fromHex } from "@tallylight/crypto/bytes.js"
import { systemClock as clock } from "@tallylight/node/system-clock.js"
import { wsChannel } from "@tallylight/node/ws-channel.js"
import { subprotocol, webSocketOptions } from "@tallylight/node/ws-options.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import type { Handlers, Peer } from "@tallylight/protocol/wire/peer.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"
import { WebSocket } from "ws"
import type { Serving } from "./serving.ts"

const limits = {
    ...{ frameBytes: 1 << 20, concurrentRequests: 64, failures: { burst: 64, perMinute: 60 } },
    ...{ bufferedBytes: 1 << 20, stalledMs: 30_000, heartbeatMs: 30_000 },
}

/** An open WebSocket, or the HTTP status with which it was turned away. */
export async function knock({ url, id }: Serving, forwardedFor?: string): Promise<WebSocket | number> {
    const headers = forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor }
    const target = `${url.replace("http", "ws")}/v1/chains/${id}/socket`
    const socket = new WebSocket(target, [subprotocol], { ...webSocketOptions(limits), headers })
    return new Promise((resolve, reject) => {
        socket.once("open", () => resolve(socket))
        socket.once("unexpected-response", (request, { statusCode = 0 }) => {
            request.destroy()
            resolve(statusCode)
        })
        socket.on("error", reject)
    })
}

export async function open(server: Serving, forwardedFor?: string): Promise<WebSocket> {
    const socket = await knock(server, forwardedFor)
    if (typeof socket === "number") throw new Error(`turned away with ${socket}`)
    return socket
}

/** A peer that has said nothing yet. */
export async function dial(server: Serving, forwardedFor?: string, handlers: Handlers = {}): Promise<Peer> {
    const channel = wsChannel(await open(server, forwardedFor), limits, clock)
    return openPeer({
        ...{ channel, side: "dialler", chain: fromHex(server.id), handlers, limits, clock },
        ...{ requestTimeoutMs: 30_000, onNotice: () => Promise.resolve() },
        onFault: (error) => {
            throw error
        },
    })
}

export const anonymousHello = {
    ...({ versions: [1], role: "observer" } as const),
    ...{ nonce: new Uint8Array(32) },
    ...{ identity: null, answering: null, signature: null },
} as const

/** "accepted", or the code and facts of the refusal. */
export async function outcome(asked: Promise<unknown>): Promise<string> {
    try {
        await asked
        return "accepted"
    } catch (error) {
        if (!(error instanceof PeerRefused)) throw error
        return [error.code, error.facts.limit].filter((part) => part !== undefined).join(" ")
    }
}

/** A bare connection, open or cut off already; what the server sends on it is read and dropped. */
export async function connectTo({ url }: Serving): Promise<Socket> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.on("error", () => undefined).resume()
    await Promise.race([once(socket, "connect"), once(socket, "close")]).catch(() => undefined)
    return socket
}

/** The same through TLS, where the server speaks it. */
export async function secureTo(server: Serving): Promise<Socket> {
    const plain = await connectTo(server)
    if (server.url.startsWith("http:")) return plain
    const socket = connectTls({ socket: plain, rejectUnauthorized: false })
    socket.on("error", () => undefined).resume()
    await once(socket, "secureConnect")
    return socket
}

export async function cutOff(socket: Socket): Promise<void> {
    if (!socket.closed) await once(socket, "close")
}
