/** The sockets of a PDL: one HTTP server, on which the read side answers and WebSockets are opened. */
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { Server as TlsServer } from "node:tls"
import { HeldBytes } from "@tallylight/node/held-bytes.js"
import type { Credentials } from "@tallylight/node/tls-files.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"
import { wsChannel } from "@tallylight/node/ws-channel.js"
import { webSocketOptions } from "@tallylight/node/ws-options.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { fastify } from "fastify"
import type { FastifyInstance } from "fastify"
import { WebSocketServer } from "ws"
import type { Chain } from "../chain/chain.ts"
import type { LimitName, PdlConfig } from "../config.ts"
import { ClientAddresses } from "../limits/client-address.ts"
import { Door } from "../limits/door.ts"
import { countTimeouts, limitRate, patience } from "../limits/http.ts"
import { answerError } from "./failure.ts"
import { addReadSide } from "./read-side.ts"
import type { ReadSide } from "./read-side.ts"

export type ServerConfig = Pick<
    PdlConfig,
    "host" | "port" | "limits" | "trustedProxies" | "unlimitedAddresses"
>

/** Told how often a limit is reached, and where to read what is held for slow readers. */
export type ServerWatch = {
    readonly reached: (limit: LimitName) => void
    readonly watchHeld: (held: HeldBytes) => void
}

export type Server = {
    readonly url: string
    /** New connections get these; those that are open stay as they are. */
    readonly renew: (credentials: Credentials) => void
    readonly close: () => Promise<void>
}

export async function serve(
    { host, port, limits, ...addressRules }: ServerConfig,
    readSide: ReadSide,
    clock: Clock,
    watch?: ServerWatch,
    credentials?: Credentials,
): Promise<Server> {
    const onLimit = (limit: LimitName): void => watch?.reached(limit)
    const addresses = new ClientAddresses(addressRules)
    const door = new Door(limits, addresses, onLimit)
    const held = new HeldBytes(limits.bufferedBytesTotal, () => onLimit("bufferedBytesTotal"))
    watch?.watchHeld(held)
    const { http: timing, ...waits } = patience(limits)
    const http: FastifyInstance = fastify({
        ...waits,
        ...(credentials === undefined
            ? { http: timing }
            : { https: { ...timing, ...credentials, handshakeTimeout: limits.httpRequestMs } }),
        forceCloseConnections: true,
        bodyLimit: 1024,
        routerOptions: { maxParamLength: 256 },
        // What is wrong before a route is found, such as an encoding, is answered like everything else.
        frameworkErrors: (error, _, reply) => void answerError(error, reply, readSide.onFailure),
    })
    door.guard(http.server)
    countTimeouts(http.server, onLimit)
    await limitRate(http, limits, addresses, onLimit)
    addReadSide(http, readSide)
    const sockets = new WebSocketServer({ noServer: true, ...webSocketOptions(limits) })
    http.server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        socket.on("error", () => socket.destroy())
        const chain = chainAt(request.url ?? "", readSide.chains)
        if (chain === undefined) return refuseUpgrade(socket, "404 Not Found")
        // An even share each: a chain that everybody connects to leaves the others their room.
        const share = Math.ceil(limits.connections / readSide.chains.size)
        const isFull = chain.connections >= share
        if (isFull) onLimit("connections")
        if (chain.stopped || isFull) return refuseUpgrade(socket, "503 Service Unavailable")
        const admitted = door.admit(request)
        if ("status" in admitted) return refuseUpgrade(socket, admitted.status)
        socket.once("close", admitted.release)
        sockets.handleUpgrade(request, socket, head, (client) => {
            const channel = wsChannel(client, limits, clock, { held, onLimit, group: chain })
            void chain.serve(channel, addresses.of(request))
        })
    })
    const url = await listen(http, host, port)
    const close = async (): Promise<void> => {
        // fastify waits for every connection, and WebSockets would keep theirs for ever.
        for (const client of sockets.clients) client.terminate()
        await http.close()
    }
    const renew = (renewed: Credentials): void => {
        if (http.server instanceof TlsServer) http.server.setSecureContext(renewed)
    }
    return { url, renew, close }
}

function chainAt(url: string, chains: ReadonlyMap<string, Chain>): Chain | undefined {
    const [, id] = /^\/v1\/chains\/([0-9a-f]{64})\/socket$/.exec(url) ?? []
    return id === undefined ? undefined : chains.get(id)
}

function refuseUpgrade(socket: Duplex, status: string): void {
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

async function listen(http: FastifyInstance, host: string, port: number): Promise<string> {
    try {
        return await http.listen({ host, port })
    } catch (error) {
        const code = systemCode(error)
        if (code === "EADDRINUSE")
            throw new UserError(
                `port ${port} of ${host} is taken; stop what uses it, or choose another with --url`,
            )
        if (code === "EACCES")
            throw new UserError(`port ${port} of ${host} is reserved; choose one above 1023`)
        if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
            throw new UserError(`${host} is not an address of this machine`)
        throw error
    }
}
