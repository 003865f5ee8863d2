/** How many failures a peer may cause at once, and how fast that allowance comes back. */
export type Budget = { readonly burst: number; readonly perMinute: number }

/** As it was when the clock had `elapsed` that many milliseconds. */
export type Bucket = { readonly tokens: number; readonly elapsed: number }

export function fullBucket(budget: Budget, elapsed: number): Bucket {
    return { tokens: budget.burst, elapsed }
}

/** The bucket with so many tokens less, or undefined where it has not as many. */
export function spend(bucket: Bucket, budget: Budget, elapsed: number, cost = 1): Bucket | undefined {
    const minutes = (elapsed - bucket.elapsed) / 60_000
    const tokens = Math.min(budget.burst, bucket.tokens + minutes * budget.perMinute)
    return tokens < cost ? undefined : { tokens: tokens - cost, elapsed }
}
