import { createCipheriv, createHash } from "node:crypto"
import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqliteConnection } from "@tallylight/node/sqlite-connection.js"
import { UserError } from "@tallylight/node/user-error.js"
import { toHex } from "@tallylight/crypto/bytes.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { QueueEmpty, type Consumption } from "./node-core.ts"
import { RawFile } from "./raw-file.ts"
import { RawQueue } from "./raw-queue.ts"

const configured = { capacity: 100_000, chunk: 4096, consumption: "once" as Consumption }

let folder: string
let path: string
let file: RawFile
let queue: RawQueue
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-raw-"))
    path = join(folder, "raw.db")
    await reopen()
})
afterEach(async () => {
    await file.close()
    await rm(folder, { recursive: true })
})

async function reopen(settings = configured): Promise<void> {
    file = await RawFile.open(path)
    queue = await RawQueue.open(file, settings)
}

async function restart(settings = configured): Promise<void> {
    await file.close()
    await reopen(settings)
}

/** The same bytes for the same seed. */
const stream = (length: number, seed = "stream"): Uint8Array =>
    createCipheriv("aes-256-ctr", createHash("sha256").update(seed).digest(), Buffer.alloc(16)).update(
        new Uint8Array(length),
    )
const put = (bytes: Uint8Array, source = "chip", simulated = false): Promise<number> =>
    queue.put({ bytes, source, simulated })

describe("bytes of a source that are dropped", () => {
    test.each(["once", "keep"] as const)(
        "are gone for every reader, and no others (%s)",
        async (consumption) => {
            await queue.setConsumption(consumption)
            const bytes = stream(30_000)
            await put(bytes.subarray(0, 10_000), "chip")
            await put(bytes.subarray(10_000, 20_000), "quantis")
            await put(bytes.subarray(20_000), "chip")
            await queue.take(15_000)
            const left =
                consumption === "once" ? bytes.subarray(15_000, 20_000) : bytes.subarray(10_000, 20_000)
            expect(await queue.drop("chip")).toBe(consumption === "once" ? 10_000 : 20_000)
            expect(queue.bytes).toBe(left.length)
            await expect(queue.take(left.length + 1)).rejects.toThrow(QueueEmpty)
            const taken = await queue.take(left.length)
            expect(taken.sources).toEqual(["quantis"])
            expect(toHex(taken.bytes)).toBe(toHex(left))
            expect(await queue.drop("nobody")).toBe(0)
        },
    )

    test.each(["once", "keep"] as const)(
        "are for no reader who was there before, either (%s)",
        async (consumption) => {
            await queue.setConsumption(consumption)
            const bytes = stream(3000)
            await put(bytes.subarray(0, 1000), "chip")
            await put(bytes.subarray(1000, 3000), "quantis")
            const taken = [queue.take(500), queue.take(1000), queue.take(2001)]
            const dropped = queue.drop("chip")
            const outcomes = await Promise.allSettled(taken)
            expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"])
            for (const { bytes: got, sources } of await Promise.all(taken.slice(0, 2))) {
                expect(sources).toEqual(["quantis"])
                expect(toHex(bytes.subarray(1000))).toContain(toHex(got))
            }
            await expect(taken[2]).rejects.toThrow(QueueEmpty)
            await dropped
        },
    )

    test("stay away over a restart", async () => {
        await put(stream(5000), "chip")
        await put(stream(100), "quantis")
        await queue.drop("chip")
        await restart()
        expect(queue.bytes).toBe(100)
    })
})

describe("bytes are handed out once", () => {
    test("in the order in which they came, whatever the lengths", async () => {
        const bytes = stream(20_000)
        for (const [from, to] of [
            [0, 32],
            [32, 33],
            [33, 10_000],
            [10_000, 20_000],
        ] as const) {
            expect(await put(bytes.subarray(from, to))).toBe(to - from)
        }
        const taken: Uint8Array[] = []
        for (const length of [1, 31, 1, 7, 4096, 4095, 1, 8000, 3768]) {
            taken.push((await queue.take(length)).bytes)
        }
        expect(toHex(Buffer.concat(taken))).toBe(toHex(bytes))
        expect(queue.bytes).toBe(0)
        expect(queue.handedOut).toBe(20_000)
    })

    test("to concurrent readers, and concurrently with sources that add more", async () => {
        const taken: Uint8Array[] = []
        let empty = 0
        async function read(reader: number): Promise<void> {
            for (let i = 0; i < 20; i += 1) {
                try {
                    taken.push((await queue.take(8 * (1 + ((i * 37 + reader * 11) % 90)))).bytes)
                } catch (error) {
                    if (!(error instanceof QueueEmpty)) throw error
                    empty += 1
                }
            }
        }
        async function write(writer: number): Promise<void> {
            for (let i = 0; i < 15; i += 1) await put(stream(1024, `writer ${writer}, ${i}`))
        }
        await Promise.all([write(1), read(1), read(2), write(2), read(3), read(4), read(5)])
        const eights = taken.flatMap((bytes) =>
            Array.from({ length: bytes.length / 8 }, (_, i) => toHex(bytes.subarray(8 * i, 8 * i + 8))),
        )
        expect(new Set(eights).size).toBe(eights.length)
        expect(empty).toBeLessThan(taken.length)
        expect(queue.handedOut).toBe(8 * eights.length)
        expect(queue.bytes).toBe(30 * 1024 - queue.handedOut)
    })

    test("also across restarts", async () => {
        const bytes = stream(10_000)
        await put(bytes)
        expect(toHex((await queue.take(5000)).bytes)).toBe(toHex(bytes.subarray(0, 5000)))
        await restart()
        expect(queue.bytes).toBe(5000)
        expect(queue.handedOut).toBe(5000)
        expect(toHex((await queue.take(5000)).bytes)).toBe(toHex(bytes.subarray(5000)))
        await expect(queue.take(1)).rejects.toThrow(QueueEmpty)
    })

    test("and are gone from the file when a reader has them", async () => {
        const bytes = stream(3000)
        await put(bytes)
        await queue.take(2000)
        await file.close()
        // The log is gone with the last connection.
        const content = await readFile(path)
        expect(content.includes(Buffer.from(bytes.subarray(0, 32)))).toBe(false)
        expect(content.includes(Buffer.from(bytes.subarray(1960, 1992)))).toBe(false)
        expect(content.includes(Buffer.from(bytes.subarray(2000, 2032)))).toBe(true)
        await reopen()
    })

    test("or not at all: whoever asks for more than there is takes nothing", async () => {
        const bytes = stream(100)
        await put(bytes)
        const [tooMuch, enough, rest, none] = await Promise.allSettled([
            queue.take(101),
            queue.take(60),
            queue.take(40),
            queue.take(1),
        ])
        expect(tooMuch).toMatchObject({ status: "rejected", reason: { available: 100 } })
        expect(enough).toMatchObject({ status: "fulfilled", value: { consumption: "once" } })
        expect(rest.status === "fulfilled" && toHex(rest.value.bytes)).toBe(toHex(bytes.subarray(60)))
        expect(none).toMatchObject({ status: "rejected", reason: { available: 0 } })
    })

    test("with the names of their sources, and whether any of them is simulated", async () => {
        await put(stream(10), "quantis")
        await put(stream(10), "chip", true)
        await put(stream(10), "quantis")
        expect(await queue.take(10)).toMatchObject({ sources: ["quantis"], simulated: false })
        expect(await queue.take(11)).toMatchObject({ sources: ["chip", "quantis"], simulated: true })
        expect(await queue.take(9)).toMatchObject({ sources: ["quantis"], simulated: false })
    })

    test("a mebibyte at a time too, from long and from short rows", async () => {
        await queue.set({ capacity: 2 ** 21 })
        const bytes = stream(2 ** 20)
        const short = bytes.subarray(0, 4096)
        for (let at = 0; at < short.length; at += 32) await put(short.subarray(at, at + 32))
        await put(bytes.subarray(4096))
        const taken = await queue.take(2 ** 20)
        expect(Buffer.compare(taken.bytes, bytes)).toBe(0)
    })
})

describe("whether any byte that waits is of a simulated source", () => {
    const simulated = async (length: number): Promise<number> => put(stream(length), "twin", true)
    const hardware = async (length: number): Promise<number> => put(stream(length), "chip")

    test("is told of none", async () => {
        expect(queue.simulated).toBe(false)
        await hardware(5000)
        await simulated(0)
        expect(queue.simulated).toBe(false)
    })

    test.each([
        ["first", [simulated, hardware], 5000],
        ["last", [hardware, simulated], 10_000],
    ] as const)("is told until the last of them left, to the byte (%s)", async (_, puts, last) => {
        for (const some of puts) await some(5000)
        expect(queue.simulated).toBe(true)
        await restart()
        expect(queue.simulated).toBe(true)
        await Promise.all([queue.take(last - 2), queue.take(1)])
        expect(queue.simulated).toBe(true)
        await expect(queue.take(10_000)).rejects.toThrow(QueueEmpty)
        expect(queue.simulated).toBe(true)
        expect((await queue.take(1)).simulated).toBe(true)
        expect(queue.simulated).toBe(false)
        await restart()
        expect(queue.simulated).toBe(false)
    })

    test("is told until their source fails, whatever became of the others", async () => {
        for (const some of [simulated, hardware, simulated, hardware]) await some(3000)
        await queue.take(1)
        await queue.drop("chip")
        expect(queue.simulated).toBe(true)
        await hardware(10)
        await queue.drop("twin")
        expect([queue.simulated, queue.bytes]).toEqual([false, 10])
        await simulated(1)
        expect(queue.simulated).toBe(true)
    })

    test("is told of those for which there was room, until a smaller capacity drops them", async () => {
        await queue.set({ capacity: 1000 })
        await hardware(1000)
        await simulated(10)
        expect(queue.simulated).toBe(false)
        await queue.take(1000)
        await simulated(2000)
        await queue.set({ capacity: 2000 })
        await hardware(1000)
        await queue.set({ capacity: 1001 })
        expect(queue.simulated).toBe(true)
        await queue.set({ capacity: 1000 })
        expect([queue.simulated, queue.bytes]).toEqual([false, 1000])
    })

    test("is told while they are kept, however often they are handed out", async () => {
        await queue.setConsumption("keep")
        await simulated(100)
        await hardware(100)
        for (let i = 0; i < 3; i++) await queue.take(150)
        expect(queue.simulated).toBe(true)
        await queue.setConsumption("once")
        expect([queue.simulated, queue.bytes]).toEqual([false, 0])
        await hardware(100)
        await queue.setConsumption("keep")
        await simulated(100)
        await queue.setConsumption("once")
        expect(queue.simulated).toBe(true)
        await queue.take(101)
        expect(queue.simulated).toBe(true)
        await queue.take(99)
        expect(queue.simulated).toBe(false)
    })
})

describe("the queue is bounded", () => {
    test("what finds no room is left to the source", async () => {
        await queue.set({ capacity: 1000 })
        expect(await put(stream(900))).toBe(900)
        const more = stream(200, "more")
        expect(await Promise.all([put(more), put(more)])).toEqual([100, 0])
        expect(queue.room).toBe(0)
        expect(toHex((await queue.take(1000)).bytes.subarray(900))).toBe(toHex(more.subarray(0, 100)))
    })

    test("a smaller capacity drops the oldest bytes, exactly", async () => {
        const bytes = stream(10_000)
        await put(bytes)
        await queue.set({ capacity: 1001 })
        expect(queue.bytes).toBe(1001)
        expect(toHex((await queue.take(1001)).bytes)).toBe(toHex(bytes.subarray(8999)))
        expect(queue.handedOut).toBe(1001)
    })
})

describe("settings", () => {
    test("that were set go before what is configured, one by one, also after a restart", async () => {
        expect(await queue.set({ chunk: 64 })).toEqual({ capacity: 100_000, chunk: 64 })
        await restart({ ...configured, capacity: 5000, chunk: 128 })
        expect(queue.settings).toEqual({ capacity: 5000, chunk: 64 })
        await queue.set({ capacity: 7000 })
        await queue.setConsumption("keep")
        await restart()
        expect(queue.settings).toEqual({ capacity: 7000, chunk: 64 })
        expect(queue.consumption).toBe("keep")
    })
})

describe("kept bytes", () => {
    test("are handed out again from the start when the end is reached, and say so", async () => {
        await queue.setConsumption("keep")
        const bytes = stream(9000)
        await put(bytes)
        const first = await queue.take(8000)
        expect(first.consumption).toBe("keep")
        expect(toHex(first.bytes)).toBe(toHex(bytes.subarray(0, 8000)))
        const second = await queue.take(8000)
        expect(toHex(second.bytes)).toBe(
            toHex(Buffer.concat([bytes.subarray(8000), bytes.subarray(0, 7000)])),
        )
        expect(queue.bytes).toBe(9000)
        expect(queue.handedOut).toBe(16_000)
    })

    test("come never twice in one answer", async () => {
        await queue.setConsumption("keep")
        await put(stream(100))
        await queue.take(70)
        expect((await queue.take(100)).bytes).toHaveLength(100)
        await expect(queue.take(101)).rejects.toThrow(QueueEmpty)
    })

    test("are dropped when bytes are to be handed out once from now on", async () => {
        await queue.setConsumption("keep")
        await put(stream(100))
        await queue.take(10)
        await queue.setConsumption("once")
        expect(queue.bytes).toBe(0)
        await expect(queue.take(1)).rejects.toThrow(QueueEmpty)
    })

    test("are dropped too where the configuration says so at the next start", async () => {
        await restart({ ...configured, consumption: "keep" })
        await put(stream(100))
        await queue.take(10)
        await restart({ ...configured, consumption: "keep" })
        expect(queue.bytes).toBe(100)
        await restart()
        expect(queue.consumption).toBe("once")
        expect(queue.bytes).toBe(0)
    })

    test("stay where nobody was given any", async () => {
        await put(stream(100))
        await queue.setConsumption("keep")
        await expect(queue.take(101)).rejects.toThrow(QueueEmpty)
        await queue.setConsumption("once")
        expect(queue.bytes).toBe(100)
        await queue.take(100)
    })
})

describe("the file", () => {
    test("is for its owner alone", async () => {
        await put(stream(100))
        expect((await stat(path)).mode & 0o777).toBe(0o600)
        expect((await stat(`${path}-wal`)).mode & 0o777).toBe(0o600)
    })

    test("is not taken from another program, nor from a newer one of ours", async () => {
        const other = join(folder, "other.db")
        const connection = await SqliteConnection.open(other, "create")
        await connection.exec("CREATE TABLE t (a); PRAGMA user_version = 9")
        await expect(RawFile.open(other)).rejects.toThrow(UserError)
        await connection.exec("PRAGMA application_id = 0x544c5257")
        await connection.close()
        await expect(RawFile.open(other)).rejects.toThrow("made by a newer Tallylight")
        await writeFile(other, "no database at all, but some text that is long enough")
        await expect(RawFile.open(other)).rejects.toThrow("is not a file of an entropy node's raw bytes")
    })

    /** Whether they can be found in the file and in its log. */
    async function readable(bytes: Uint8Array, at = path): Promise<[file: boolean, log: boolean]> {
        const found = async (name: string): Promise<boolean> => {
            const content = await readFile(name).catch(() => Buffer.alloc(0))
            // One of these pieces may lie on two pages.
            const pieces = [1000, 2000].map((from) => Buffer.from(bytes.subarray(from, from + 64)))
            return pieces.some((piece) => content.includes(piece))
        }
        return [await found(at), await found(`${at}-wal`)]
    }

    test("forgets bytes that left, its log too", async () => {
        const leave = [
            () => queue.take(4096),
            () => queue.drop("chip"),
            async () => {
                await queue.setConsumption("keep")
                await queue.take(1)
                await queue.setConsumption("once")
            },
            () => queue.set({ capacity: 1024 }),
        ]
        for (const [at, left] of leave.entries()) {
            const bytes = stream(4096, `${at}`)
            await put(bytes)
            await left()
            expect(await readable(bytes), `${at}`).toEqual([false, true])
            await queue.forget()
            expect(await readable(bytes), `${at}`).toEqual([false, false])
        }
    })

    test("forgets them when whoever reads it has done, and serves others until then", async () => {
        const reader = await SqliteConnection.open(path, "read")
        await put(stream(4096))
        await reader.exec("BEGIN; SELECT * FROM queue")
        await queue.take(4096)
        await queue.forget()
        expect((await readable(stream(4096)))[1]).toBe(true)
        await put(stream(100))
        expect(toHex((await queue.take(100)).bytes)).toBe(toHex(stream(100)))
        await reader.exec("COMMIT")
        await queue.forget()
        expect(await readable(stream(4096))).toEqual([false, false])
        await reader.close()
    })

    test("forgets them at the end, whoever else has it open", async () => {
        const reader = await SqliteConnection.open(path, "read")
        await reader.all("SELECT * FROM queue")
        await put(stream(4096))
        await queue.take(4096)
        await file.close()
        expect((await stat(`${path}-wal`)).size).toBe(0)
        expect(await readable(stream(4096))).toEqual([false, false])
        await reader.close()
        await reopen()
    })

    test("forgets at its start what a crash has left", async () => {
        await put(stream(4096))
        await queue.take(4096)
        const copy = join(folder, "copy.db")
        for (const end of ["", "-wal"]) await copyFile(`${path}${end}`, `${copy}${end}`)
        expect(await readable(stream(4096), copy)).toEqual([false, true])
        const other = await RawFile.open(copy)
        expect(await readable(stream(4096), copy)).toEqual([false, false])
        await other.close()
    })

    test("is of no more use after a failure, and gives nobody the bytes in question", async () => {
        await put(stream(100))
        const broken = file.transaction((connection) => connection.run("no SQL", []))
        const taken = queue.take(10)
        await expect(broken).rejects.toThrow("syntax error")
        await expect(taken).rejects.toThrow("was used after it had failed")
        await expect(put(stream(1))).rejects.toThrow("was used after it had failed")
        await expect(file.emptyLog()).rejects.toThrow("was used after it had failed")
        expect(String(await file.failed)).toMatch("syntax error")
        await restart()
        expect(queue.bytes).toBe(100)
    })
})
