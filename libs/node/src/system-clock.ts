import type { Clock } from "@tallylight/protocol/ports/clock.js"

/**
 * setTimeout counts elapsed time and takes at most 2^31 ms; the clock may be set meanwhile. Looking at the clock
 * once a minute serves both.
 */
const longestSleepMs = 60_000

export const systemClock: Clock = {
    now: () => Date.now(),

    async until(time, signal) {
        for (;;) {
            signal?.throwIfAborted()
            const left = time - Date.now()
            if (left <= 0) return
            await sleep(Math.min(left, longestSleepMs), signal)
        }
    },
}

/** Also ends when the signal comes, which is for the caller to notice. */
function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
        function wake(): void {
            clearTimeout(timer)
            signal?.removeEventListener("abort", wake)
            resolve()
        }
        const timer = setTimeout(wake, ms)
        signal?.addEventListener("abort", wake, { once: true })
    })
}
