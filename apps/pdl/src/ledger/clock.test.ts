import type { OpenRound } from "@tallylight/protocol/ledger/state.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { describe, expect, test } from "vitest"
import { LedgerClock } from "./clock.ts"

const hour = 3_600_000
const start = 1_800_000_000_000
const idle = { time: start, current: undefined }
const busy = { time: start, current: {} as OpenRound }

/** A clock that was right until now, and everything that the ledger's clock said of it. */
function started(state: ConstructorParameters<typeof LedgerClock>[1] = idle) {
    const clock = new ManualClock(start)
    const said: [aheadMs: number, isOff: boolean][] = []
    const ledger = new LedgerClock(clock, state, (aheadMs, isOff) => said.push([aheadMs, isOff]))
    return { clock, ledger, said }
}

describe("in a round", () => {
    test("goes as fast as time elapses", async () => {
        const { clock, ledger, said } = started(busy)
        await clock.advance(1234)
        expect([ledger.read(busy) - start, ledger.aheadMs, said]).toEqual([1234, 0, []])
    })

    test("goes no faster after the wall clock was set an hour ahead, and follows when the round is over", async () => {
        const { clock, ledger, said } = started(busy)
        await clock.advance(1000)
        await clock.setTime(start + hour)
        expect(ledger.read(busy) - start).toBe(1000)
        await clock.advance(1000)
        expect(ledger.read(busy) - start).toBe(2000)
        expect(said).toEqual([[1000 - hour, true]])
        expect(ledger.read(idle) - start).toBe(hour + 1000)
        expect(said.slice(1)).toEqual([[0, false]])
    })

    test("goes a tenth slower after the wall clock was set back, until both agree", async () => {
        const { clock, ledger, said } = started(busy)
        await clock.setTime(start - 60_000)
        await clock.advance(10_000)
        expect([ledger.read(busy) - start, ledger.aheadMs]).toEqual([9000, 59_000])
        await clock.advance(590_000)
        expect([ledger.read(busy) - start, ledger.aheadMs]).toEqual([540_000, 0])
        await clock.advance(1000)
        expect(ledger.read(busy) - start).toBe(541_000)
        expect(said).toEqual([
            [59_000, true],
            [0, false],
        ])
    })

    test("goes on while the wall clock stands", async () => {
        const { clock, ledger } = started(busy)
        clock.stopWall()
        await clock.advance(10_000)
        expect(ledger.read(busy) - start).toBe(9000)
    })
})

test("between rounds it follows a wall clock that was set ahead, but not back", async () => {
    const { clock, ledger } = started()
    await clock.setTime(start + hour)
    expect(ledger.read(idle) - start).toBe(hour)
    await clock.setTime(start)
    await clock.advance(1000)
    expect(ledger.read(idle) - start).toBe(hour + 900)
})

test("many readings lose no time", async () => {
    const { clock, ledger } = started()
    await clock.setTime(start - hour)
    for (let at = 0; at < 1000; at += 1) {
        await clock.advance(1)
        ledger.read(idle)
    }
    // Binary fractions of a millisecond, none of which is a millisecond lost.
    expect(ledger.read(idle) - start).toBeGreaterThanOrEqual(899)
})

describe("after a restart", () => {
    test("is where the wall clock is", () => {
        expect(started({ ...busy, time: start - hour }).ledger.read(busy)).toBe(start)
    })

    test("goes on from the last entry where that is dated ahead, and says so at once", async () => {
        const { clock, ledger, said } = started({ ...busy, time: start + hour })
        await clock.advance(1000)
        expect([ledger.read(busy) - start - hour, said]).toEqual([900, [[hour, true]]])
    })
})

describe("waiting for a deadline", () => {
    const never = new AbortController().signal

    test("ends neither early nor late when the wall clock is set ahead", async () => {
        const { clock, ledger } = started(busy)
        let over = false
        void ledger.until(start + 10_000, busy, never).then(() => (over = true))
        await clock.setTime(start + hour)
        await clock.advance(9999)
        expect(over).toBe(false)
        await clock.advance(1)
        expect(over).toBe(true)
    })

    test("ends when the ledger's slower time has come there after the wall clock was set back", async () => {
        const { clock, ledger } = started(busy)
        let over = false
        void ledger.until(start + 9000, busy, never).then(() => (over = true))
        await clock.setTime(start - hour)
        await clock.advance(9999)
        expect(over).toBe(false)
        await clock.advance(2)
        expect(over).toBe(true)
    })

    test("ends soon after the wall clock was set ahead while no round was in progress", async () => {
        const { clock, ledger } = started()
        let over = false
        void ledger.until(start + hour, idle, never).then(() => (over = true))
        await clock.setTime(start + hour)
        await clock.advance(1000)
        expect(over).toBe(true)
    })

    test("can be called off", async () => {
        const { clock, ledger } = started()
        const off = new AbortController()
        const waiting = ledger.until(Infinity, idle, off.signal)
        off.abort(new Error("a commit"))
        await expect(waiting).rejects.toThrow("a commit")
        await settle()
        expect(clock.waiting).toBe(0)
    })
})
