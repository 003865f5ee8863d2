import { describe, expect, test } from "vitest"

import { systemClock } from "./system-clock.ts"
import { systemRandom } from "./system-random.ts"

describe("systemClock", () => {
    test("is not early", async () => {
        for (const ms of [1, 5, 20]) {
            const before = systemClock.elapsed()
            await systemClock.sleep(ms)
            expect(systemClock.elapsed() - before).toBeGreaterThanOrEqual(ms)
        }
    })

    test("does not wait for what has passed", async () => {
        await systemClock.sleep(-1)
        await systemClock.sleep(0)
    })

    test("sleeps for longer than any timer", async () => {
        const stop = new AbortController()
        const warnings: Error[] = []
        const heard = (warning: Error): number => warnings.push(warning)
        process.on("warning", heard)
        let over = false
        const outcome = systemClock
            .sleep(2 ** 40, stop.signal)
            .catch((error: unknown) => error)
            .finally(() => (over = true))
        // setTimeout takes such a time for 1 ms, and warns.
        await systemClock.sleep(50)
        process.off("warning", heard)
        expect(warnings).toStrictEqual([])
        expect(over).toBe(false)
        stop.abort(new Error("enough"))
        expect(await outcome).toBe(stop.signal.reason)
    })

    test("rejects with the reason of a signal that has come before", async () => {
        const signal = AbortSignal.abort(new Error("enough"))
        await expect(systemClock.sleep(0, signal)).rejects.toThrow("enough")
    })
})

describe("systemRandom", () => {
    test("gives plain bytes, others each time", () => {
        const drawn = systemRandom(32)
        expect(Object.getPrototypeOf(drawn)).toBe(Uint8Array.prototype)
        expect(drawn).toHaveLength(32)
        expect(systemRandom(32)).not.toStrictEqual(drawn)
        expect(systemRandom(0)).toHaveLength(0)
    })
})
