/**
 * Requests, answers and notices over one connection (PROTOCOL.md §8). Both sides may ask: there is no client and
 * no server here, only a table of handlers on each side.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"

import { closeCodes, type Channel, type CloseReason } from "../ports/channel.ts"
import type { Clock } from "../ports/clock.ts"
import { fullBucket, spend, type Bucket, type Budget } from "./budget.ts"
import { DecodeError } from "./decode-error.ts"
import { decodeFrame, encodeFrame, type Frame } from "./frame.ts"
import type { Message, NoticeType, Receipt, RequestType, ResponseTo } from "./messages.ts"
import { Questions, responseTo, type Answer, type Side } from "./questions.ts"
import { Refusal, type RefusalCode } from "./refusal.ts"
import { PeerRefused, respError, Unanswered } from "./resp-error.ts"

/** Answers with a body, or throws a {@link Refusal}. The id is the one that a Receipt will carry. */
export type Handler<R extends RequestType> = (
    body: Message<R>,
    peer: Peer,
    id: number,
) => Promise<Message<ResponseTo<R>>>

export type Handlers = { readonly [R in RequestType]?: Handler<R> }

/** What comes unasked: events, and receipts for or refusals of answers that this side gave under that id. */
export type Notice = Extract<Frame, { type: NoticeType | "RespError" }>

export type PeerOptions = {
    readonly channel: Channel
    /** Handlers of the listener must not wait for an answer of this same peer, which it may have left unread. */
    readonly side: Side
    readonly chain: Uint8Array
    readonly handlers: Handlers
    /**
     * Called for one notice at a time. Reading waits for it, so that a slow reader slows its sender; therefore it
     * must not wait for an answer of this same peer, which could not come.
     */
    readonly onNotice?: (notice: Notice, peer: Peer) => Promise<void>
    /** Told of what a handler throws that no peer could have caused: a defect here, of which the peer learns nothing. */
    readonly onFault: (error: unknown) => void
    readonly limits: {
        readonly frameBytes: number
        readonly concurrentRequests: number
        readonly failures: Budget
    }
    readonly clock: Clock
    readonly requestTimeoutMs: number
    /** Told of every refusal that this side gives. */
    readonly onRefusal?: (code: RefusalCode) => void
    /** Told whenever the other side asks for more at once than is answered at once. */
    readonly onFull?: () => void
}

export interface Peer {
    /** Rejects with PeerRefused on a RespError, with Unanswered when the connection ends or the time is up. */
    request<R extends RequestType>(
        type: R,
        body: Message<R>,
        signal?: AbortSignal,
    ): Promise<Message<ResponseTo<R>>>
    /** A request whose id is needed later, to acknowledge or refuse what it brings. */
    ask<R extends RequestType>(
        type: R,
        body: Message<R>,
        signal?: AbortSignal,
    ): { readonly id: number; readonly response: Promise<Message<ResponseTo<R>>> }
    /** Resolves once the next one may be sent. */
    notify(type: "Event", body: Message<"Event">): Promise<void>
    /** One-way: the answer to our request `id` is in the ledger. */
    acknowledge(id: number, receipt: Receipt): Promise<void>
    /** One-way: the answer to our request `id` is not acceptable. */
    refuse(id: number, refusal: Refusal): Promise<void>
    /** Resolves, never rejects, after everything that arrived has been read. */
    readonly closed: Promise<CloseReason>
    close(code: number, reason: string): void
    /** The other side's requests that are worked on, or whose answers it has not taken. */
    readonly working: number
}

export function openPeer(options: PeerOptions): Peer {
    return new Connection(options)
}

type Request = Extract<Frame, { type: RequestType }>

/** About 300 KiB: refusals that the transport has not taken yet, before the peer counts as not reading. */
const unreadRefusals = 1024

class Connection implements Peer {
    readonly closed: Promise<CloseReason>
    readonly #options: PeerOptions
    readonly #questions: Questions
    /** The ids of requests whose handlers run, or whose answers the transport has not taken yet. */
    readonly #running = new Set<number>()
    #refusing = 0
    /** Wakes the listener that waits for one of them to end. */
    #roomMade: () => void = () => undefined
    #failures: Bucket
    #closing = false

    constructor(options: PeerOptions) {
        this.#options = options
        this.#questions = new Questions(options.side, options.clock, options.requestTimeoutMs)
        this.#failures = fullBucket(options.limits.failures, options.clock.elapsed())
        this.closed = this.#read()
    }

    request<R extends RequestType>(type: R, body: Message<R>, signal?: AbortSignal) {
        return this.ask(type, body, signal).response
    }

    ask<R extends RequestType>(type: R, body: Message<R>, signal?: AbortSignal) {
        const { id, answer } = this.#questions.ask(type, signal)
        if (signal?.aborted !== true) this.#post({ type, id, chain: this.#options.chain, body } as Request)
        // Questions compares the types of question and answer, which TypeScript cannot follow through the wire.
        return { id, response: answer as Promise<Message<ResponseTo<R>>> }
    }

    async notify(type: "Event", body: Message<"Event">): Promise<void> {
        await this.#send({ type, id: 0, chain: this.#options.chain, body })
    }

    async acknowledge(id: number, receipt: Receipt): Promise<void> {
        await this.#send({ type: "Receipt", id, chain: this.#options.chain, body: { receipt } })
    }

    async refuse(id: number, refusal: Refusal): Promise<void> {
        await this.#send({ type: "RespError", id, chain: this.#options.chain, body: respError(refusal) })
    }

    get working(): number {
        return this.#running.size
    }

    close(code: number, reason: string): void {
        this.#closing = true
        this.#options.channel.close(code, reason)
    }

    async #read(): Promise<CloseReason> {
        try {
            for await (const bytes of this.#options.channel.frames) {
                if (this.#closing) break
                await this.#take(bytes)
            }
        } catch (error) {
            this.#fault(error)
        }
        const reason = await this.#options.channel.closed
        this.#questions.end(new Unanswered(`connection closed: ${reason.code} ${reason.reason}`))
        return reason
    }

    async #take(bytes: Uint8Array): Promise<void> {
        const { limits, chain } = this.#options
        if (bytes.length > limits.frameBytes) {
            const refusal = new Refusal("oversized", { bytes: bytes.length, limit: limits.frameBytes })
            this.#end(0, refusal, closeCodes.oversized)
            return
        }
        let frame
        try {
            frame = decodeFrame(bytes, limits.frameBytes)
        } catch (error) {
            if (!(error instanceof DecodeError)) throw error
            this.#malformed(error)
            return
        }
        if (!equalBytes(frame.chain, chain)) this.#otherChain(frame)
        else if (isRequest(frame)) await this.#takeRequest(frame)
        else if (isNotice(frame) && !this.#questions.isOurs(frame.id)) await this.#takeNotice(frame)
        else if (isAnswer(frame)) this.#takeAnswer(frame)
        else this.#malformed(new DecodeError("frame.id", "expected the sender's own request", frame.id))
    }

    async #takeRequest(frame: Request): Promise<void> {
        if (this.#questions.isOurs(frame.id) || this.#running.has(frame.id)) {
            this.#malformed(
                new DecodeError("frame.id", "expected an unused id of the sender's own", frame.id),
            )
            return
        }
        if (this.#isFull()) this.#options.onFull?.()
        if (this.#isFull() && this.#options.side === "dialler") {
            this.#turnDown(frame, new Refusal("busy"))
            return
        }
        // The listener leaves the rest unread: whoever asks faster than it takes answers fills its own buffers, not
        // the listener's. Only one side may do so. If both did, neither would come to the answers that it waits for.
        while (this.#isFull()) await new Promise<void>((resolve) => (this.#roomMade = resolve))
        if (this.#closing) return
        this.#running.add(frame.id)
        void this.#answer(frame)
    }

    #isFull(): boolean {
        return this.#running.size >= this.#options.limits.concurrentRequests
    }

    async #answer(frame: Request): Promise<void> {
        const { type, id, chain } = frame
        try {
            // The table pairs each type with the handler of its body, which is lost on a union of types.
            const handler = this.#options.handlers[type] as Handler<RequestType> | undefined
            if (handler === undefined) throw new Refusal("unknown-message", { type })
            const body = await handler(frame.body, this, id)
            await this.#sent({ type: responseTo(type), id, chain, body } as Answer)
        } catch (error) {
            if (error instanceof Refusal) this.#turnDown(frame, error)
            // Whom the handler asked did not help it. That is no defect here, and nobody may make it look like one.
            else if (error instanceof PeerRefused || error instanceof Unanswered) {
                this.#turnDown(frame, new Refusal("busy"))
            } else this.#fault(error)
        } finally {
            this.#running.delete(id)
            this.#roomMade()
        }
    }

    async #takeNotice(frame: Notice): Promise<void> {
        const { onNotice } = this.#options
        try {
            if (onNotice === undefined) throw new Refusal("unknown-message", { type: frame.type })
            await onNotice(frame, this)
        } catch (error) {
            if (!(error instanceof Refusal)) throw error
            this.#turnDown(frame, error)
        }
    }

    #takeAnswer(frame: Answer): void {
        const outcome = this.#questions.take(frame)
        if (outcome === "unasked") this.#fail(frame.id)
        else if (outcome === "wrong-type") {
            this.#malformed(
                new DecodeError("frame.type", "not the answer to the request of this id", frame.id),
            )
        }
    }

    #otherChain(frame: Frame): void {
        this.#turnDown(frame, new Refusal("wrong-chain"))
    }

    /** Answers are never answered, or two peers that each find fault would go on for ever. */
    #turnDown(frame: Frame, refusal: Refusal): void {
        if (refusal.disposition !== "wait" && !this.#fail(frame.id)) return
        if (isAnswer(frame)) return
        this.#options.onRefusal?.(refusal.code)
        if (this.#refusing >= unreadRefusals) {
            this.close(closeCodes.slowReader, "refusals are not read")
            return
        }
        this.#refusing += 1
        // The chain is the asker's, who would not recognise the answer to another one's request.
        const answer = {
            type: "RespError",
            id: frame.id,
            chain: frame.chain,
            body: respError(refusal),
        } as const
        void this.#sent(answer).finally(() => (this.#refusing -= 1))
    }

    /** Counts a failure of the peer; false, and the connection closed, where it was one too many. */
    #fail(id: number): boolean {
        const { limits, clock } = this.#options
        const left = spend(this.#failures, limits.failures, clock.elapsed())
        if (left === undefined) this.#end(id, new Refusal("over-budget"), closeCodes.policy)
        else this.#failures = left
        return left !== undefined
    }

    #malformed({ id, path, problem }: DecodeError): void {
        this.#end(id, new Refusal("malformed", { path, problem }), closeCodes.malformed)
    }

    /** Says why and closes. The transport has the frame before the close, and nobody waits for a slow reader. */
    #end(id: number, refusal: Refusal, code: number): void {
        this.#options.onRefusal?.(refusal.code)
        this.#post({ type: "RespError", id, chain: this.#options.chain, body: respError(refusal) })
        this.close(code, refusal.code)
    }

    #fault(error: unknown): void {
        this.#options.onFault(error)
        this.close(closeCodes.fault, "internal error")
    }

    #send(frame: Frame): Promise<void> {
        return this.#options.channel.send(encodeFrame(frame))
    }

    /** For frames without a caller to tell: a channel that takes no more is closed, which the reader sees. */
    async #sent(frame: Frame): Promise<void> {
        const bytes = encodeFrame(frame)
        await this.#options.channel.send(bytes).catch(() => undefined)
    }

    #post(frame: Frame): void {
        this.#sent(frame).catch((error: unknown) => this.#fault(error))
    }
}

function isRequest(frame: Frame): frame is Request {
    return frame.type.startsWith("Req")
}

function isNotice(frame: Frame): frame is Notice {
    return frame.type === "Event" || frame.type === "Receipt" || frame.type === "RespError"
}

function isAnswer(frame: Frame): frame is Answer {
    return frame.type.startsWith("Resp")
}
