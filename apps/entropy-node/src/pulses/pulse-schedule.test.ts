import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { afterEach, beforeEach, expect, test } from "vitest"

import { PulseDelayed } from "./pulse-maker.ts"
import { schedulePulses } from "./pulse-schedule.ts"

const minute = 60_000
const start = Date.UTC(2027, 11, 31, 23, 0)

let clock: ManualClock
let end: AbortController
let made: number[]
let told: string[]
let ended: Promise<void>
/** Why no pulse can be made now; undefined where one can. */
let obstacle: Error | undefined

beforeEach(() => {
    clock = new ManualClock(start)
    end = new AbortController()
    made = []
    told = []
    obstacle = undefined
    ended = Promise.resolve()
})

afterEach(async () => {
    end.abort()
    await ended
    expect(clock.waiting).toBe(0)
})

async function run(last?: number): Promise<void> {
    const make = (time: number): Promise<number> => {
        if (obstacle !== undefined)
            return Promise.reject(new PulseDelayed("there is no pulse", { cause: obstacle }))
        made.push(time)
        return Promise.resolve(time)
    }
    const onDelay = ({ message, cause }: PulseDelayed): unknown =>
        told.push(cause instanceof Error ? `${message}: ${cause.message}` : message)
    ended = schedulePulses(clock, minute, { last, make, onDelay }, end.signal)
    await settle()
}

test("a clock that is behind the last pulse is told once, and again when it is set back again", async () => {
    await run()
    await clock.advance(minute)
    expect([made, told]).toEqual([[start, start + minute], []])
    await clock.setTime(start - 10 * minute)
    await clock.advance(5 * minute)
    expect(told).toEqual(["the clock is behind the last pulse, of 2027-12-31T23:01:00.000Z"])
    await clock.advance(7 * minute)
    expect(made).toEqual([start, start + minute, start + 2 * minute])
    await clock.setTime(start)
    await clock.advance(5000)
    expect(told.slice(1)).toEqual(["the clock is behind the last pulse, of 2027-12-31T23:02:00.000Z"])
})

test("a clock that is behind the last pulse at a start is told", async () => {
    await run(start + 60 * minute)
    await clock.advance(5000)
    expect([made, told]).toEqual([[], ["the clock is behind the last pulse, of 2028-01-01T00:00:00.000Z"]])
})

test("the wait from one pulse to the next is no delay", async () => {
    await run(start)
    await clock.advance(10 * minute)
    expect(made).toHaveLength(10)
    expect(told).toEqual([])
})

test("each reason for a delay is told once, until it is another one or a pulse was made", async () => {
    obstacle = new Error("no key")
    await run()
    await clock.advance(10_000)
    expect(told).toEqual(["there is no pulse: no key"])
    obstacle = new Error("no source")
    await clock.advance(10_000)
    obstacle = new Error("no key")
    await clock.advance(10_000)
    expect(told.slice(1)).toEqual(["there is no pulse: no source", "there is no pulse: no key"])
    obstacle = undefined
    await clock.advance(1000)
    expect(made).toEqual([start])
    obstacle = new Error("no key")
    await clock.advance(minute)
    expect(told.slice(3)).toEqual(["there is no pulse: no key"])
})
