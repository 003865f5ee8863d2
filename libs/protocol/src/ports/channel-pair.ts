import type { Channel, CloseReason } from "./channel.ts"
import type { Clock } from "./clock.ts"

/** The line between the two ends of a pair. */
export type Line = {
    /** Both ends close as after a lost connection; frames that are under way never arrive. */
    readonly cut: () => void
}

export type LineOptions = {
    /** How many frames a direction holds, under way or unread, before `send` waits. */
    readonly capacity?: number
    /** Every frame, and a close, takes this long, as it is when it is sent; they arrive in their order all the same. */
    readonly latency?: { readonly clock: Clock; readonly ms: number }
}

/** Two ends of one channel in memory. It delays and loses as told, and never reorders. */
export function channelPair({ capacity = 16, latency }: LineOptions = {}): [Channel, Channel, Line] {
    const left = new End(capacity)
    const right = new End(capacity)
    left.connect(right, travel(latency))
    right.connect(left, travel(latency))
    return [
        left,
        right,
        {
            cut() {
                left.finish({ code: 1006, reason: "connection lost" })
                right.finish({ code: 1006, reason: "connection lost" })
            },
        },
    ]
}

/** Runs what is sent in one direction, in order, each when its time has come. */
type Travel = (arrive: () => void) => void

function travel(latency: LineOptions["latency"]): Travel {
    if (latency === undefined) return (arrive) => arrive()
    const { clock } = latency
    let previous = Promise.resolve()
    return (arrive) => {
        const due = clock.elapsed() + latency.ms
        previous = previous.then(() => clock.sleep(due - clock.elapsed())).then(arrive)
    }
}

class End implements Channel {
    readonly closed: Promise<CloseReason>
    readonly frames: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => this.#iterate() }
    readonly #capacity: number
    readonly #arrived: Uint8Array[] = []
    /** Sends of this end that wait for room, oldest first. */
    readonly #waiting: { resolve: () => void; reject: (reason: Error) => void }[] = []
    /** Frames that this end has sent and the other has not pulled. */
    #unpulled = 0
    #other: End | undefined
    #travel: Travel = (arrive) => arrive()
    #resolveClosed: (reason: CloseReason) => void = () => undefined
    #finished = false
    #iterated = false
    #wake: () => void = () => undefined

    constructor(capacity: number) {
        this.#capacity = capacity
        this.closed = new Promise((resolve) => {
            this.#resolveClosed = resolve
        })
    }

    connect(other: End, travel: Travel): void {
        this.#other = other
        this.#travel = travel
    }

    send(frame: Uint8Array): Promise<void> {
        if (this.#finished) return Promise.reject(new Error("the channel is closed"))
        const copy = new Uint8Array(frame)
        this.#unpulled += 1
        this.#travel(() => this.#other?.arrive(copy))
        if (this.#unpulled <= this.#capacity) return Promise.resolve()
        return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
    }

    close(code: number, reason: string): void {
        if (this.#finished) return
        this.finish({ code, reason })
        this.#travel(() => this.#other?.finish({ code, reason }))
    }

    arrive(frame: Uint8Array): void {
        if (this.#finished) return
        this.#arrived.push(frame)
        this.#wake()
    }

    pulled(): void {
        this.#unpulled -= 1
        this.#waiting.shift()?.resolve()
    }

    finish(reason: CloseReason): void {
        if (this.#finished) return
        this.#finished = true
        this.#resolveClosed(reason)
        for (const { reject } of this.#waiting.splice(0)) reject(new Error("the channel is closed"))
        this.#wake()
    }

    #iterate(): AsyncGenerator<Uint8Array, void> {
        if (this.#iterated) throw new Error("the frames of a channel are iterated once")
        this.#iterated = true
        return this.#pull()
    }

    async *#pull(): AsyncGenerator<Uint8Array, void> {
        for (;;) {
            const frame = this.#arrived.shift()
            if (frame !== undefined) {
                this.#other?.pulled()
                yield frame
            } else if (this.#finished) {
                return
            } else {
                await new Promise<void>((resolve) => {
                    this.#wake = resolve
                })
            }
        }
    }
}
