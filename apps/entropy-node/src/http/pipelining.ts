/** Requests of one connection that come before the answer to the one before (RFC 9112 §9.3.2). */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"

export type Listener = (request: IncomingMessage, response: ServerResponse) => void

/** Of requests that wait on a connection: each takes two kilobytes, and 45 bytes to send. */
export const mostWaiting = 32

/**
 * Each waits for the answer to the one before. Node would let all be answered at once, and keep the answers, of which
 * each may be a mebibyte. It also reads on while they wait: a connection with more than {@link mostWaiting} is closed.
 */
export function inTurn(answer: Listener): Listener {
    const answering = new WeakMap<Socket, ServerResponse>()
    const waiting = new WeakMap<Socket, number>()
    return (request, response) => {
        // Streams of HTTP/2 are bounded in number, and each has a window of its own.
        if (request.httpVersionMajor !== 1) {
            answer(request, response)
            return
        }
        const { socket } = request
        const before = answering.get(socket)
        answering.set(socket, response)
        if (before === undefined || before.closed) {
            answer(request, response)
            return
        }
        const count = waiting.get(socket) ?? 0
        if (count >= mostWaiting) {
            socket.destroy()
            return
        }
        waiting.set(socket, count + 1)
        before.once("close", () => {
            waiting.set(socket, (waiting.get(socket) ?? 1) - 1)
            if (!socket.destroyed) answer(request, response)
        })
    }
}
