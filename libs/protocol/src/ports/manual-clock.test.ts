import { describe, expect, test } from "vitest"

import { ManualClock, settle } from "./manual-clock.ts"

describe("ManualClock", () => {
    test("stands still until it is advanced", async () => {
        const clock = new ManualClock(1000)
        let reached = false
        const waiting = clock.until(1010).then(() => (reached = true))
        await settle()
        expect([clock.now(), reached]).toStrictEqual([1000, false])
        await clock.advance(9)
        expect([clock.now(), reached]).toStrictEqual([1009, false])
        await clock.advance(1)
        expect([clock.now(), reached]).toStrictEqual([1010, true])
        await waiting
    })

    test("does not wait for what has passed", async () => {
        const clock = new ManualClock(1000)
        await expect(clock.until(1000)).resolves.toBeUndefined()
        await expect(clock.until(0)).resolves.toBeUndefined()
    })

    test("lets each waiter see its own time, and those it causes", async () => {
        const clock = new ManualClock()
        const seen: string[] = []
        async function every(name: string, ms: number): Promise<void> {
            for (let i = 1; i <= 3; i += 1) {
                await clock.until(i * ms)
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
        const waiting = clock.until(10, stop.signal)
        stop.abort(new Error("enough"))
        await expect(waiting).rejects.toThrow("enough")
        await expect(clock.until(10, stop.signal)).rejects.toThrow("enough")
        await expect(clock.until(0, stop.signal)).rejects.toThrow("enough")
        await clock.advance(20)
    })

    test("jumps forwards in one step and back without undoing anything", async () => {
        const clock = new ManualClock(100)
        const seen: number[] = []
        const waiting = [110, 120].map((time) => clock.until(time).then(() => seen.push(clock.now())))
        await clock.setTime(130)
        expect(seen).toStrictEqual([130, 130])
        await clock.setTime(50)
        expect(clock.now()).toBe(50)
        waiting.push(clock.until(60).then(() => seen.push(clock.now())))
        await settle()
        expect(seen).toHaveLength(2)
        await clock.advance(10)
        expect(seen).toStrictEqual([130, 130, 60])
        await Promise.all(waiting)
    })
})
