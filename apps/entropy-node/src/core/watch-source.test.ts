import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeLogger } from "@tallylight/node/logger.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { noMeter } from "./meter.ts"
import { RawFile } from "./raw-file.ts"
import { RawQueue } from "./raw-queue.ts"
import { ScriptedSource } from "./scripted-source.ts"
import { coreSettings } from "./settings.ts"
import { useOf } from "./watch-source.ts"
import type { SourceUse } from "./watched-source.ts"

let folder: string
let file: RawFile
let queue: RawQueue
/** What went into the pool, by the index of the source. */
let pooled: [index: number, bytes: Uint8Array][]
let read: string[]
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-use-"))
    file = await RawFile.open(join(folder, "raw.db"))
    queue = await RawQueue.open(file, { capacity: 1000, chunk: 300, consumption: "once" })
    pooled = []
    read = []
})
afterEach(async () => {
    await file.close()
    await rm(folder, { recursive: true })
})

const settings = coreSettings.parse({ pace: { bytesPerSecond: 5000, idleBytesPerSecond: 50 } })

function use(index: number): SourceUse {
    const source = { name: "chip", driver: new ScriptedSource("chip"), minEntropy: 8, sampleBits: 8 } as const
    return useOf(source, index, {
        ...{ settings, queue, clock: new ManualClock(), random: seededRandom("pauses") },
        log: makeLogger({ name: "entropy-node", level: "silent" }),
        meter: { ...noMeter, read: (name, bytes) => read.push(`${name} ${bytes}`) },
        alarms: { add: () => Promise.resolve() },
        pool: {
            admit: () => undefined,
            stream: (at) => ({ add: (bytes) => pooled.push([at, bytes]) }),
        },
        onChanged: () => undefined,
    })
}

const chunk = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => at)

describe("a chunk of a source", () => {
    test("is shared between the pool and readers of raw bytes, and no byte goes to both", async () => {
        await use(1).take(chunk(200))
        expect(pooled).toStrictEqual([[1, chunk(64)]])
        expect(queue.bytes).toBe(136)
        expect((await queue.take(136)).bytes).toStrictEqual(chunk(200).slice(64))
    })

    test.for([64, 63, 1])("of %i bytes is the pool's", async (length) => {
        await use(2).take(chunk(length))
        expect(pooled).toStrictEqual([[2, chunk(length)]])
        expect(queue.bytes).toBe(0)
    })

    test("of the operating system is the pool's, and nobody reads it", async () => {
        await use(0).take(chunk(200))
        expect(pooled).toStrictEqual([[0, chunk(64)]])
        expect(queue.bytes).toBe(0)
    })

    test("is counted", () => {
        use(1).count(77)
        expect(read).toStrictEqual(["chip 77"])
    })
})

describe("of a source is read", () => {
    test.for([
        ["a chunk, and the pool's share", 0, 364],
        ["a chunk that just fits", 700, 364],
        ["no more than there is room for", 701, 363],
        ["no more than there is room for", 999, 65],
    ] as const)("%s, while %i bytes wait: %i", async ([, waiting, bytes]) => {
        await queue.put({ bytes: chunk(waiting), source: "quantis", simulated: false })
        expect(use(1).demand()).toStrictEqual({ bytes, perSecond: 5000 })
        expect(use(0).demand()).toStrictEqual({ bytes: 64, perSecond: 50 })
    })

    test("little while the queue is full", async () => {
        await queue.put({ bytes: chunk(1000), source: "quantis", simulated: false })
        expect(use(1).demand()).toStrictEqual({ bytes: 64, perSecond: 50 })
    })
})
