/** How long plain HTTP may take, and how much of it one address gets. */
import type { Server } from "node:http"
import type { Socket } from "node:net"
import rateLimit from "@fastify/rate-limit"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import type { FastifyInstance } from "fastify"
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

/** Tells which of the two it was that ended a connection. */
export function countTimeouts(
    server: Server,
    { httpRequestMs }: HttpLimits,
    onLimit: (limit: keyof HttpLimits) => void,
): void {
    server.on("connection", (socket: Socket) => {
        socket.on("timeout", () => onLimit(socket.timeout === httpRequestMs ? "httpRequestMs" : "httpIdleMs"))
    })
    server.on("clientError", (error: NodeJS.ErrnoException) => {
        if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") onLimit("httpRequestMs")
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
        errorResponseBuilder: () => new Refusal("rate-limited", { limit: "httpRequestsPerSecond" }),
    })
}
