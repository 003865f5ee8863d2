import { FortunaGenerator } from "@tallylight/entropy/fortuna.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { beforeEach, describe, expect, test } from "vitest"
import { NotReady } from "../core/node-core.ts"
import { Amplifier, mostAtOnce } from "./amplifier.ts"
import { fortunaPrimitives } from "../core/fortuna-primitives.ts"
import { TwinCore } from "./twin-core.ts"

const limits = { ms: 1000, bytes: 4 * mostAtOnce }

let core: TwinCore
let clock: ManualClock
let amplifier: Amplifier
beforeEach(() => {
    core = new TwinCore()
    clock = new ManualClock()
    amplifier = new Amplifier(core, new FortunaGenerator(fortunaPrimitives), limits, clock)
})

/** What Fortuna gives after the first so many seeds of the twin. */
function generator(seeds: number): FortunaGenerator {
    const made = new FortunaGenerator(fortunaPrimitives)
    for (let n = 1; n <= seeds; n++) made.reseed(TwinCore.seedBytes(n))
    return made
}

describe("bytes", () => {
    test("are those of Fortuna's generator: large ones as they are, small ones cut from one piece", async () => {
        await amplifier.refresh()
        const expected = generator(1)
        expect(amplifier.take(5000)).toEqual(new Uint8Array(expected.read(5000)))
        const piece = new Uint8Array(expected.read(16 * 1024))
        expect(amplifier.take(8)).toEqual(piece.slice(0, 8))
        expect(amplifier.take(2048)).toEqual(piece.slice(8, 2056))
        expect(amplifier.take(2049)).toEqual(new Uint8Array(expected.read(2049)))
        expect(amplifier.take(1)).toEqual(piece.slice(2056, 2057))
    })

    test("of a piece that has too few left are not joined with the next one's", async () => {
        await amplifier.refresh()
        const expected = generator(1)
        expected.read(16 * 1024)
        for (let taken = 0; taken + 2000 <= 16 * 1024; taken += 2000) amplifier.take(2000)
        expect(amplifier.take(2000)).toEqual(new Uint8Array(expected.read(16 * 1024).subarray(0, 2000)))
    })

    test("never come of the piece that was cut before a new seed", async () => {
        await amplifier.refresh()
        const expected = generator(1)
        expected.read(16 * 1024)
        amplifier.take(8)
        await amplifier.refresh()
        expected.reseed(TwinCore.seedBytes(2))
        expect(amplifier.take(8)).toEqual(new Uint8Array(expected.read(16 * 1024).subarray(0, 8)))
    })

    test("are refused before the first seed", () => {
        expect(amplifier.fresh).toBeUndefined()
        expect(() => amplifier.take(1)).toThrow("without a seed")
    })
})

describe("a seed", () => {
    test("is fresh until the time is over, and says how old it is", async () => {
        const seeded = await amplifier.refresh()
        expect(amplifier.fresh).toBe(seeded)
        expect(seeded).toMatchObject({ sources: ["chip-a", "chip-b"], simulated: true, reseeds: 1 })
        expect(seeded).not.toHaveProperty("seed")
        await clock.advance(499)
        expect(amplifier.fresh).toBe(seeded)
        expect(amplifier.ages(seeded).generatorMs).toBe(499)
        const reseeded = { ...seeded, lastReseed: clock.now() - 7000 }
        expect(amplifier.ages(reseeded).poolMs).toBe(7000)
        // A wall clock that was set back.
        expect(amplifier.ages({ ...seeded, lastReseed: clock.now() + 7000 }).poolMs).toBe(0)
        expect(core.seeds).toBe(1)
    })

    test("is not fresh any more at the limit of time, without anybody having asked meanwhile", async () => {
        await amplifier.refresh()
        await clock.advance(999)
        core.unready = ["chip-a is gone"]
        expect(amplifier.fresh).toBeDefined()
        await clock.advance(1)
        expect(amplifier.fresh).toBeUndefined()
    })

    test("is asked for ahead, halfway to the limit of time, by one of all who come", async () => {
        const first = await amplifier.refresh()
        await clock.advance(500)
        expect(amplifier.fresh).toBe(first)
        expect(amplifier.fresh).toBe(first)
        await clock.advance(0)
        expect(core.seeds).toBe(2)
        expect(amplifier.fresh).not.toBe(first)
    })

    test("is asked for ahead halfway to the limit of bytes, and not used beyond it", async () => {
        await amplifier.refresh()
        core.unready = ["for a moment"]
        for (let given = 0; given < limits.bytes; given += mostAtOnce) {
            expect(amplifier.fresh).toBeDefined()
            amplifier.take(mostAtOnce)
        }
        expect(amplifier.fresh).toBeUndefined()
    })

    test("that cannot be had ends the one before, with the reasons", async () => {
        await amplifier.refresh()
        core.unready = ["chip-a is gone", "chip-b failed"]
        const error: unknown = await amplifier.refresh().catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(NotReady)
        expect(error).toMatchObject({ reasons: ["chip-a is gone", "chip-b failed"] })
        expect(amplifier.fresh).toBeUndefined()
        expect(() => amplifier.take(1)).toThrow("without a seed")
        core.unready = []
        await amplifier.refresh()
        expect(amplifier.fresh).toBeDefined()
    })

    test("stays in use, as long as it may, where there is another reason for which none can be had", async () => {
        const first = await amplifier.refresh()
        await clock.advance(600)
        let asked = 0
        core.seed = () => {
            asked += 1
            return Promise.reject(new Error("no answer"))
        }
        expect(amplifier.fresh).toBe(first)
        await clock.advance(399)
        expect(amplifier.fresh).toBe(first)
        expect(amplifier.take(1)).toHaveLength(1)
        await expect(amplifier.refresh()).rejects.toThrow("no answer")
        expect(asked).toBeGreaterThanOrEqual(2)
        await clock.advance(1)
        expect(amplifier.fresh).toBeUndefined()
    })
})
