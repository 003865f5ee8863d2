import { describe, expect, test } from "vitest"

import { ManualClock, settle } from "./manual-clock.ts"

describe("ManualClock", () => {
    test("stands still until it is advanced", async () => {
        const clock = new ManualClock(1000)
        let reached = false
        const waiting = clock.sleep(10).then(() => (reached = true))
        await settle()
        expect([clock.now(), clock.elapsed(), reached]).toStrictEqual([1000, 0, false])
        await clock.advance(9)
        expect([clock.now(), clock.elapsed(), reached]).toStrictEqual([1009, 9, false])
        await clock.advance(1)
        expect([clock.now(), clock.elapsed(), reached]).toStrictEqual([1010, 10, true])
        await waiting
    })

    test("does not wait for what has passed", async () => {
        const clock = new ManualClock(1000)
        await expect(clock.sleep(0)).resolves.toBeUndefined()
        await expect(clock.sleep(-1)).resolves.toBeUndefined()
    })

    test("lets each waiter see its own time, and those it causes", async () => {
        const clock = new ManualClock()
        const seen: string[] = []
        async function every(name: string, ms: number): Promise<void> {
            for (let i = 1; i <= 3; i += 1) {
                await clock.sleep(ms)
                seen.push(`${name}${clock.now()}`)
            }
        }
        const running = [every("b", 20), every("a", 10)]
        await clock.advance(60)
        await Promise.all(running)
        expect(seen).toStrictEqual(["a10", "b20", "a20", "a30", "b40", "b60"])
        expect(clock.now()).toBe(60)
    })

    test("rejects with the signal's reason, before or while it waits", async () => {
        const clock = new ManualClock()
        const stop = new AbortController()
        const waiting = clock.sleep(10, stop.signal)
        stop.abort(new Error("enough"))
        await expect(waiting).rejects.toThrow("enough")
        await expect(clock.sleep(10, stop.signal)).rejects.toThrow("enough")
        await expect(clock.sleep(0, stop.signal)).rejects.toThrow("enough")
        expect(clock.waiting).toBe(0)
        await clock.advance(20)
    })

    test("wakes nobody, early or late, when its wall clock is set", async () => {
        const clock = new ManualClock(100)
        const seen: number[] = []
        const waiting = clock.sleep(10).then(() => seen.push(clock.now()))
        await clock.setTime(5000)
        expect([clock.now(), clock.elapsed(), seen]).toStrictEqual([5000, 0, []])
        await clock.setTime(50)
        await clock.advance(10)
        expect([clock.elapsed(), seen]).toStrictEqual([10, [60]])
        await waiting
    })

    test("goes on elapsing while its wall clock stands", async () => {
        const clock = new ManualClock(100)
        clock.stopWall()
        await clock.advance(10)
        expect([clock.now(), clock.elapsed()]).toStrictEqual([100, 10])
        await clock.setTime(200)
        await clock.advance(10)
        expect([clock.now(), clock.elapsed()]).toStrictEqual([210, 20])
    })

    test("shares the passing of time with the clock of another machine, and no more", async () => {
        const clock = new ManualClock(100)
        const other = clock.ofAnotherMachine()
        await other.setTime(7000)
        let reached = false
        const waiting = other.sleep(10).then(() => (reached = true))
        await clock.advance(10)
        expect([clock.now(), other.now(), reached]).toStrictEqual([110, 7010, true])
        await waiting
    })
})
