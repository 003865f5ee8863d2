import type { Clock, Random } from "@tallylight/protocol/ports/clock.js"

import { UserError } from "./user-error.ts"

export type BackoffLimits = { readonly baseMs: number; readonly maxMs: number }

/**
 * How long to wait after the nth failure in a row, counted from 1. The upper half of the time is left to chance,
 * or everybody whom one failure hit would come back at the same moment.
 */
export function backoff(failures: number, { baseMs, maxMs }: BackoffLimits, random: Random): number {
    const ms = Math.min(maxMs, baseMs * 2 ** (failures - 1))
    const [high = 0, low = 0] = random(2)
    return Math.round(ms / 2 + ((ms / 2) * (high * 256 + low)) / 0xffff)
}

export type RetryOptions = BackoffLimits & {
    readonly clock: Clock
    readonly random: Random
    readonly signal: AbortSignal
    /** Called before each wait, with what went wrong and how long the wait will be. */
    readonly onWait: (error: unknown, ms: number) => void
}

/**
 * Does the work again and again until it succeeds. Rejects with a {@link UserError} of the work, which no waiting
 * mends, and with the signal's reason.
 */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
    const { clock, random, signal, onWait } = options
    for (let failures = 1; ; failures += 1) {
        signal.throwIfAborted()
        try {
            return await work()
        } catch (error) {
            if (error instanceof UserError) throw error
            signal.throwIfAborted()
            const ms = backoff(failures, options, random)
            onWait(error, ms)
            await clock.sleep(ms, signal)
        }
    }
}
