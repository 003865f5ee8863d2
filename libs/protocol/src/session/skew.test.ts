import { describe, expect, test } from "vitest"
import { ManualClock } from "../ports/manual-clock.ts"
import { LedgerTime, SkewWatch } from "./skew.ts"
import type { Skew } from "./skew.ts"

const minute = 60_000

describe("SkewWatch", () => {
    const verdicts = (...differences: number[]) => {
        const watch = new SkewWatch(1000)
        return differences.map((difference) => watch.notices(difference))
    }

    test("says nothing of what is tolerable", () => {
        expect(verdicts(0, 1000, -1000)).toEqual([undefined, undefined, undefined])
    })

    test("says each change once, however often it is asked", () => {
        const asked = verdicts(5000, 5000, 5100, -5000, -5000, 0, 0, 5000)
        expect(asked).toEqual(["off", undefined, undefined, "off", undefined, "right", undefined, "off"])
    })

    test("says no more than a few times that a clock stands, or that the other one makes good", () => {
        const standing = Array.from({ length: 3600 }, (_, second) => second * 1000)
        expect(verdicts(...standing).filter((news) => news === "off")).toHaveLength(11)
        expect(verdicts(...standing.reverse()).filter((news) => news !== undefined)).toHaveLength(12)
    })

    test("does not go to and fro at the limit", () => {
        expect(verdicts(1001, 999, 1001, 999, 500)).toEqual(["off", undefined, undefined, undefined, "right"])
    })
})

describe("LedgerTime", () => {
    function greeted(clockAheadMs = 0) {
        const clock = new ManualClock(1_800_000_000_000)
        const skews: Skew[] = []
        const time = new LedgerTime(clock, (skew) => skews.push(skew))
        time.greeted({ clockAheadMs })
        return { clock, time, skews }
    }

    test("is silent while both clocks go the same", async () => {
        const { clock, time, skews } = greeted(3000)
        await clock.advance(10 * minute)
        time.look()
        time.dated(clock.now())
        expect(skews).toEqual([])
    })

    test.each([minute, -minute])("says once that the server's clock was %i ms ahead", (clockAheadMs) => {
        const { time, skews } = greeted(clockAheadMs)
        time.look()
        time.greeted({ clockAheadMs })
        expect(skews).toEqual([{ aheadMs: clockAheadMs, moved: "neither", isOff: true }])
    })

    test.each([minute, -minute])(
        "says that this machine's clock was set by %i ms, and set right",
        async (ms) => {
            const { clock, time, skews } = greeted()
            await clock.setTime(clock.now() + ms)
            time.look()
            time.look()
            await clock.setTime(clock.now() - ms)
            time.look()
            expect(skews).toEqual([
                { aheadMs: -ms, moved: "machine", isOff: true },
                { aheadMs: 0, moved: "neither", isOff: false },
            ])
        },
    )

    test("says that this machine's clock stands", async () => {
        const { clock, time, skews } = greeted()
        clock.stopWall()
        await clock.advance(minute)
        time.look()
        expect(skews).toEqual([{ aheadMs: minute, moved: "machine", isOff: true }])
    })

    test("says once that entries are dated in the future", async () => {
        const { clock, time, skews } = greeted()
        for (let at = 0; at < 10; at += 1) {
            await clock.advance(1000)
            time.dated(clock.now() + minute)
        }
        expect(skews).toEqual([{ aheadMs: minute, moved: "ledger", isOff: true }])
    })

    test("takes entries of the past for what they are", async () => {
        const { clock, time, skews } = greeted()
        time.dated(clock.now() - 100 * minute)
        await clock.advance(1000)
        time.look()
        expect(skews).toEqual([])
    })
})
