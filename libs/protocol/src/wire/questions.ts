import type { Clock } from "../ports/clock.ts"
import { untilAny } from "../ports/until-any.ts"
import type { Frame } from "./frame.ts"
import type { NoticeType, RequestType } from "./messages.ts"
import { PeerRefused, TimedOut } from "./resp-error.ts"
import type { Unanswered } from "./resp-error.ts"

/**
 * Both sides of a connection ask, each under ids of its own, so that a Receipt or RespError says by its id whose
 * request it is about: odd for the side that opened the connection, even for the side that accepted it.
 */
export type Side = "dialler" | "listener"

export type Answer = Exclude<Frame, { type: RequestType | NoticeType }>
type Body = Exclude<Answer, { type: "RespError" }>["body"]

type Waiting = {
    readonly type: RequestType
    readonly resolve: (body: Body) => void
    readonly reject: (reason: Error) => void
}

/** How many unanswered ids are remembered; whoever leaves more open than this has other troubles. */
const rememberedIds = 1024

/** What this side has asked and not yet been told. */
export class Questions {
    readonly #clock: Clock
    readonly #timeoutMs: number
    readonly #first: number
    readonly #waiting = new Map<number, Waiting>()
    /** Timed out or called off: their answers may still come, and are no offence. Oldest first. */
    readonly #abandoned = new Set<number>()
    #next: number
    #ended: Unanswered | undefined

    constructor(side: Side, clock: Clock, timeoutMs: number) {
        this.#first = side === "dialler" ? 1 : 2
        this.#next = this.#first
        this.#clock = clock
        this.#timeoutMs = timeoutMs
    }

    /** The wait starts now, so it covers the time that a slow transport takes for the request. */
    ask(type: RequestType, signal: AbortSignal | undefined): { id: number; answer: Promise<Body> } {
        const id = this.#freshId()
        return { id, answer: this.#answer(id, type, signal) }
    }

    isOurs(id: number): boolean {
        return id !== 0 && id % 2 === this.#first % 2
    }

    take(frame: Answer): "taken" | "unasked" | "wrong-type" {
        const waiting = this.#waiting.get(frame.id)
        if (waiting === undefined) return this.#abandoned.delete(frame.id) ? "taken" : "unasked"
        if (frame.type === "RespError") {
            waiting.reject(new PeerRefused(frame.body))
        } else {
            if (frame.type !== responseTo(waiting.type)) return "wrong-type"
            waiting.resolve(frame.body)
        }
        this.#waiting.delete(frame.id)
        return "taken"
    }

    /** Nothing more will be answered. */
    end(reason: Unanswered): void {
        this.#ended = reason
        for (const { reject } of this.#waiting.values()) reject(reason)
        this.#waiting.clear()
    }

    async #answer(id: number, type: RequestType, signal: AbortSignal | undefined): Promise<Body> {
        if (this.#ended !== undefined) throw this.#ended
        try {
            return await untilAny(signal === undefined ? [] : [signal], (over) =>
                Promise.race([
                    new Promise<Body>((resolve, reject) => {
                        this.#waiting.set(id, { type, resolve, reject })
                    }),
                    this.#tooLate(type, over),
                ]),
            )
        } finally {
            if (this.#waiting.delete(id)) this.#abandon(id)
        }
    }

    async #tooLate(type: RequestType, signal: AbortSignal): Promise<never> {
        await this.#clock.sleep(this.#timeoutMs, signal)
        throw new TimedOut(`${type}: no answer within ${this.#timeoutMs} ms`)
    }

    #abandon(id: number): void {
        this.#abandoned.add(id)
        if (this.#abandoned.size <= rememberedIds) return
        for (const oldest of this.#abandoned) {
            this.#abandoned.delete(oldest)
            return
        }
    }

    #freshId(): number {
        let id: number
        do {
            id = this.#next
            this.#next = id + 2 > 0xffffffff ? this.#first : id + 2
        } while (this.#waiting.has(id) || this.#abandoned.has(id))
        return id
    }
}

/** The name of a request's answer. */
export function responseTo(type: RequestType): string {
    return `Resp${type.slice("Req".length)}`
}
