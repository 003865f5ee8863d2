import type { Clock, UnixMs } from "./clock.ts"

type Waiter = { readonly time: number; readonly resolve: () => void }

/** How far time has gone, for every machine in a test; waiters for the same moment in the order in which they came. */
type Timeline = { elapsed: number; waiters: readonly Waiter[] }

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
    readonly #timeline: Timeline
    /** The wall clock as it was set, and when. */
    #wall: UnixMs
    #setAt: number
    #wallStands = false

    constructor(now: UnixMs = 0, timeline: Timeline = { elapsed: 0, waiters: [] }) {
        this.#timeline = timeline
        this.#wall = now
        this.#setAt = timeline.elapsed
    }

    /** For another machine: time passes on both at once, and each wall clock goes wrong by itself. */
    ofAnotherMachine(): ManualClock {
        return new ManualClock(this.now(), this.#timeline)
    }

    now(): UnixMs {
        return this.#wallStands ? this.#wall : this.#wall + this.elapsed() - this.#setAt
    }

    elapsed(): number {
        return this.#timeline.elapsed
    }

    /** How many wait: none, if whoever stopped waiting said so. */
    get waiting(): number {
        return this.#timeline.waiters.length
    }

    sleep(ms: number, signal?: AbortSignal): Promise<void> {
        const timeline = this.#timeline
        return new Promise((resolve, reject) => {
            signal?.throwIfAborted()
            if (ms <= 0) {
                resolve()
                return
            }
            const waiter: Waiter = { time: timeline.elapsed + ms, resolve: done }
            const calledOff = (): void => {
                timeline.waiters = timeline.waiters.filter((other) => other !== waiter)
                // AbortSignal's reason is whatever abort() was given, an Error unless somebody chose otherwise.
                reject(signal?.reason as Error)
            }
            function done(): void {
                signal?.removeEventListener("abort", calledOff)
                resolve()
            }
            signal?.addEventListener("abort", calledOff, { once: true })
            timeline.waiters = [...timeline.waiters, waiter].sort((a, b) => a.time - b.time)
        })
    }

    /** Goes from one awaited moment to the next, and lets each waiter run as far as it gets before the next one. */
    async advance(ms: number): Promise<void> {
        const timeline = this.#timeline
        const target = timeline.elapsed + ms
        await settle()
        for (
            let next = timeline.waiters[0];
            next !== undefined && next.time <= target;
            next = timeline.waiters[0]
        ) {
            timeline.elapsed = next.time
            timeline.waiters = timeline.waiters.slice(1)
            next.resolve()
            await settle()
        }
        timeline.elapsed = target
    }

    /** Sets the wall clock in one step, as a person, a time server or the end of a suspension does. No time passes. */
    async setTime(time: UnixMs): Promise<void> {
        this.#wall = time
        this.#setAt = this.elapsed()
        this.#wallStands = false
        await settle()
    }

    /** The wall clock shows the same time from now on, as it does where the hardware fails; until it is set. */
    stopWall(): void {
        this.#wall = this.now()
        this.#wallStands = true
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
