import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NotSeeded } from "@tallylight/entropy/fortuna.js"
import { UserError } from "@tallylight/node/user-error.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Pool } from "./pool.ts"

let folder: string
let seedFile: string
let clock: ManualClock
let reseeds: number
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-pool-"))
    seedFile = join(folder, "fortuna.seed")
    clock = new ManualClock(5000)
    reseeds = 0
})
afterEach(() => rm(folder, { recursive: true }))

const open = (): Promise<Pool> =>
    Pool.open({
        settings: { minPoolSize: 64, reseedIntervalMs: 100 },
        clock,
        seedFile,
        onReseed: () => (reseeds += 1),
    })
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const written = async (): Promise<string> => (await readFile(seedFile)).toString("hex")
const samples = (value: number): Uint8Array => new Uint8Array(1024).fill(value)

describe("seed file", () => {
    test("is none before anything is there to make it of", async () => {
        const pool = await open()
        await pool.writeSeedFile()
        expect(await readdir(folder)).toEqual([])
        pool.admit(samples(1))
        await pool.writeSeedFile()
        expect(await readdir(folder)).toEqual(["fortuna.seed"])
        expect((await readFile(seedFile)).length).toBe(64)
        expect((await stat(seedFile)).mode & 0o777).toBe(0o600)
    })

    test("is replaced as soon as it is read, before anything is given out", async () => {
        await writeFile(seedFile, Buffer.alloc(64, 7), { mode: 0o644 })
        await open()
        const first = await written()
        expect(first).not.toBe(hex(new Uint8Array(64).fill(7)))
        expect((await stat(seedFile)).mode & 0o777).toBe(0o600)
        await open()
        expect(await written()).not.toBe(first)
        expect(await readdir(folder)).toEqual(["fortuna.seed"])
    })

    test("decides with the sources what is given out", async () => {
        const outputs = new Set<string>()
        for (const [seed, sample] of [
            [1, 1],
            [1, 2],
            [2, 1],
        ] as const) {
            await writeFile(seedFile, Buffer.alloc(64, seed))
            const pool = await open()
            pool.admit(samples(sample))
            outputs.add(hex(pool.read(64)))
        }
        expect(outputs.size).toBe(3)
    })

    test("alone seeds nothing", async () => {
        await writeFile(seedFile, Buffer.alloc(64, 7))
        const pool = await open()
        expect(pool.reseeds).toBe(0)
        expect(pool.lastReseed).toBeNull()
        pool.admit(samples(1))
        expect(pool.reseeds).toBe(1)
    })

    test("never has what was given out, nor what was in it before", async () => {
        const pool = await open()
        pool.admit(samples(1))
        const seen = new Set<string>()
        for (let i = 0; i < 5; i += 1) {
            seen.add(hex(pool.read(64)))
            await pool.writeSeedFile()
            seen.add(await written())
        }
        expect(seen.size).toBe(10)
    })

    test("of another length is refused, with what to do", async () => {
        await writeFile(seedFile, Buffer.alloc(63))
        await expect(open()).rejects.toThrow(
            new UserError(`${seedFile} has 63 bytes and should have 64; delete it, sources make a new one`),
        )
        expect((await readFile(seedFile)).length).toBe(63)
    })
})

describe("pool", () => {
    test("gives nothing before it is seeded", async () => {
        const pool = await open()
        expect(() => pool.read(1)).toThrow(NotSeeded)
    })

    test("reseeds as soon as its first pool is full and 100 ms have gone by", async () => {
        const pool = await open()
        const stream = pool.stream(3)
        // 32 events go through all pools; the 33rd is the second of the first.
        stream.add(samples(1))
        expect(pool.reseeds).toBe(0)
        stream.add(new Uint8Array(32))
        expect(pool.reseeds).toBe(1)
        expect(pool.lastReseed).toBe(5000)
        await clock.advance(99)
        stream.add(samples(1))
        stream.add(samples(1))
        expect(pool.reseeds).toBe(1)
        await clock.advance(1)
        pool.read(1)
        expect(pool.reseeds).toBe(2)
        expect(pool.lastReseed).toBe(5100)
        expect(reseeds).toBe(2)
    })
})
