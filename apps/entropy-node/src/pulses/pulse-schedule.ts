/**
 * When a periodic chain has its pulses: one for each multiple of its period since 1970, begun within the period of that
 * instant or not at all. What was begun is published whenever the holder of the key signs it, before any later one, and
 * keeps its time: it may be hours late, and the pulse after it then says that there is a gap. Whatever is done to the wall clock, no instant has two: where it is set back, the chain waits
 * until time goes on from its last pulse; where it is set forward, there is a gap.
 */
import type { Clock, UnixMs } from "@tallylight/protocol/ports/clock.js"

import { PulseDelayed } from "./pulse-maker.ts"

/** The longest that is slept at a time: so soon it is noticed that the clock was set. */
const lookMs = 1000

export type ScheduledPulses = {
    /** The time of the chain's last pulse so far. */
    readonly last: UnixMs | undefined
    /** Resolves to the time of what is the last pulse now, which may be one that was begun long before. */
    readonly make: (time: UnixMs) => Promise<UnixMs>
    /** Told why the next pulse has to wait: once, until it is another reason, or a pulse was made. */
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
    let told: string | undefined
    const tell = (error: PulseDelayed): void => {
        const reason = reasonOf(error)
        if (reason !== told) onDelay(error)
        told = reason
    }
    for (;;) {
        try {
            signal.throwIfAborted()
            made = await make(await awaitInstant(clock, period, made, signal, tell))
            told = undefined
        } catch (error) {
            if (signal.aborted) return
            if (!(error instanceof PulseDelayed)) throw error
            tell(error)
            await clock.sleep(Math.min(period, lookMs), signal).catch(() => undefined)
        }
    }
}

function reasonOf({ message, cause }: PulseDelayed): string {
    return cause instanceof Error ? `${message}: ${cause.message}` : message
}

/**
 * Resolves within the next period of which the pulse can follow one of the time `last`, to its first millisecond. A
 * clock that was set ahead for a while can make that take days: `onBehind` is told at each look at one behind `last`.
 */
async function awaitInstant(
    clock: Clock,
    period: number,
    last: UnixMs | undefined,
    signal: AbortSignal,
    onBehind: (error: PulseDelayed) => void,
): Promise<UnixMs> {
    for (;;) {
        const now = clock.now()
        const instant = now - (now % period)
        if (last === undefined || instant >= last + period) return instant
        if (now < last) {
            onBehind(
                new PulseDelayed(`the clock is behind the last pulse, of ${new Date(last).toISOString()}`),
            )
        }
        await clock.sleep(Math.min(instant + period - now, lookMs), signal)
    }
}
