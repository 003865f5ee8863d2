import type { UnixMs } from "../ports/clock.ts"

/** How many failures a peer may cause at once, and how fast that allowance comes back. */
export type Budget = { readonly burst: number; readonly perMinute: number }

export type Bucket = { readonly tokens: number; readonly at: UnixMs }

export function fullBucket(budget: Budget, now: UnixMs): Bucket {
    return { tokens: budget.burst, at: now }
}

/** The bucket with one token less, or undefined where there is none to take. */
export function spend(bucket: Bucket, budget: Budget, now: UnixMs): Bucket | undefined {
    // A clock that was set back must not take tokens away.
    const minutes = Math.max(0, now - bucket.at) / 60_000
    const tokens = Math.min(budget.burst, bucket.tokens + minutes * budget.perMinute)
    return tokens < 1 ? undefined : { tokens: tokens - 1, at: now }
}
