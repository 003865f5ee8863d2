import type { Clock } from "@tallylight/protocol/ports/clock.js"

/** For tests of one who waits alone: time passes only while it sleeps, and then at once. */
export class LeapingClock implements Clock {
    #elapsed = 0

    now(): number {
        return this.#elapsed
    }

    elapsed(): number {
        return this.#elapsed
    }

    /** Time passes without anybody having slept: the machine was late. */
    leap(ms: number): void {
        this.#elapsed += ms
    }

    sleep(ms: number, signal?: AbortSignal): Promise<void> {
        return new Promise((resolve) => {
            signal?.throwIfAborted()
            this.#elapsed += Math.max(0, ms)
            resolve()
        })
    }
}
