import type { Channel } from "@tallylight/protocol/ports/channel.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { untilAny } from "@tallylight/protocol/ports/until-any.js"
import { WebSocket } from "ws"

import { tlsProblem } from "./tls-problem.ts"
import { systemCode, UserError } from "./user-error.ts"
import { wsChannel } from "./ws-channel.ts"
import { subprotocol, webSocketOptions, type ChannelLimits } from "./ws-options.ts"

/** From the first packet to the end of the handshake. */
const handshakeMs = 10_000

/**
 * Rejects with one sentence for a person: a {@link UserError} where the address itself is wrong, a plain Error
 * where trying again may help, the signal's reason where that comes first.
 */
export async function connectWebSocket(
    url: string,
    limits: ChannelLimits,
    clock: Clock,
    { signal, ca }: { readonly signal: AbortSignal; readonly ca?: string | undefined },
): Promise<Channel> {
    signal.throwIfAborted()
    const socket = open(url, limits, ca)
    const opened = new Promise<Channel>((resolve, reject) => {
        socket.once("open", () => resolve(wsChannel(socket, limits, clock)))
        socket.once("unexpected-response", (_, { statusCode = 0 }) => reject(unwelcome(url, statusCode)))
        socket.on("error", (error) => reject(unreachable(url, error)))
    })
    try {
        return await untilAny([signal], (over) => Promise.race([opened, tooLate(url, clock, over)]))
    } catch (error) {
        socket.terminate()
        throw error
    }
}

async function tooLate(url: string, clock: Clock, signal: AbortSignal): Promise<never> {
    await clock.sleep(handshakeMs, signal)
    throw new Error(`${url} did not answer within ${handshakeMs / 1000} s`)
}

function open(url: string, limits: ChannelLimits, ca: string | undefined): WebSocket {
    try {
        return new WebSocket(url, [subprotocol], {
            ...webSocketOptions(limits),
            ...(ca !== undefined && { ca }),
        })
    } catch (error) {
        if (!(error instanceof SyntaxError)) throw error
        throw new UserError(`${url} is no WebSocket address, such as ws://127.0.0.1:7710`, { cause: error })
    }
}

function unwelcome(url: string, status: number): Error {
    if (status === 404) return new UserError(`${url} answers 404: there is no chain at that address`)
    const tooMany = status === 429
    if (status >= 400 && status < 500 && !tooMany)
        return new UserError(`${url} answers ${status} and no WebSocket`)
    return new Error(`${url} answers ${status} and no WebSocket`)
}

function unreachable(url: string, cause: Error): Error {
    // ws gives these errors no code.
    if (/^Server sent (no|an invalid) subprotocol$/.test(cause.message)) {
        return new UserError(`${url} does not speak ${subprotocol}`, { cause })
    }
    const code = systemCode(cause)
    if (code === "ECONNREFUSED") return new Error(`nothing listens at ${url}`, { cause })
    if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
        return new Error(`the name of the host in ${url} is not known`, { cause })
    }
    return new Error(`cannot connect to ${url}: ${tlsProblem(cause) ?? cause.message}`, { cause })
}
