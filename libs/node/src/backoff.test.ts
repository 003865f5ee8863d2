import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { describe, expect, test } from "vitest"

import { backoff, retry } from "./backoff.ts"
import { UserError } from "./user-error.ts"

const limits = { baseMs: 100, maxMs: 5000 }
const least = (length: number): Uint8Array => new Uint8Array(length)
const most = (length: number): Uint8Array => new Uint8Array(length).fill(0xff)

describe("backoff", () => {
    test.each([
        [1, 50, 100],
        [2, 100, 200],
        [5, 800, 1600],
        [7, 2500, 5000],
        [5000, 2500, 5000],
    ])("after %i failures waits between %i and %i ms", (failures, from, to) => {
        expect(backoff(failures, limits, least)).toBe(from)
        expect(backoff(failures, limits, most)).toBe(to)
    })
})

describe("retry", () => {
    function failing(times: number, error: Error) {
        let calls = 0
        return (): Promise<number> => {
            calls += 1
            return calls <= times ? Promise.reject(error) : Promise.resolve(calls)
        }
    }

    test("goes on until the work succeeds, and says what it waits for", async () => {
        const clock = new ManualClock()
        const waits: unknown[] = []
        const { signal } = new AbortController()
        const onWait = (error: unknown, ms: number): number => waits.push([(error as Error).message, ms])
        const done = retry(failing(3, new Error("no answer")), {
            ...limits,
            clock,
            random: most,
            signal,
            onWait,
        })
        await clock.advance(699)
        expect(waits).toStrictEqual([
            ["no answer", 100],
            ["no answer", 200],
            ["no answer", 400],
        ])
        await clock.advance(1)
        expect(await done).toBe(4)
    })

    test("gives up on what only a person can mend", async () => {
        const waits: number[] = []
        const work = failing(1, new UserError("wrong address"))
        const options = {
            ...limits,
            clock: new ManualClock(),
            random: most,
            signal: new AbortController().signal,
            onWait: (_: unknown, ms: number) => waits.push(ms),
        }
        await expect(retry(work, options)).rejects.toThrow("wrong address")
        expect(waits).toStrictEqual([])
    })

    test("rejects with the signal's reason, while it waits and before it begins", async () => {
        const stop = new AbortController()
        const clock = new ManualClock()
        const work = failing(Infinity, new Error("no answer"))
        const options = { ...limits, clock, random: most, signal: stop.signal, onWait: () => undefined }
        const outcome = retry(work, options).catch((error: unknown) => error)
        await clock.advance(150)
        stop.abort(new Error("enough"))
        expect(await outcome).toBe(stop.signal.reason)
        await expect(retry(() => Promise.resolve(1), options)).rejects.toThrow("enough")
    })
})
