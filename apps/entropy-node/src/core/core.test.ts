import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { toHex } from "@tallylight/crypto/bytes.js"
import { SqliteConnection } from "@tallylight/node/sqlite-connection.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { UserError } from "@tallylight/node/user-error.js"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { ConfiguredSource, Core } from "./core.ts"
import { noMeter } from "./meter.ts"
import { SourceCondemned } from "../sources/source.ts"
import { NotReady, QueueEmpty } from "./node-core.ts"
import { openCore } from "./open-core.ts"
import { ScriptedSource } from "./scripted-source.ts"
import { coreSettings } from "./settings.ts"

let folder: string
let clock: ManualClock
let chip: ScriptedSource
let quantis: ScriptedSource
let system: ScriptedSource
let counted: string[]
let faults: unknown[]
let cores: Core[]
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-core-"))
    clock = new ManualClock(1_000_000)
    chip = new ScriptedSource("chip", { kind: "atecc608a", simulated: true })
    quantis = new ScriptedSource("quantis")
    system = new ScriptedSource("system", { kind: "system" })
    counted = []
    faults = []
    cores = []
})
afterEach(async () => {
    for (const core of cores) await core.stop()
    expect([chip.held, quantis.held, system.held]).toEqual([0, 0, 0])
    expect(clock.waiting).toBe(0)
    expect(faults).toEqual([])
    await rm(folder, { recursive: true })
})

const full = (name: string, driver: ScriptedSource): ConfiguredSource => ({
    name,
    driver,
    minEntropy: 8,
    sampleBits: 8,
})

async function open(settings: Parameters<typeof coreSettings.parse>[0] = {}, sources?: ConfiguredSource[]) {
    const core = await openCore({
        settings: coreSettings.parse(settings),
        sources: sources ?? [full("chip", chip), full("quantis", quantis)],
        system,
        dir: { file: (name) => join(folder, name) },
        identity: "node",
        clock,
        random: seededRandom("pauses"),
        log: makeLogger({ name: "entropy-node", level: "silent" }),
        meter: {
            ...noMeter,
            failed: (source, failure) => counted.push(`${source} ${failure}`),
            ready: (isReady) => counted.push(isReady ? "ready" : "not ready"),
        },
        onFault: (error) => faults.push(error),
    })
    cores.push(core)
    return core
}

async function start(settings?: object, sources?: ConfiguredSource[]): Promise<Core> {
    const core = await open(settings, sources)
    core.start()
    await settle()
    return core
}

/** What takes the disk's time, and not the clock's. */
async function until(holds: () => Promise<boolean>): Promise<void> {
    while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2))
}

/** The same where the clock has to go on too, whenever the disk is done. */
const pass = (holds: () => Promise<boolean>): Promise<void> =>
    until(async () => {
        await clock.advance(500)
        return holds()
    })

const queued = (core: Core, bytes: number) => until(async () => (await core.status()).queue.bytes >= bytes)
const stateOf = async (core: Core, name: string) =>
    (await core.status()).sources.find((source) => source.name === name)

describe("a node gives nothing", () => {
    test("before its sources have passed their start-up tests", async () => {
        const core = await open({ minimumHealthySources: 2 })
        for (const asked of [core.seed(), core.raw(1), core.draw(), core.localValue()]) {
            await expect(asked).rejects.toThrow(NotReady)
        }
        await expect(core.seed()).rejects.toMatchObject({
            reasons: [
                "0 of at least 2 sources are healthy",
                "chip is starting: it is not open yet",
                "quantis is starting: it is not open yet",
                "system is starting: it is not open yet",
            ],
        })
        core.start()
        await settle()
        expect((await core.seed()).seed).toHaveLength(64)
        expect((await core.status()).unready).toEqual([])
        expect(counted).toEqual(["ready"])
    })

    test("with fewer healthy sources than it needs, also when they fail later, and says which", async () => {
        const core = await start({ minimumHealthySources: 2 })
        await queued(core, 4096)
        await core.raw(10)
        const before = (await core.status()).queue.bytes
        quantis.plugged = false
        await pass(
            async () => (await stateOf(core, "quantis"))?.reason === "there is no such device; plug it in",
        )
        const reasons = [
            "1 of at least 2 sources are healthy",
            "quantis is missing: there is no such device; plug it in",
        ]
        for (const asked of [core.seed(), core.raw(1), core.draw(), core.localValue()]) {
            await expect(asked).rejects.toMatchObject({ reasons })
        }
        const { unready, queue } = await core.status()
        expect(unready).toEqual(reasons)
        expect(queue.handedOut).toBe(10)
        expect(queue.bytes).toBeGreaterThanOrEqual(before)
        quantis.plugged = true
        await pass(async () => (await core.status()).unready.length === 0)
        expect(await core.seed()).toMatchObject({ sources: ["chip", "quantis", "system"] })
        expect(counted.filter((event) => event.endsWith("ready"))).toEqual(["ready", "not ready", "ready"])
    })

    test("where only the operating system's source is healthy, or where it is not", async () => {
        chip.plugged = false
        quantis.plugged = false
        const core = await start()
        expect(await stateOf(core, "system")).toMatchObject({ state: "healthy" })
        await expect(core.seed()).rejects.toThrow("0 of at least 1 sources are healthy")
        await core.stop()
        ;[chip.plugged, quantis.plugged, system.plugged] = [true, true, false]
        const other = await start()
        await expect(other.seed()).rejects.toMatchObject({
            reasons: ["system is missing: there is no such device; plug it in"],
        })
    })

    test("because of a seed file alone", async () => {
        const core = await start()
        await core.stop()
        chip.plugged = false
        quantis.plugged = false
        await expect((await start()).seed()).rejects.toThrow(NotReady)
    })
})

describe("bytes are degraded", () => {
    test("while a source that counts is not healthy, and enough others are", async () => {
        const core = await start()
        await queued(core, 4096)
        expect([(await core.seed()).degraded, (await core.raw(1)).degraded]).toEqual([false, false])
        chip.plugged = false
        await pass(async () => (await stateOf(core, "chip"))?.state === "missing")
        expect([(await core.seed()).degraded, (await core.raw(1)).degraded]).toEqual([true, true])
        chip.plugged = true
        await pass(async () => (await stateOf(core, "chip"))?.state === "healthy")
        expect([(await core.seed()).degraded, (await core.raw(1)).degraded]).toEqual([false, false])
    })
})

describe("a failed health test", () => {
    test("takes the source out, with an alarm that outlives the process, until it passes a new start-up test", async () => {
        const core = await start({ queue: { capacity: 1024, chunk: 1024 } }, [full("quantis", quantis)])
        await pass(() => Promise.resolve(quantis.given.at(-1)?.length === 64))
        quantis.stuckAt = 7
        await pass(async () => (await stateOf(core, "quantis"))?.state === "failed")
        const what = "the repetition count test failed: 5 samples in a row were 7, and 5 are too many"
        await expect(core.raw(1)).rejects.toMatchObject({
            reasons: ["0 of at least 1 sources are healthy", `quantis is failed: ${what}`],
        })
        expect(counted).toEqual(["ready", "not ready", "quantis repetition"])
        await until(async () => (await core.status()).alarms.length > 0)
        const { alarms, queue } = await core.status()
        const alarm = `${what}; 1024 raw bytes of it that waited were deleted`
        expect(alarms).toEqual([{ id: 1, time: alarms[0]?.time, source: "quantis", what: alarm }])
        expect(queue.bytes).toBe(0)
        await pass(async () => ((await stateOf(core, "quantis"))?.health.startupFailures ?? 0) > 1)
        expect((await stateOf(core, "quantis"))?.health.repetitionFailures).toBe(1)
        await expect(core.raw(1)).rejects.toThrow(NotReady)
        quantis.stuckAt = undefined
        await pass(async () => (await core.status()).unready.length === 0)
        await queued(core, 1)
        expect(await core.raw(1)).toMatchObject({ sources: ["quantis"] })
        await core.stop()
        expect((await (await open()).status()).alarms.at(-1)).toMatchObject({
            id: 1,
            source: "quantis",
            what: alarm,
        })
    })
})

describe("a source that has failed", () => {
    /** One source, and a full queue of its bytes. */
    async function startFull(): Promise<Core> {
        const core = await start({ queue: { capacity: 1024, chunk: 1024 } }, [full("quantis", quantis)])
        await pass(() => Promise.resolve(quantis.given.at(-1)?.length === 64))
        return core
    }

    test("makes the node refuse, and its bytes are deleted, while its device still closes", async () => {
        const core = await startFull()
        let close: () => void = () => undefined
        quantis.closing = new Promise((resolve) => (close = resolve))
        quantis.stuckAt = 7
        await clock.advance(1000)
        await until(async () => (await core.status()).alarms.length > 0)
        expect(quantis.held).toBe(1)
        expect((await core.status()).queue.bytes).toBe(0)
        for (const asked of [core.seed(), core.raw(1), core.draw(), core.localValue()]) {
            await expect(asked).rejects.toThrow(NotReady)
        }
        close()
    })

    test("gives nothing to a reader who had asked before", async () => {
        const core = await startFull()
        let asked: Promise<unknown> | undefined
        quantis.stuckAt = 7
        quantis.onRead = () => {
            asked ??= core.raw(1).catch((error: unknown) => error)
        }
        await clock.advance(1000)
        expect(await asked).toBeInstanceOf(NotReady)
    })

    test("by its own word has its bytes deleted too", async () => {
        const core = await startFull()
        quantis.refusal = new SourceCondemned("the chip finds its generator at fault")
        await clock.advance(1000)
        await until(async () => (await core.status()).alarms.length > 0)
        const { alarms, queue } = await core.status()
        expect(queue.bytes).toBe(0)
        expect(alarms).toMatchObject([
            { what: "the chip finds its generator at fault; 1024 raw bytes of it that waited were deleted" },
        ])
        expect(counted).toEqual(["ready", "not ready", "quantis self-test"])
    })
})

describe("raw bytes", () => {
    test("that left are in no file any more a second later", async () => {
        const core = await start({ queue: { capacity: 1024, chunk: 1024 } }, [full("quantis", quantis)])
        await pass(() => Promise.resolve(quantis.given.at(-1)?.length === 64))
        const piece = Buffer.from((await core.raw(1024)).bytes.subarray(100, 164))
        const files = ["raw.db", "raw.db-wal"]
        const found = async (): Promise<string[]> => {
            const contents = await Promise.all(files.map((name) => readFile(join(folder, name))))
            return files.filter((_, at) => contents[at]?.includes(piece))
        }
        expect(await found()).toEqual(["raw.db-wal"])
        await clock.advance(1000)
        await until(async () => (await found()).length === 0)
    })

    test("of a source that fails a test are deleted, and those of the others are not", async () => {
        const core = await start({ queue: { chunk: 1024 } })
        await pass(async () => (await core.status()).queue.bytes >= 4 * 1024)
        chip.stuckAt = 7
        quantis.plugged = false
        await pass(async () => (await core.status()).alarms.length > 1)
        const { bytes } = (await core.status()).queue
        expect(bytes).toBeGreaterThan(0)
        quantis.plugged = true
        await pass(async () => (await core.status()).unready.length === 0)
        expect((await core.raw(bytes)).sources).toEqual(["quantis"])
    })

    test("come from the sources that count, each once, and none that went into the pool", async () => {
        const core = await start({ queue: { chunk: 1024 } })
        await clock.advance(100)
        await queued(core, 4 * 1024)
        const raw = await core.raw(4 * 1024)
        expect(raw).toMatchObject({ sources: ["chip", "quantis"], simulated: true, consumption: "once" })
        const pieces = [chip, quantis].flatMap(({ given }) =>
            given.slice(1).map((chunk) => toHex(chunk.slice(64))),
        )
        for (let at = 0; at < raw.bytes.length; at += 1024) {
            expect(pieces).toContain(toHex(raw.bytes.subarray(at, at + 1024)))
        }
        const { queue } = await core.status()
        await expect(core.raw(queue.bytes + 1)).rejects.toThrow(QueueEmpty)
    })

    test("of a simulated source say so, in the status too, when hardware has taken its place", async () => {
        const settings = { queue: { capacity: 1024, chunk: 1024 } }
        const simulated = await start(settings, [full("chip", chip)])
        await queued(simulated, 1024)
        expect(await simulated.status()).toMatchObject({ simulated: true, queue: { simulated: true } })
        await simulated.stop()
        const hardware = await start(settings, [full("quantis", quantis)])
        expect(await hardware.status()).toMatchObject({ simulated: false, queue: { simulated: true } })
        expect(await hardware.raw(1023)).toMatchObject({ sources: ["chip"], simulated: true })
        expect((await hardware.status()).queue.simulated).toBe(true)
        await hardware.raw(1)
        expect((await hardware.status()).queue.simulated).toBe(false)
    })

    test("fill the queue chunk by chunk, and a node whose queue is full reads little", async () => {
        const core = await start({ queue: { capacity: 8192, chunk: 1024 } }, [full("quantis", quantis)])
        await pass(() => Promise.resolve(quantis.given.at(-1)?.length === 64))
        expect(quantis.given.slice(0, 10).map(({ length }) => length)).toEqual([
            1024,
            ...Array<number>(8).fill(64 + 1024),
            64,
        ])
        const before = (await stateOf(core, "quantis"))?.bytes ?? 0
        await clock.advance(10_000)
        expect((await stateOf(core, "quantis"))?.bytes).toBe(before + 2560)
        expect((await core.status()).queue.bytes).toBe(8192)
    })

    test("are kept where that was set, also over the next start, as is the size of the queue", async () => {
        const core = await start()
        await queued(core, 4096)
        expect(await core.setConsumption("keep")).toBe("keep")
        expect(await core.setQueue({ capacity: 2048 })).toEqual({ capacity: 2048, chunk: 4096 })
        const first = await core.raw(2048)
        expect(first.consumption).toBe("keep")
        expect(await core.raw(2048)).toEqual(first)
        await core.stop()
        const again = await start()
        expect((await again.status()).queue).toMatchObject({
            capacity: 2048,
            consumption: "keep",
            bytes: 2048,
        })
        expect(await again.raw(2048)).toEqual(first)
    })
})

describe("the pool", () => {
    test("gives nobody the same seed", async () => {
        const core = await start()
        const seeds = await Promise.all(Array.from({ length: 100 }, () => core.seed()))
        expect(new Set(seeds.map(({ seed }) => toHex(seed))).size).toBe(100)
        expect(seeds[0]).toMatchObject({ simulated: true, sources: ["chip", "quantis", "system"] })
    })

    test("has in it what every source gave, the operating system's too, from the first output on", async () => {
        const outputs = new Set<string>()
        const names = ["chip", "quantis", "system"] as const
        for (const changed of [undefined, ...names]) {
            const seedOf = (name: string): string => (name === changed ? `another ${name}` : name)
            chip = new ScriptedSource(seedOf("chip"))
            quantis = new ScriptedSource(seedOf("quantis"))
            system = new ScriptedSource(seedOf("system"), { kind: "system" })
            const core = await start({ minimumHealthySources: 2 })
            outputs.add(toHex((await core.seed()).seed))
            await core.stop()
            await rm(join(folder, "fortuna.seed"))
            await rm(join(folder, "raw.db"))
        }
        expect(outputs.size).toBe(4)
    })

    test("is reseeded as time goes on, and says when", async () => {
        const core = await start()
        const { reseeds } = await core.seed()
        await queued(core, 4096)
        for (let i = 0; i < 40; i += 1) await clock.advance(250)
        const { pool, time } = await core.status()
        expect(pool.reseeds).toBeGreaterThan(reseeds)
        expect(time - (pool.lastReseed ?? 0)).toBeLessThan(10_000)
    })

    test("writes a new seed file every ten minutes, and at the end", async () => {
        const core = await start()
        const seedFile = (): Promise<string> => readFile(join(folder, "fortuna.seed"), "hex")
        await clock.advance(599_999)
        await expect(seedFile()).rejects.toThrow("ENOENT")
        await clock.advance(1)
        await until(() =>
            seedFile().then(
                () => true,
                () => false,
            ),
        )
        const first = await seedFile()
        await core.stop()
        expect(await seedFile()).not.toBe(first)
    })
})

test("a failure that is no device's is told to whoever ends the process", async () => {
    const core = await start()
    await mkdir(join(folder, "fortuna.seed", "in the way"), { recursive: true })
    await clock.advance(600_000)
    await until(() => Promise.resolve(faults.length > 0))
    expect(faults.splice(0)).toMatchObject([{ code: "EISDIR" }])
    // Nor does it hide that one at the end.
    await core.stop()
})

test("a failure of the store is told where only a reader meets it", async () => {
    const core = await start({ queue: { capacity: 1024, chunk: 1024 } }, [full("quantis", quantis)])
    await pass(() => Promise.resolve(quantis.given.at(-1)?.length === 64))
    const other = await SqliteConnection.open(join(folder, "raw.db"), "write")
    await other.exec("DROP TABLE queue")
    await other.close()
    await expect(core.raw(1)).rejects.toThrow("no such table: queue")
    await settle()
    expect(faults.splice(0).map(String)).toEqual(["Error: SQLITE_ERROR: no such table: queue"])
})

describe("a local value", () => {
    test("is a hash over fresh bytes of every healthy source", async () => {
        const core = await start({}, [full("quantis", quantis)])
        const value = await core.localValue()
        expect(value).toMatchObject({ sources: ["quantis", "system"], simulated: false })
        expect(value.value).toHaveLength(64)
        expect([quantis, system].map(({ given }) => given.some(({ length }) => length === 64))).toEqual([
            true,
            true,
        ])
        expect(toHex((await core.localValue()).value)).not.toBe(toHex(value.value))
    })

    test("takes as much of a source as holds 512 bits by its own account", async () => {
        const poor = { ...full("quantis", quantis), minEntropy: 0.5 }
        const core = await start({}, [poor])
        await core.localValue()
        expect(quantis.given.map(({ length }) => length)).toContain(1024)
    })

    test("leaves out a source that takes longer than five seconds, and is refused without a second one", async () => {
        // With a full queue nothing waits for the disk, which the clock does not wait for.
        const core = await start({ queue: { capacity: 1024, chunk: 1024 } })
        await pass(() => Promise.resolve([chip, quantis].every(({ given }) => given.at(-1)?.length === 64)))
        chip.pace = { bytes: 1, ms: 1000, clock }
        await clock.advance(1000)
        const value = core.localValue()
        for (let i = 0; i < 6; i += 1) await clock.advance(1000)
        expect(await value).toMatchObject({ sources: ["quantis", "system"], simulated: true })
        quantis.pace = chip.pace
        await clock.advance(1000)
        const refused = core.localValue().catch((error: unknown) => error)
        for (let i = 0; i < 6; i += 1) await clock.advance(1000)
        expect(await refused).toMatchObject({
            name: "NotReady",
            reasons: [
                "a local value takes fresh bytes of two sources, and of at least 1 without the operating system's; " +
                    "only system gave any in time",
            ],
        })
    })

    test("needs as many sources that count as the node does to be ready", async () => {
        const core = await start({ minimumHealthySources: 2, queue: { capacity: 1024, chunk: 1024 } })
        await pass(() => Promise.resolve([chip, quantis].every(({ given }) => given.at(-1)?.length === 64)))
        expect((await core.localValue()).sources).toEqual(["chip", "quantis", "system"])
        chip.pace = { bytes: 1, ms: 1000, clock }
        await clock.advance(1000)
        const refused = core.localValue().catch((error: unknown) => error)
        for (let i = 0; i < 6; i += 1) await clock.advance(1000)
        expect(await refused).toMatchObject({
            name: "NotReady",
            reasons: [
                "a local value takes fresh bytes of two sources, and of at least 2 without the operating system's; " +
                    "only quantis, system gave any in time",
            ],
        })
    })
})

describe("what a party draws", () => {
    test("comes with the sources as they are", async () => {
        const core = await start()
        const drawn = await core.draw()
        expect(drawn.bytes).toHaveLength(64)
        expect(drawn).toMatchObject({ time: 1_000_000, simulated: true })
        expect(
            drawn.sources.map(({ name, state, kind, simulated }) => [name, state, kind, simulated]),
        ).toEqual([
            ["chip", "healthy", "atecc608a", true],
            ["quantis", "healthy", "character-device", false],
            ["system", "healthy", "system", false],
        ])
        expect(drawn.sources[0]?.facts).toEqual({ opened: 1 })
    })
})

describe("settings are refused", () => {
    test("with two sources of one name", async () => {
        await expect(open({}, [full("chip", chip), full("chip", quantis)])).rejects.toThrow(
            new UserError("two sources are called chip; each needs a name of its own"),
        )
        await expect(open({}, [full("system", chip)])).rejects.toThrow(
            "system is what the operating system's source is called",
        )
    })

    test("with two sources of one device", async () => {
        const settings = { minimumHealthySources: 2 }
        const [one, other] = [{ ...full("chip", chip), device: "one" }, full("quantis", quantis)]
        await open(settings, [one, { ...other, device: "other" }])
        const refused = open(settings, [one, { ...other, device: "one" }])
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow("the sources chip and quantis are one device")
    })

    test("with a declaration under which no test could fail", async () => {
        const sources = [{ ...full("chip", chip), minEntropy: 0.01 }]
        await expect(open({}, sources)).rejects.toThrow(UserError)
        await expect(open({}, sources)).rejects.toThrow("source chip: with 0.01 bits of min-entropy")
    })
})
