/**
 * The open connections of a serving process, by whichever of its ports they came. `maxConnections` of net.Server is no
 * use to it: in a worker, node:cluster gives a connection above that back to the process that accepted it, which offers
 * it to the next worker, and so on for as long as all are full.
 */
import type { Server } from "node:net"
import type { Duplex } from "node:stream"

export class Connections {
    readonly #most: number
    readonly #ended = (): void => void (this.#open -= 1)
    #open = 0

    constructor(most: number) {
        this.#most = most
    }

    /** Counts those of that server. What is above the limit is closed. */
    watch(server: Pick<Server, "on">): void {
        // Of sockets alone: a session of HTTP/2 has one, and TLS is spoken over one.
        server.on("connection", (socket: Duplex) => {
            if (this.#open >= this.#most) {
                socket.destroy()
                return
            }
            this.#open += 1
            socket.once("close", this.#ended)
        })
    }
}
