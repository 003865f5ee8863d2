/** One HTTP server of a serving process: plain, with TLS, or on a Unix socket. */
import { chmod, lstat, mkdtemp, rename, rm, rmdir } from "node:fs/promises"
import { createServer } from "node:http"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import { createSecureServer } from "node:http2"
import type { ServerHttp2Session } from "node:http2"
import { connect } from "node:net"
import type { Socket } from "node:net"
import { join } from "node:path"
import { DEFAULT_CIPHERS } from "node:tls"
import type { Credentials } from "@tallylight/node/tls-files.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"
import { fastify } from "fastify"
import type { FastifyInstance } from "fastify"
import type { Door } from "./caller.ts"
import { answerRandom, isRandom } from "./random.ts"
import { addRoutes } from "./routes.ts"
import { addRules, refuser } from "./rules.ts"
import type { Serving } from "./serving.ts"
import type { HttpSettings } from "./settings.ts"

/** Adds what is not every process's own: plugins themselves, or their routes in a worker. */
export type OtherRoutes = (server: FastifyInstance, door: Door) => void

/** Without a port: what it answers is asked with `inject`, or by {@link listen}. */
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
                credentials === undefined ? createServer(answer) : secureServer(answer, credentials)
            server.on("connection", keep)
            server.on("session", keep)
            server.maxConnections = limits.connections
            server.requestTimeout = limits.requestMs
            server.headersTimeout = limits.requestMs
            // How often Node looks whether those two have passed: every 30 seconds if nobody says so.
            Object.assign(server, { connectionsCheckingInterval: Math.ceil(limits.requestMs / 4) })
            server.keepAliveTimeout = limits.idleMs
            // Of a socket on which nothing moves: Node resets it with every byte that is taken.
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

type Listener = (request: IncomingMessage, response: ServerResponse) => void

/**
 * Requests that come before the answer to the one before (pipelining, RFC 9112 §9.3.2) wait for it. Node would let all
 * be answered at once, and keep the answers: a thousand fit into one packet, and each may be for a mebibyte.
 */
function inTurn(answer: Listener): Listener {
    const answering = new WeakMap<Socket, ServerResponse>()
    return (request, response) => {
        // Streams of HTTP/2 are bounded in number, and each has a window of its own.
        if (request.httpVersionMajor !== 1) {
            answer(request, response)
            return
        }
        const { socket } = request
        const before = answering.get(socket)
        answering.set(socket, response)
        if (before === undefined || before.closed) answer(request, response)
        else
            before.once("close", () => {
                if (!socket.destroyed) answer(request, response)
            })
    }
}

/** What is fastest of TLS 1.3 comes first: in software or hardware, AES-128 takes 10 rounds for the 14 of AES-256. */
const ciphers = ["TLS_AES_128_GCM_SHA256", ...DEFAULT_CIPHERS.split(":")]

/** HTTP/2 and HTTP/1.1, whichever the client prefers (ALPN). Its requests are those of node:http, as Fastify has it too. */
function secureServer(answer: Listener, credentials: Credentials): Server {
    const settings = { maxConcurrentStreams: 32 }
    const options = { ...credentials, ciphers: [...new Set(ciphers)].join(":"), settings, allowHTTP1: true }
    const server: unknown = createSecureServer(options, answer as never)
    return server as Server
}

/** Resolves with its address; rejects with a {@link UserError} where it cannot be had. */
export async function listen(
    http: FastifyInstance,
    door: Exclude<Door, "socket">,
    host: string,
    port: number,
): Promise<string> {
    try {
        await http.listen({ host, port })
        const bound = http.server.address()
        const shown = typeof bound === "object" && bound !== null ? bound.port : port
        return `${door}://${host.includes(":") ? `[${host}]` : host}:${shown}`
    } catch (error) {
        const code = systemCode(error)
        if (code === "EADDRINUSE")
            throw new UserError(`port ${port} of ${host} is taken; stop what uses it, or choose another`)
        if (code === "EACCES")
            throw new UserError(`port ${port} of ${host} is reserved; choose one above 1023`)
        if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
            throw new UserError(`${host} is not an address of this machine`)
        throw error
    }
}

/**
 * The socket gets its name once it has its mode: it is made in a folder that nobody else can enter, so that nobody
 * connects before. One that was left over by a process that died is replaced.
 */
export async function listenOnSocket(
    http: FastifyInstance,
    { path, group }: NonNullable<HttpSettings["socket"]>,
): Promise<() => Promise<void>> {
    if (await isListening(path))
        throw new UserError(`another process listens on ${path}; stop it, or choose another`)
    await refuseOtherFile(path)
    const folder = await mkdtemp(`${path}.`).catch((error: unknown) => {
        throw new UserError(`the socket ${path} cannot be made (${systemCode(error) ?? "unknown"})`, {
            cause: error,
        })
    })
    const draft = join(folder, "s")
    await http.listen({ path: draft })
    await chmod(draft, group ? 0o660 : 0o600)
    await rename(draft, path)
    await rmdir(folder)
    return () => rm(path, { force: true })
}

function isListening(path: string): Promise<boolean> {
    return new Promise((resolve) => {
        const socket = connect(path)
        const answer = (is: boolean) => (): void => {
            socket.destroy()
            resolve(is)
        }
        socket.once("connect", answer(true))
        socket.once("error", answer(false))
    })
}

async function refuseOtherFile(path: string): Promise<void> {
    const found = await lstat(path).catch(() => undefined)
    if (found !== undefined && !found.isSocket())
        throw new UserError(`${path} is there and is no socket; move it away, or choose another`)
}
