import { toHex } from "@tallylight/crypto/bytes.js"
import { healthCutoffs } from "@tallylight/entropy/cutoffs.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { SourceCondemned } from "../sources/source.ts"
import { ScriptedSource } from "./scripted-source.ts"
import { WatchedSource, type SourceUse } from "./watched-source.ts"

let clock: ManualClock
let device: ScriptedSource
let source: WatchedSource
let end: AbortController
let wanting: AbortController
let ended: Promise<unknown>
let events: string[]
let admitted: Uint8Array[]
let taken: Uint8Array[]
let demand: { bytes: number; perSecond: number }
beforeEach(() => {
    clock = new ManualClock(1_000_000)
    device = new ScriptedSource("quantis")
    end = new AbortController()
    wanting = new AbortController()
    ended = Promise.resolve()
    events = []
    admitted = []
    taken = []
    demand = { bytes: 64, perSecond: 64 }
})
afterEach(async () => {
    end.abort()
    await expect(ended).rejects.toBe(end.signal.reason)
    expect(device.held).toBe(0)
    expect(clock.waiting).toBe(0)
})

async function start(sampleBits: 1 | 8 = 8): Promise<void> {
    const minEntropy = sampleBits
    const use: SourceUse = {
        admit: (samples) => admitted.push(samples),
        demand: () => demand,
        take: (bytes) => {
            taken.push(bytes)
            return Promise.resolve()
        },
        count: () => undefined,
        changed: (state) => events.push(state),
        alarm: (failure, what) => {
            events.push(`${failure}: ${what}`)
            return Promise.resolve()
        },
    }
    source = new WatchedSource({
        name: "quantis",
        driver: device,
        sampleBits,
        minEntropy,
        cutoffs: healthCutoffs({ sampleBits, minEntropy, alphaExponent: 30 }),
        startupSamples: 1024,
        retry: { baseMs: 1000, maxMs: 60_000 },
        clock,
        random: seededRandom("pauses"),
        use,
    })
    ended = source.run(end.signal)
    ended.catch(() => undefined)
    await settle()
}

const joined = (parts: readonly Uint8Array[]): string => toHex(Buffer.concat(parts))

describe("a source is let in by a start-up test", () => {
    test("of 1024 samples, which are handed over apart, and then read chunk by chunk", async () => {
        await start()
        expect(events).toEqual(["starting", "healthy"])
        await clock.advance(3000)
        expect(admitted.map(({ length }) => length)).toEqual([1024])
        expect(taken.map(({ length }) => length)).toEqual([64, 64, 64, 64])
        expect(joined([...admitted, ...taken])).toBe(joined(device.given))
        expect(source.status()).toMatchObject({
            state: "healthy",
            reason: "",
            facts: { opened: 1 },
            bytes: 1024 + 4 * 64,
            samples: 1024 + 4 * 64,
            health: { repetitionCutoff: 5, proportionCutoff: 16, lastFailure: null, startupFailures: 0 },
        })
    })

    test("of 128 bytes where samples are bits", async () => {
        await start(1)
        expect(admitted.map(({ length }) => length)).toEqual([128])
        expect(source.status()).toMatchObject({ bytes: 192, samples: 1536 })
    })

    test("and not if it fails that, of which nothing is used", async () => {
        device.stuckAt = 9
        await start()
        const reason =
            "at start-up, the repetition count test failed: 5 samples in a row were 9, and 5 are too many"
        expect(events).toEqual(["starting", "failed", `startup: ${reason}`])
        expect(source.status()).toMatchObject({
            state: "failed",
            reason,
            health: { startupFailures: 1, repetitionFailures: 0, lastFailure: 1_000_000 },
        })
        device.stuckAt = undefined
        await clock.advance(1000)
        expect(source.healthy).toBe(true)
        expect(admitted).toHaveLength(1)
        expect(joined([...admitted, ...taken])).toBe(joined(device.given.slice(1)))
    })
})

describe("a source that fails a test", () => {
    test("is out at once, and none of the chunk is used", async () => {
        await start()
        expect(taken).toHaveLength(1)
        device.stuckAt = 7
        await clock.advance(1000)
        expect(source.status()).toMatchObject({
            state: "failed",
            health: { repetitionFailures: 1, proportionFailures: 0, lastFailure: 1_001_000 },
        })
        expect(taken).toHaveLength(1)
        expect(events.slice(2)).toEqual([
            "failed",
            "repetition: the repetition count test failed: 5 samples in a row were 7, and 5 are too many",
        ])
        expect(device.held).toBe(0)
    })

    test("comes back after a pause, opened anew, and only by a new start-up test", async () => {
        await start()
        device.stuckAt = 7
        await clock.advance(1000)
        await clock.advance(499)
        expect(device.opened).toBe(1)
        // It still repeats: it fails at start-up, and pauses twice as long.
        await clock.advance(501)
        expect(device.opened).toBe(2)
        expect(source.status().health).toMatchObject({ repetitionFailures: 1, startupFailures: 1 })
        device.stuckAt = undefined
        await clock.advance(999)
        expect(device.opened).toBe(2)
        await clock.advance(1001)
        expect(device.opened).toBe(3)
        expect(source.healthy).toBe(true)
        expect(admitted).toHaveLength(2)
        expect(taken.at(-1)).toEqual(device.given.at(-1))
    })

    test("by proportion says which value came too often", async () => {
        await start()
        demand = { bytes: 512, perSecond: 512 }
        // Thirty values in turn: whichever begins the window comes 17 times in 512 samples.
        const regular = Uint8Array.from({ length: 512 }, (_, i) => i % 30)
        device.giveNext(regular)
        device.giveNext(regular)
        await clock.advance(2000)
        expect(source.status().health).toMatchObject({ repetitionFailures: 0, proportionFailures: 1 })
        expect(events.at(-1)).toMatch(
            /^proportion: the adaptive proportion test failed: 16 samples of a window were \d+, and 16 are too many$/,
        )
    })
})

describe("a device that condemns its own bytes", () => {
    test("has failed like one whose bytes failed a test, until it passes a start-up test", async () => {
        await start()
        device.refusal = new SourceCondemned("the chip finds its generator at fault")
        await clock.advance(1000)
        expect(source.status()).toMatchObject({
            state: "failed",
            reason: "the chip finds its generator at fault",
            deviceFailures: 0,
            health: {
                ...{ selfTestFailures: 1, repetitionFailures: 0, proportionFailures: 0, startupFailures: 0 },
                lastFailure: 1_001_000,
            },
        })
        expect(events.slice(2)).toEqual(["failed", "self-test: the chip finds its generator at fault"])
        device.refusal = undefined
        await clock.advance(1000)
        expect(source.healthy).toBe(true)
        expect(admitted).toHaveLength(2)
    })
})

describe("a device that takes its time to close", () => {
    let close: () => void
    beforeEach(async () => {
        await start()
        device.closing = new Promise((resolve) => (close = resolve))
    })

    test("is known to have failed before that", async () => {
        const refused = source.fresh(100, wanting.signal).catch((error: unknown) => String(error))
        device.stuckAt = 7
        await clock.advance(1000)
        expect(device.held).toBe(1)
        expect(source.status()).toMatchObject({ state: "failed", health: { repetitionFailures: 1 } })
        expect(events.slice(2)).toMatchObject(["failed", /^repetition: /])
        expect(await refused).toMatch("quantis is failed: the repetition count test failed")
        close()
    })

    test("is not opened before that, says so after five seconds, and is opened after that", async () => {
        device.stuckAt = 7
        await clock.advance(1000)
        device.stuckAt = undefined
        await clock.advance(4999)
        expect(source.status().state).toBe("failed")
        await clock.advance(60_000)
        const reason =
            "its driver has not returned from closing it for 5 seconds, and it is opened again only once it has; " +
            "if it never does, unplug the device, or restart the node"
        expect(source.status()).toMatchObject({ state: "missing", reason })
        expect(events.slice(4, 6)).toEqual(["missing", `device: ${reason}`])
        expect(events.filter((event) => event.startsWith("device"))).toHaveLength(1)
        expect(device.opened).toBe(1)
        close()
        await clock.advance(60_000)
        expect(device.opened).toBe(2)
        expect(source.healthy).toBe(true)
    })

    test("and closes in five seconds is opened then, and nothing is said", async () => {
        device.stuckAt = 7
        await clock.advance(1000)
        device.stuckAt = undefined
        await clock.advance(4999)
        close()
        await clock.advance(0)
        expect(device.opened).toBe(2)
        expect(events.slice(4)).toEqual(["starting", "healthy"])
    })

    test("is waited for at the end, and no longer than five seconds", async () => {
        let over = false
        end.abort()
        ended.catch(() => (over = true))
        await clock.advance(4999)
        expect(over).toBe(false)
        await clock.advance(1)
        expect(over).toBe(true)
        expect(device.held).toBe(1)
        close()
        await settle()
    })
})

describe("a device", () => {
    test("that is not there is one alarm, and is looked for with growing pauses until it is", async () => {
        device.plugged = false
        await start()
        await clock.advance(20_000)
        expect(events.filter((event) => event.startsWith("device"))).toEqual([
            "device: there is no such device; plug it in",
        ])
        expect(source.status()).toMatchObject({
            state: "missing",
            reason: "there is no such device; plug it in",
            health: { lastFailure: null },
        })
        const { deviceFailures } = source.status()
        expect(deviceFailures).toBeGreaterThan(1)
        expect(taken).toEqual([])
        device.plugged = true
        await clock.advance(60_000)
        expect(source.healthy).toBe(true)
        expect(admitted).toHaveLength(1)
    })

    test("that fails while it is read is closed, and opened and tested again", async () => {
        await start()
        device.plugged = false
        await clock.advance(1000)
        expect(source.status()).toMatchObject({ state: "missing", reason: "the device is gone" })
        expect(source.status()).toMatchObject({ deviceFailures: 1, health: { startupFailures: 0 } })
        expect(events.at(-1)).toBe("device: the device is gone")
        expect(device.held).toBe(0)
        device.plugged = true
        await clock.advance(60_000)
        expect(device.opened).toBe(2)
        expect(admitted).toHaveLength(2)
        expect(source.healthy).toBe(true)
    })

    test("that is slow gives what it can in half a second", async () => {
        device.pace = { bytes: 32, ms: 100, clock }
        demand = { bytes: 4096, perSecond: 1_000_000 }
        await start()
        await clock.advance(3200)
        expect(source.healthy).toBe(true)
        await clock.advance(1000)
        expect(taken.map(({ length }) => length)).toEqual([160, 160])
    })

    test("that is fast is read at the pace that was asked for", async () => {
        demand = { bytes: 100, perSecond: 1000 }
        await start()
        await clock.advance(10_000)
        expect(taken).toHaveLength(101)
        demand = { bytes: 50, perSecond: 5 }
        await clock.advance(100)
        taken = []
        await clock.advance(100_000)
        expect(taken).toHaveLength(10)
    })
})

describe("fresh bytes", () => {
    test("are read at once, in the middle of a pause, and given to nobody else", async () => {
        demand = { bytes: 64, perSecond: 1 }
        await start()
        const [first, second] = await Promise.all([
            source.fresh(100, wanting.signal),
            source.fresh(10, wanting.signal),
        ])
        expect([first.length, second.length]).toEqual([100, 10])
        await settle()
        // One chunk was read before the pause, and one when it had ended early and everybody was served.
        expect(taken).toHaveLength(2)
        const inOrder = [...admitted, ...taken.slice(0, 1), first, second, ...taken.slice(1)]
        expect(joined(inOrder)).toBe(joined(device.given))
    })

    test("are refused by a source that is not healthy, with the reason", async () => {
        device.stuckAt = 1
        await start()
        await expect(source.fresh(10, wanting.signal)).rejects.toThrow(
            "quantis is failed: at start-up, the repetition",
        )
    })

    test("are refused where they fail the test", async () => {
        await start()
        device.stuckAt = 1
        await expect(source.fresh(100, wanting.signal)).rejects.toThrow(
            "quantis is failed: the repetition count test failed",
        )
        expect(source.healthy).toBe(false)
    })

    test("are refused where the device goes away over them", async () => {
        await start()
        device.plugged = false
        await expect(source.fresh(100, wanting.signal)).rejects.toThrow(
            "quantis is missing: the device is gone",
        )
    })

    test("that are not wanted any more leave the source to everybody else, with what was read of them", async () => {
        await start()
        taken = []
        device.pace = { bytes: 1, ms: 1000, clock }
        const reason = new Error("enough")
        const abandoned = Array.from({ length: 5 }, () => source.fresh(500, wanting.signal))
        const refused = Promise.allSettled(abandoned)
        await clock.advance(3500)
        expect(taken).toEqual([])
        wanting.abort(reason)
        expect(await refused).toEqual(abandoned.map(() => ({ status: "rejected", reason })))
        await clock.advance(1000)
        expect(taken.map(({ length }) => length)).toEqual([4])
        device.pace = undefined
        await clock.advance(2000)
        const fresh = await source.fresh(500, end.signal)
        expect(fresh).toHaveLength(500)
        await settle()
        expect(device.given.filter(({ length }) => length === 500)).toHaveLength(1)
        await expect(source.fresh(500, wanting.signal)).rejects.toBe(reason)
    })
})
