/**
 * When a periodic chain has its pulses: one for each multiple of its period since 1970, made within the period that it
 * begins or not at all. Whatever is done to the wall clock, no instant has two: where it is set back, the chain waits
 * until time goes on from its last pulse; where it is set forward, there is a gap.
 */
import type { Clock, UnixMs } from "@tallylight/protocol/ports/clock.js"

import { PulseDelayed } from "./pulse-maker.ts"

/** The longest that is slept at a time: so soon it is noticed that the clock was set. */
const lookMs = 1000

export type ScheduledPulses = {
    /** The time of the chain's last pulse so far. */
    readonly last: UnixMs | undefined
    /** Resolves to the time of what is the last pulse now. */
    readonly make: (time: UnixMs) => Promise<UnixMs>
    /** Told of each try that failed and will be repeated. */
    readonly onDelay: (error: PulseDelayed) => void
}

/** Goes on until the signal comes; rejects with what trying again does not help against. */
export async function schedulePulses(
    clock: Clock,
    period: number,
    { last, make, onDelay }: ScheduledPulses,
    signal: AbortSignal,
): Promise<void> {
    let made = last
    for (;;) {
        try {
            signal.throwIfAborted()
            made = await make(await awaitInstant(clock, period, made, signal))
        } catch (error) {
            if (signal.aborted) return
            if (!(error instanceof PulseDelayed)) throw error
            onDelay(error)
            await clock.sleep(Math.min(period, lookMs), signal).catch(() => undefined)
        }
    }
}

/** Resolves within the next period of which the pulse can follow one of the time `last`, to its first millisecond. */
export async function awaitInstant(
    clock: Clock,
    period: number,
    last: UnixMs | undefined,
    signal?: AbortSignal,
): Promise<UnixMs> {
    for (;;) {
        const now = clock.now()
        const instant = now - (now % period)
        if (last === undefined || instant >= last + period) return instant
        await clock.sleep(Math.min(instant + period - now, lookMs), signal)
    }
}
