import type { Clock } from "@tallylight/protocol/ports/clock.js"

/** setTimeout takes at most 2^31 - 1 ms, and may be a little early by the clock that `elapsed` reads. */
const longestTimerMs = 2 ** 31 - 1

export const systemClock: Clock = {
    now: () => Date.now(),

    elapsed: () => performance.now(),

    async sleep(ms, signal) {
        const end = performance.now() + ms
        for (;;) {
            signal?.throwIfAborted()
            const left = end - performance.now()
            if (left <= 0) return
            await timer(Math.min(Math.ceil(left), longestTimerMs), signal)
        }
    },
}

/** Also ends when the signal comes, which is for the caller to notice. */
function timer(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
        function wake(): void {
            clearTimeout(timeout)
            signal?.removeEventListener("abort", wake)
            resolve()
        }
        const timeout = setTimeout(wake, ms)
        signal?.addEventListener("abort", wake, { once: true })
    })
}
