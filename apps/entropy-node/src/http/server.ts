/** One HTTP server of a serving process: plain, with TLS, or on a Unix socket. */
import { createServer } from "node:http"
import type { ServerHttp2Session } from "node:http2"
import type { Socket } from "node:net"
import type { Credentials } from "@tallylight/node/tls-files.js"
import { fastify } from "fastify"
import type { FastifyInstance } from "fastify"
import type { Door } from "./caller.ts"
import { inTurn } from "./pipelining.ts"
import type { Listener } from "./pipelining.ts"
import { answerRandom, isRandom } from "./random.ts"
import { addRoutes } from "./routes.ts"
import { addRules, refuser } from "./rules.ts"
import { secureServer } from "./secure-server.ts"
import type { Serving } from "./serving.ts"

/** Adds what is not every process's own: plugins themselves, or their routes in a worker. */
export type OtherRoutes = (server: FastifyInstance, door: Door) => void

/** Without a port: what it answers is asked with `inject`, or by what listening.ts opens. */
export async function makeServer(
    serving: Serving,
    door: Door,
    others: OtherRoutes,
    credentials?: Credentials,
): Promise<{ readonly http: FastifyInstance; readonly close: () => Promise<void> }> {
    const { limits, clock } = serving
    const refuse = refuser(serving)
    const open = new Set<Socket | ServerHttp2Session>()
    const keep = (connection: Socket | ServerHttp2Session): void => {
        open.add(connection)
        connection.once("close", () => open.delete(connection))
    }
    const http = fastify({
        bodyLimit: 64 * 1024,
        routerOptions: { maxParamLength: 256 },
        // What is wrong before a route is found, such as an encoding, is answered like everything else.
        frameworkErrors: (error, _, reply) => void refuse(error, reply),
        serverFactory(routed: Listener) {
            // Through Fastify's router and hooks the same answer costs this process 1.7 times as much at 64 bytes, and
            // as much at 1 MiB.
            const answer = inTurn((request, response) => {
                if (isRandom(request)) answerRandom(serving, door, request, response)
                else routed(request, response)
            })
            const server =
                credentials === undefined ? createServer(answer) : secureServer(answer, credentials, serving)
            server.on("connection", keep)
            server.on("session", keep)
            serving.connections.watch(server)
            server.requestTimeout = limits.requestMs
            server.headersTimeout = limits.requestMs
            // How often Node looks whether those two have passed: every 30 seconds if nobody says so.
            Object.assign(server, { connectionsCheckingInterval: Math.ceil(limits.requestMs / 4) })
            server.keepAliveTimeout = limits.idleMs
            // Of a socket on which nothing moves: Node resets it with every byte that is taken. For HTTP/2 see http2-limits.ts.
            server.setTimeout(limits.requestMs)
            return server
        },
    })
    addRules(http, serving, door, refuse)
    await addRoutes(http, serving, door)
    others(http, door)
    await http.ready()
    const close = async (): Promise<void> => {
        for (const connection of open) if ("goaway" in connection) connection.close()
        const grace = new AbortController()
        const cut = clock.sleep(limits.stopMs, grace.signal).then(
            () => open.forEach((connection) => connection.destroy()),
            () => undefined,
        )
        await http.close()
        grace.abort()
        await cut
    }
    return { http, close }
}
