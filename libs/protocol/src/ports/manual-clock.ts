import type { Clock, UnixMs } from "./clock.ts"

type Waiter = { readonly time: UnixMs; readonly resolve: () => void }

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
    #now: UnixMs
    /** By time; waiters for the same time in the order in which they came. */
    #waiters: readonly Waiter[] = []

    constructor(now: UnixMs = 0) {
        this.#now = now
    }

    now(): UnixMs {
        return this.#now
    }

    /** How many wait: none, if whoever stopped waiting said so. */
    get waiting(): number {
        return this.#waiters.length
    }

    until(time: UnixMs, signal?: AbortSignal): Promise<void> {
        return new Promise((resolve, reject) => {
            signal?.throwIfAborted()
            if (this.#now >= time) {
                resolve()
                return
            }
            const waiter: Waiter = { time, resolve: done }
            const calledOff = (): void => {
                this.#waiters = this.#waiters.filter((other) => other !== waiter)
                // AbortSignal's reason is whatever abort() was given, an Error unless somebody chose otherwise.
                reject(signal?.reason as Error)
            }
            function done(): void {
                signal?.removeEventListener("abort", calledOff)
                resolve()
            }
            signal?.addEventListener("abort", calledOff, { once: true })
            this.#waiters = [...this.#waiters, waiter].sort((a, b) => a.time - b.time)
        })
    }

    /** Goes from one awaited time to the next, and lets each waiter run as far as it gets before the next one. */
    async advance(ms: number): Promise<void> {
        const target = this.#now + ms
        await settle()
        for (
            let next = this.#waiters[0];
            next !== undefined && next.time <= target;
            next = this.#waiters[0]
        ) {
            this.#now = Math.max(this.#now, next.time)
            this.#waiters = this.#waiters.slice(1)
            next.resolve()
            await settle()
        }
        this.#now = target
    }

    /** Sets the clock, as an operator or a time server would: forwards or back, in one step. */
    async setTime(time: UnixMs): Promise<void> {
        this.#now = time
        const due = this.#waiters.filter((waiter) => waiter.time <= time)
        this.#waiters = this.#waiters.filter((waiter) => waiter.time > time)
        for (const waiter of due) waiter.resolve()
        await settle()
    }
}

/** Resolves in a later turn of the event loop, when no promise that could go on is left. */
export function settle(): Promise<void> {
    return new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel()
        port1.addEventListener("message", () => {
            port1.close()
            resolve()
        })
        port1.start()
        port2.postMessage(undefined)
    })
}
