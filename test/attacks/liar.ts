/** A lying ledger server: the real one, and in front of it somebody who has its keys and changes what is said. */
import { createServer } from "node:http"
import type { IncomingMessage, Server } from "node:http"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { subprotocol } from "@tallylight/node/ws-options.js"
import { decodeFrame, encodeFrame } from "@tallylight/protocol/wire/frame.js"
import type { Frame } from "@tallylight/protocol/wire/frame.js"
import { WebSocket, WebSocketServer } from "ws"

/** Up is from the follower to the server. What is returned is passed on in place of the frame, `reply` goes back. */
export type Tamper = (
    frame: Frame,
    direction: "up" | "down",
    reply: (frame: Frame) => void,
) => readonly Frame[]

export const honest: Tamper = (frame) => [frame]

const mostBytes = 1 << 20

export class Liar {
    readonly #server: Server
    readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => subprotocol })
    /** Who is behind it. */
    upstream: string
    /** Honest until it is replaced. */
    tamper: Tamper = honest

    static async open(upstream: string): Promise<Liar> {
        const liar = new Liar(upstream)
        liar.#server.listen(0, "127.0.0.1")
        await once(liar.#server, "listening")
        return liar
    }

    private constructor(upstream: string) {
        this.upstream = upstream
        this.#server = createServer((request, response) => {
            void fetch(`${this.upstream}${request.url ?? "/"}`).then(async (answer) => {
                response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()))
            })
        })
        this.#server.on("upgrade", (request: IncomingMessage, socket, head) => {
            this.#sockets.handleUpgrade(request, socket, head, (near) => {
                const address = `${this.upstream.replace(/^http/, "ws")}${request.url ?? "/"}`
                this.#join(near, new WebSocket(address, [subprotocol]))
            })
        })
    }

    get url(): string {
        return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    }

    #join(near: WebSocket, far: WebSocket): void {
        const waiting: Uint8Array[] = []
        far.on("open", () => waiting.splice(0).forEach((bytes) => far.send(bytes)))
        const reply = (frame: Frame): void => near.send(encodeFrame(frame))
        near.on("message", (bytes: Buffer) => {
            for (const frame of this.tamper(decodeFrame(bytes, mostBytes), "up", reply))
                if (far.readyState === WebSocket.OPEN) far.send(encodeFrame(frame))
                else waiting.push(encodeFrame(frame))
        })
        far.on("message", (bytes: Buffer) => {
            this.tamper(decodeFrame(bytes, mostBytes), "down", reply).forEach(reply)
        })
        for (const [one, other] of [
            [near, far],
            [far, near],
        ] as const) {
            one.on("close", () => other.close())
            one.on("error", () => other.close())
        }
    }

    /** Everybody has to connect again. */
    hangUp(): void {
        for (const socket of this.#sockets.clients) socket.terminate()
    }

    close(): void {
        this.hangUp()
        this.#server.closeAllConnections()
        this.#server.close()
    }
}
