/** How long plain HTTP may take, and how much of it one address gets. */
import type { Server } from "node:http"
import type { Socket } from "node:net"
import { Server as TlsServer } from "node:tls"
import rateLimit from "@fastify/rate-limit"
import type { FastifyInstance } from "fastify"
import { ReadRefusal } from "../http/failure.ts"
import type { ClientAddresses } from "./client-address.ts"

export type HttpLimits = {
    /** For a whole request to arrive, and for a part of its answer to be taken. */
    readonly httpRequestMs: number
    /** From one request to the next of the same connection. */
    readonly httpIdleMs: number
    readonly httpRequestsPerSecond: number
}

/** For routes that read from the disk. */
export const expensive = { config: { rateLimit: {} } } as const

/** Against whoever sends a request, or takes its answer, a byte at a time. A WebSocket has limits of its own. */
export function patience({ httpRequestMs, httpIdleMs }: HttpLimits) {
    return {
        requestTimeout: httpRequestMs,
        // Of a socket on which nothing moves: Node resets it with every byte that is taken.
        connectionTimeout: httpRequestMs,
        keepAliveTimeout: httpIdleMs,
        maxRequestsPerSocket: 1000,
        http: {
            headersTimeout: httpRequestMs,
            connectionsCheckingInterval: Math.ceil(httpRequestMs / 4),
        },
    }
}

/** What Node says where a request, or the handshake of TLS before it, did not come to its end. */
const unfinished = ["ERR_HTTP_REQUEST_TIMEOUT", "ERR_TLS_HANDSHAKE_TIMEOUT"]

/** Tells which of the two it was that ended a connection. */
export function countTimeouts(server: Server, onLimit: (limit: keyof HttpLimits) => void): void {
    /** A busy process sees two limits passed at once, and both end the connection. */
    const counted = new WeakSet<Socket>()
    const count = (socket: Socket, limit: keyof HttpLimits): void => {
        if (!counted.has(socket)) onLimit(limit)
        counted.add(socket)
    }
    /** Requests of a connection whose answers are not taken: several may come at once. */
    const waiting = new WeakMap<Socket, number>()
    /** How much had been read of a connection when nothing was left to answer. */
    const answered = new WeakMap<Socket, number>()
    server.on("request", ({ socket }, response) => {
        const add = (count: 1 | -1): number => {
            const sum = (waiting.get(socket) ?? 0) + count
            waiting.set(socket, sum)
            return sum
        }
        add(1)
        response.once("finish", () => {
            if (add(-1) === 0) answered.set(socket, socket.bytesRead)
        })
    })
    // Of TLS, Node watches what is inside, and not the connection that carries it.
    server.on(server instanceof TlsServer ? "secureConnection" : "connection", (socket: Socket) => {
        socket.on("timeout", () => {
            // From the first byte of a request on it is the request that takes too long.
            count(socket, answered.get(socket) === socket.bytesRead ? "httpIdleMs" : "httpRequestMs")
        })
    })
    server.on("clientError", ({ code }: NodeJS.ErrnoException, socket: Socket) => {
        if (code !== undefined && unfinished.includes(code)) count(socket, "httpRequestMs")
    })
}

/** Before the routes are added: those that are `expensive` get the limit. */
export async function limitRate(
    http: FastifyInstance,
    { httpRequestsPerSecond }: HttpLimits,
    addresses: ClientAddresses,
    onLimit: (limit: keyof HttpLimits) => void,
): Promise<void> {
    await http.register(rateLimit, {
        global: false,
        max: httpRequestsPerSecond,
        timeWindow: 1000,
        cache: 65_536,
        allowList: ({ raw }) => addresses.of(raw) === undefined,
        keyGenerator: ({ raw }) => addresses.of(raw) ?? "",
        onExceeded: () => onLimit("httpRequestsPerSecond"),
        errorResponseBuilder: () =>
            new ReadRefusal(
                "rate-limited",
                `One address gets ${httpRequestsPerSecond} answers a second from the disk; ask again in a second.`,
                { limit: "httpRequestsPerSecond" },
            ),
    })
}
