import { expect, test } from "vitest"

import { fullBucket, spend, type Bucket } from "./budget.ts"

const budget = { burst: 3, perMinute: 6 }

/** How many failures go through at these times. */
function spent(...times: number[]): boolean[] {
    let bucket: Bucket = fullBucket(budget, 0)
    return times.map((now) => {
        const left = spend(bucket, budget, now)
        bucket = left ?? bucket
        return left !== undefined
    })
}

test("allows a burst and then nothing", () => {
    expect(spent(0, 0, 0, 0)).toStrictEqual([true, true, true, false])
})

test("gives back one token every ten seconds", () => {
    expect(spent(0, 0, 0, 9_999, 10_000, 10_001)).toStrictEqual([true, true, true, false, true, false])
})

test("saves no more than a burst", () => {
    const hour = 3_600_000
    expect(spent(0, hour, hour, hour, hour)).toStrictEqual([true, true, true, true, false])
})
