/** Who may open how many connections: counted as they come, before anything is read from them. */
import type { IncomingMessage, Server } from "node:http"
import type { Socket } from "node:net"
import { Census } from "./census.ts"
import type { ClientAddresses } from "./client-address.ts"

export type DoorLimits = {
    readonly connections: number
    readonly connectionsPerAddress: number
    readonly httpConnections: number
    readonly httpConnectionsPerAddress: number
}

export class Door {
    readonly #limits: DoorLimits
    readonly #addresses: ClientAddresses
    readonly #onLimit: (limit: keyof DoorLimits) => void
    readonly #http = new Census()
    readonly #webSockets = new Census()
    /** What `guard` has to do when one of its connections becomes a WebSocket, by its two ends. */
    readonly #leave = new Map<string, () => void>()

    constructor(limits: DoorLimits, addresses: ClientAddresses, onLimit: (limit: keyof DoorLimits) => void) {
        this.#limits = limits
        this.#addresses = addresses
        this.#onLimit = onLimit
    }

    /** Connections are cut off, rather than answered, where they are too many: an answer would take a connection. */
    guard(server: Server): void {
        server.on("connection", (socket: Socket) => {
            const address = this.#addresses.ofPeer(socket.remoteAddress)
            const { httpConnections, httpConnectionsPerAddress } = this.#limits
            const limit =
                this.#http.total >= httpConnections
                    ? "httpConnections"
                    : this.#http.of(address) >= httpConnectionsPerAddress
                      ? "httpConnectionsPerAddress"
                      : undefined
            if (limit !== undefined) {
                this.#onLimit(limit)
                socket.resetAndDestroy()
                return
            }
            const ends = endsOf(socket)
            let isCounted = true
            // Each counts for itself: connections that were reset before they were accepted have no ends to tell
            // them apart by, and come in crowds where somebody makes them.
            const leave = (): void => {
                if (!isCounted) return
                isCounted = false
                this.#http.add(address, -1)
                if (this.#leave.get(ends) === leave) this.#leave.delete(ends)
            }
            this.#http.add(address, 1)
            this.#leave.set(ends, leave)
            socket.once("close", leave)
        })
    }

    /** Lets a WebSocket in, until `released`; or says with which HTTP status it is turned away. */
    admit(request: IncomingMessage): { readonly release: () => void } | { readonly status: string } {
        const address = this.#addresses.of(request)
        const { connections, connectionsPerAddress } = this.#limits
        if (this.#webSockets.total >= connections) {
            this.#onLimit("connections")
            return { status: "503 Service Unavailable" }
        }
        if (this.#webSockets.of(address) >= connectionsPerAddress) {
            this.#onLimit("connectionsPerAddress")
            return { status: "429 Too Many Requests" }
        }
        this.#leave.get(endsOf(request.socket))?.()
        this.#webSockets.add(address, 1)
        return { release: () => this.#webSockets.add(address, -1) }
    }
}

/** The same for a connection and for the TLS inside it. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
    return [remoteAddress, remotePort, localAddress, localPort].join(" ")
}
