import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ManualClock, settle } from "@tallylight/protocol/ports/manual-clock.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { initDataDir, openDataDir } from "./data-dir.ts"
import { configCheck, dataDirCheck, holderCheck } from "./doctor-data.ts"
import { diskCheck, nodeCheck, openFilesCheck } from "./doctor-machine.ts"
import { diagnosisText, examine, ok, warn } from "./doctor.ts"
import type { Check, Diagnosis } from "./doctor.ts"
import { systemClock } from "./system-clock.ts"
import { UserError } from "./user-error.ts"

const never = new AbortController().signal

async function all(checks: readonly Check[], clock = systemClock): Promise<Diagnosis[]> {
    const found = []
    for await (const diagnosis of examine(checks, never, clock)) found.push(diagnosis)
    return found
}

async function look(check: Check): Promise<Diagnosis> {
    const [diagnosis] = await all([check])
    if (diagnosis === undefined) throw new Error("nothing was found")
    return diagnosis
}

let folder: string
let dir: string
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-doctor-"))
    dir = join(folder, "party")
    await initDataDir(dir, "party")
})
afterEach(() => rm(folder, { recursive: true }))

describe("the doctor", () => {
    test("makes every check, whatever becomes of those before", async () => {
        const checks: Check[] = [
            { name: "one", look: () => Promise.reject(new UserError("it is broken")) },
            { name: "two", look: () => Promise.resolve(warn("it creaks", "oil it")) },
            { name: "three", look: () => Promise.resolve(ok("it runs")) },
        ]
        expect(await all(checks)).toEqual([
            { name: "one", verdict: "fail", says: "it is broken" },
            { name: "two", verdict: "warn", says: "it creaks", advice: "oil it" },
            { name: "three", verdict: "ok", says: "it runs" },
        ])
    })

    test("waits for none without end", async () => {
        const clock = new ManualClock()
        const stuck: Check = { name: "stuck", look: () => new Promise(() => undefined) }
        const found = all([stuck, { name: "next", look: () => Promise.resolve(ok("made")) }], clock)
        await settle()
        await clock.advance(15_000)
        expect((await found).map(({ verdict }) => verdict)).toEqual(["fail", "ok"])
    })

    test("gives up when it is told to stop", async () => {
        const stop = new AbortController()
        const reason = new Error("stopped")
        const check: Check = { name: "long", look: () => new Promise(() => undefined) }
        const found = examine([check], stop.signal, new ManualClock()).next()
        stop.abort(reason)
        await expect(found).rejects.toBe(reason)
    })

    test("prints a line for each, and nothing that a terminal would obey", () => {
        const text = diagnosisText(
            { name: "chain", ...warn("named \u001b[31mred\u202e", "compare it") },
            false,
        )
        expect(text).toBe("warn  chain             named ?[31mred?\n                        compare it\n")
        expect(diagnosisText({ name: "chain", ...ok("found") }, true)).toContain("\u001b[32mok")
    })
})

test.each([
    ["20.19.0", "ok"],
    ["22.0.0", "ok"],
    ["20.18.9", "fail"],
    ["18.20.4", "fail"],
])("takes Node %s for %s", async (version, verdict) => {
    expect(await look(nodeCheck(version))).toMatchObject({ verdict })
})

describe("the disk", () => {
    const mebibyte = 1024 * 1024
    const free = (mebibytes: number) => () => Promise.resolve(mebibytes * mebibyte)
    const grows = (mebibytes: number) => () => Promise.resolve(mebibytes * mebibyte)

    test.each([
        [5000, 0, "ok"],
        [5000, 10, "ok"],
        [5000, 100, "warn"],
        [500, 0, "warn"],
        [50, 0, "fail"],
    ])("with %i MiB free that fills by %i a day is %s", async (space, daily, verdict) => {
        expect(await look(diskCheck(dir, grows(daily), free(space)))).toMatchObject({ verdict })
    })

    test("must take a file", async () => {
        expect(await look(diskCheck(dir))).not.toMatchObject({ verdict: "fail" })
        const missing = await look(diskCheck(join(folder, "missing")))
        expect(missing).toMatchObject({ verdict: "fail" })
        expect(missing.says).toContain("nothing can be written and synced")
    })
})

describe("open files", () => {
    const limits = (soft: string) => () =>
        Promise.resolve(`Max open files            ${soft}     4096  files\n`)
    const nobody = () => Promise.resolve(undefined)

    test.each([
        ["10128", "ok"],
        ["unlimited", "ok"],
        ["10127", "fail"],
    ])("with a limit of %s for 10000 connections are %s", async (soft, verdict) => {
        expect(await look(openFilesCheck(10_000, nobody, limits(soft)))).toMatchObject({ verdict })
    })

    test("are a warning where nobody can know", async () => {
        const unknown = () => Promise.reject(new Error("there is no /proc"))
        expect(await look(openFilesCheck(10, nobody, unknown))).toMatchObject({ verdict: "warn" })
    })
})

test("settings that cannot be read fail with their sentence", async () => {
    expect(await look(configCheck("a.jsonc", () => Promise.resolve()))).toMatchObject({ verdict: "ok" })
    const broken = configCheck("a.jsonc", () =>
        Promise.reject(new UserError("a.jsonc: colour: no such setting")),
    )
    expect(await look(broken)).toMatchObject({ verdict: "fail", says: "a.jsonc: colour: no such setting" })
})

describe("a data directory", () => {
    test("is there, of this role, and for its owner alone", async () => {
        expect(await look(dataDirCheck(dir, "party"))).toMatchObject({ verdict: "ok", says: dir })
        expect(await look(dataDirCheck(dir, "pdl"))).toMatchObject({ verdict: "fail" })
        expect((await look(dataDirCheck(join(folder, "none"), "party"))).says).toContain(
            "is no data directory",
        )
        await chmod(dir, 0o755)
        expect(await look(dataDirCheck(dir, "party"))).toMatchObject({ verdict: "warn" })
        await writeFile(join(dir, "tallylight.json"), "{}")
        expect((await look(dataDirCheck(dir, "party"))).says).toContain("is damaged")
    })

    test("is in use by whoever holds its lock, whom the question does not disturb", async () => {
        expect(await look(holderCheck(dir))).toMatchObject({ says: "by nobody" })
        const held = await openDataDir({ path: dir, named: true, role: "party" })
        expect(await look(holderCheck(dir))).toMatchObject({ says: `by process ${process.pid}` })
        await expect(openDataDir({ path: dir, named: true, role: "party" })).rejects.toThrow("in use")
        await held.release()
        expect(await look(holderCheck(dir))).toMatchObject({ says: "by nobody" })
    })
})
