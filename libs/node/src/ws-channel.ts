/** A Channel over a WebSocket, for either end of it. */
import { closeCodes, type Channel, type CloseReason } from "@tallylight/protocol/ports/channel.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { WebSocket } from "ws"

import { Turns } from "./event-loop-turns.ts"
import type { HeldBytes } from "./held-bytes.ts"
import { subprotocol, type ChannelLimits } from "./ws-options.ts"

/** Codes of RFC 6455 §7.4.1 which only a WebSocket itself has a use for. */
const protocolError = 1002
const unsupportedData = 1003

/** Enough to keep a reader busy for a turn of the event loop. */
const unreadFrames = 8

/** Of all channels of this process: however much arrives over however many of them. */
const turns = new Turns()

const slow = "slow reader; resume from your cursor"

/** For a close frame to get out to somebody who has earned no patience. */
const shortGraceMs = 1000

/** For whoever has many channels. */
export type ChannelWatch = {
    /** Drops channels where all together hold too much. */
    readonly held?: HeldBytes
    /** Told of each time that a limit of this channel was reached. */
    readonly onLimit?: (limit: keyof ChannelLimits) => void
    /** Channels of one group, such as a chain, have what arrives worked on in turn with each other group as a whole. */
    readonly group?: object
}

/** Takes the socket over in the same turn in which it opened; later, frames could have been missed. */
export function wsChannel(
    socket: WebSocket,
    limits: ChannelLimits,
    clock: Clock,
    watch: ChannelWatch = {},
): Channel {
    return new WsChannel(socket, limits, clock, watch)
}

type Waiting = { readonly resolve: () => void; readonly reject: (reason: Error) => void }

class WsChannel implements Channel {
    readonly closed: Promise<CloseReason>
    readonly frames: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => this.#iterate() }
    readonly #socket: WebSocket
    readonly #limits: ChannelLimits
    readonly #clock: Clock
    readonly #watch: ChannelWatch
    /** Why this side ended the channel, if it did; the first reason stays. */
    #ownReason: CloseReason | undefined
    #resolveClosed: (reason: CloseReason) => void = () => undefined
    /** Aborted when the socket is gone. */
    readonly #gone = new AbortController()

    readonly #unread: Uint8Array[] = []
    /** Nothing more goes into #unread. */
    #ended = false
    #iterated = false
    #wake: () => void = () => undefined

    /** Sends that wait for the other side to take what is buffered. */
    #waiting: Waiting[] = []
    /** Aborted when none waits any more. */
    #stall = new AbortController()
    /** Whether anything came since the last ping. */
    #heard = true

    constructor(socket: WebSocket, limits: ChannelLimits, clock: Clock, watch: ChannelWatch) {
        this.#socket = socket
        this.#limits = limits
        this.#clock = clock
        this.#watch = watch
        this.closed = new Promise((resolve) => {
            this.#resolveClosed = resolve
        })
        socket.on("message", (data, isBinary) => {
            this.#heard = true
            if (isBinary && data instanceof Uint8Array) this.#arrive(data)
            else this.close(unsupportedData, "frames are binary")
        })
        for (const sign of ["ping", "pong"] as const) socket.on(sign, () => (this.#heard = true))
        socket.on("error", (error) => this.#fail(error))
        socket.on("close", (code, reason) => this.#finish({ code, reason: reason.toString() }))
        if (socket.protocol !== subprotocol) {
            this.close(closeCodes.policy, `the subprotocol ${subprotocol} is required`)
        }
        void this.#heartbeat()
    }

    send(frame: Uint8Array): Promise<void> {
        if (this.#socket.readyState !== WebSocket.OPEN) return Promise.reject(channelClosed())
        // A copy, since the socket may hold it for long, and the caller may use the bytes again.
        this.#socket.send(new Uint8Array(frame), { binary: true }, () => this.#flushed())
        this.#reportHeld()
        if (this.#hasRoom()) return Promise.resolve()
        if (this.#waiting.length === 0) this.#watch.onLimit?.("bufferedBytes")
        return new Promise((resolve, reject) => {
            this.#waiting.push({ resolve, reject })
            if (this.#waiting.length === 1) void this.#dropIfStalled()
        })
    }

    close(code: number, reason: string): void {
        // What was sent before is still to be delivered, at the pace of a reader that is not yet too slow.
        this.#close({ code, reason: clip(reason) }, this.#limits.stalledMs)
    }

    #close(reason: CloseReason, graceMs: number): void {
        if (this.#socket.readyState !== WebSocket.OPEN) return
        this.#ownReason = reason
        this.#socket.close(reason.code, reason.reason)
        this.#end()
        void this.#terminateAfter(graceMs)
    }

    async #terminateAfter(graceMs: number): Promise<void> {
        if (await this.#passes(graceMs, this.#gone.signal)) this.#socket.terminate()
    }

    #arrive(data: Uint8Array): void {
        if (this.#ended) return
        // A copy, or a small frame would keep the whole chunk that the socket read.
        this.#unread.push(new Uint8Array(data))
        if (this.#unread.length >= unreadFrames) this.#socket.pause()
        this.#wake()
    }

    #iterate(): AsyncGenerator<Uint8Array, void> {
        if (this.#iterated) throw new Error("the frames of a channel are iterated once")
        this.#iterated = true
        return this.#pull()
    }

    async *#pull(): AsyncGenerator<Uint8Array, void> {
        for (;;) {
            const frame = this.#unread.shift()
            if (frame !== undefined) {
                await turns.next(this.#watch.group ?? turns)
                if (this.#unread.length === 0) this.#socket.resume()
                yield frame
            } else if (this.#ended) {
                return
            } else {
                await new Promise<void>((resolve) => {
                    this.#wake = resolve
                })
            }
        }
    }

    #hasRoom(): boolean {
        return this.#socket.bufferedAmount < this.#limits.bufferedBytes
    }

    /** By `HeldBytes`: this channel holds more than any other. */
    drop(): void {
        const open = this.#socket.readyState === WebSocket.OPEN
        if (open) this.#close({ code: closeCodes.slowReader, reason: slow }, shortGraceMs)
        // It was on its way out with all the patience that an honest reader gets.
        else this.#socket.terminate()
    }

    #reportHeld(): void {
        const isOver = this.#socket.readyState === WebSocket.CLOSED
        this.#watch.held?.set(this, isOver ? 0 : this.#socket.bufferedAmount)
    }

    #flushed(): void {
        this.#reportHeld()
        if (!this.#hasRoom()) return
        this.#stall.abort()
        for (const { resolve } of this.#waiting.splice(0)) resolve()
    }

    async #dropIfStalled(): Promise<void> {
        this.#stall = new AbortController()
        if (await this.#passes(this.#limits.stalledMs, this.#stall.signal)) {
            this.#watch.onLimit?.("stalledMs")
            this.#close({ code: closeCodes.slowReader, reason: slow }, shortGraceMs)
        }
    }

    async #heartbeat(): Promise<void> {
        while (await this.#passes(this.#limits.heartbeatMs, this.#gone.signal)) {
            if (this.#socket.readyState !== WebSocket.OPEN) return
            // A pong cannot be heard while this side does not read, and a ping does not get through while the
            // other side takes nothing; for that there is stalledMs.
            if (this.#socket.isPaused || this.#waiting.length > 0) {
                this.#heard = true
            } else if (this.#heard) {
                this.#heard = false
                this.#socket.ping()
            } else {
                this.#watch.onLimit?.("heartbeatMs")
                this.#ownReason = { code: closeCodes.silent, reason: "no answer to a ping" }
                this.#socket.terminate()
            }
        }
    }

    /** What ws found wrong with the other side's bytes; it has sent the close frame by itself. */
    #fail(error: Error): void {
        if (!("code" in error) || typeof error.code !== "string" || !error.code.startsWith("WS_ERR_")) return
        if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") this.#watch.onLimit?.("frameBytes")
        this.#ownReason ??=
            error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"
                ? {
                      code: closeCodes.oversized,
                      reason: `a frame has at most ${this.#limits.frameBytes} bytes`,
                  }
                : { code: protocolError, reason: error.message }
        this.#end()
        void this.#terminateAfter(shortGraceMs)
    }

    /** No more frames from now on, in either direction. */
    #end(): void {
        this.#ended = true
        this.#wake()
        this.#stall.abort()
        for (const { reject } of this.#waiting.splice(0)) reject(channelClosed())
        // The other side's close frame comes behind whatever it has sent.
        this.#socket.resume()
    }

    #finish(reason: CloseReason): void {
        this.#end()
        this.#watch.held?.set(this, 0)
        this.#gone.abort()
        this.#resolveClosed(this.#ownReason ?? reason)
    }

    /** False where the signal comes first. */
    #passes(ms: number, signal: AbortSignal): Promise<boolean> {
        return this.#clock.sleep(ms, signal).then(
            () => true,
            () => false,
        )
    }
}

function channelClosed(): Error {
    return new Error("the channel is closed")
}

/** RFC 6455 §5.5: a control frame carries 125 bytes, two of which are the code. */
function clip(reason: string): string {
    let clipped = ""
    for (const character of reason) {
        if (Buffer.byteLength(clipped + character) > 123) break
        clipped += character
    }
    return clipped
}
