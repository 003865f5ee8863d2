/**
 * Limits of time for HTTP/2. Node has one for a session on which nothing moves, and every PING (RFC 9113 §6.7) begins it
 * anew: requests that never end and answers that nobody takes would stay for ever.
 */
import { constants } from "node:http2"
import type { Http2SecureServer, Http2Server, Http2Session, ServerHttp2Stream } from "node:http2"
import type { Socket } from "node:net"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { HttpSettings } from "./settings.ts"

type Limits = Pick<HttpSettings["limits"], "requestMs" | "idleMs">

/** Times are those of the clock's `elapsed`. */
type Connection = {
    readonly socket: Socket
    /** When a request last came, or was last seen being answered. */
    usedAt: number
    /** When nothing waited for the client, or it had taken enough; and how many bytes the socket had then been given. */
    movedAt: number
    written: number
}

/** Of an answer in `requestMs`: answers to PING are much less, unless somebody sends hundreds. */
const leastTaken = 16 * 1024

export class Http2Limits {
    readonly #limits: Limits
    readonly #clock: Clock
    readonly #sessions = new Map<Http2Session, Connection>()
    /** Those that are open, and since when. */
    readonly #streams = new Map<ServerHttp2Stream, number>()

    constructor(limits: Limits, clock: Clock) {
        this.#limits = limits
        this.#clock = clock
    }

    /** Of one server, while it listens. */
    watch(server: Http2Server | Http2SecureServer): void {
        this.#watchSessions(server)
        const streams = this.#streams
        function forget(this: ServerHttp2Stream): void {
            streams.delete(this)
        }
        server.on("stream", (stream: ServerHttp2Stream) => {
            const now = this.#clock.elapsed()
            streams.set(stream, now)
            stream.on("close", forget)
            const connection = stream.session && this.#sessions.get(stream.session)
            if (connection !== undefined) connection.usedAt = now
        })
        const { requestMs, idleMs } = this.#limits
        let timer: NodeJS.Timeout | undefined
        server.once("listening", () => {
            timer = setInterval(() => this.check(), Math.ceil(Math.min(requestMs, idleMs) / 4)).unref()
        })
        server.once("close", () => clearInterval(timer))
    }

    #watchSessions(server: Http2Server | Http2SecureServer): void {
        // A session shows of its socket no more than where the other end is, and with TLS not the one that is connected.
        const sockets = new Map<string, Socket>()
        // Without TLS the same event brings the session.
        server.prependListener("connection", (socket: Socket) => {
            const end = endOf(socket)
            sockets.set(end, socket)
            socket.once("close", () => sockets.delete(end))
        })
        server.on("session", (session: Http2Session) => {
            const socket = sockets.get(endOf(session.socket))
            // It has gone already.
            if (socket === undefined) return
            // What Node would do is done here.
            session.setTimeout(0)
            const now = this.#clock.elapsed()
            const { bytesWritten } = socket
            this.#sessions.set(session, { socket, usedAt: now, movedAt: now, written: bytesWritten })
            session.once("close", () => this.#sessions.delete(session))
        })
    }

    /** Ends what has passed its limit by now. */
    check(): void {
        const now = this.#clock.elapsed()
        const { requestMs, idleMs } = this.#limits
        const untaken = this.#checkRequests(now)
        for (const [session, connection] of this.#sessions) {
            const { socket, usedAt, movedAt, written } = connection
            const streams = untaken.get(session) ?? []
            if (streams.length === 0 || socket.bytesWritten - written >= leastTaken) {
                connection.movedAt = now
                connection.written = socket.bytesWritten
            } else if (now - movedAt >= requestMs) for (const stream of streams) end(stream, socket)
            if (now - usedAt < idleMs) continue
            // It waits for what the client has yet to take.
            if (session.destroyed) socket.destroy()
            else session.destroy()
        }
    }

    /** Answers of which the client has yet to take something. */
    #checkRequests(now: number): Map<Http2Session, ServerHttp2Stream[]> {
        const untaken = new Map<Http2Session, ServerHttp2Stream[]>()
        for (const [stream, since] of this.#streams) {
            const { session } = stream
            const connection = session && this.#sessions.get(session)
            if (session === undefined || connection === undefined) continue
            connection.usedAt = now
            if (stream.state.remoteClose !== 1) {
                if (now - since >= this.#limits.requestMs) end(stream, connection.socket)
            } else if (stream.writableEnded || stream.bufferSize > 0)
                untaken.set(session, [...(untaken.get(session) ?? []), stream])
        }
        return untaken
    }
}

function end(stream: ServerHttp2Stream, socket: Socket): void {
    // The client does not even take that it was ended.
    if (stream.closed) socket.destroy()
    else stream.close(constants.NGHTTP2_CANCEL)
}

function endOf({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">): string {
    return `${remoteAddress} ${remotePort}`
}
