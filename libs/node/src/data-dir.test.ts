import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { nextLine, run } from "../../../test/processes/run.ts"
import { initDataDir, openDataDir, openFreeDataDir, type DataDir } from "./data-dir.ts"
import { UserError } from "./user-error.ts"

let folder: string
let path: string
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-data-"))
    path = join(folder, "party")
})
afterEach(() => rm(folder, { recursive: true }))

const named = () => ({ path, named: true, role: "party" }) as const

describe("initDataDir", () => {
    test("makes a folder for its owner alone, with a marker", async () => {
        await initDataDir(path, "party")
        expect((await stat(path)).mode & 0o777).toBe(0o700)
        expect(await readFile(join(path, "tallylight.json"), "utf8")).toBe('{"role":"party","format":1}\n')
        await (await openDataDir(named())).release()
    })

    test("takes an empty folder, and no other", async () => {
        await mkdir(path)
        await writeFile(join(path, "thesis.tex"), "")
        await expect(initDataDir(path, "party")).rejects.toThrow(
            new UserError(`${path} is not empty; a data directory is made in an empty folder`),
        )
        expect(await readdir(path)).toStrictEqual(["thesis.tex"])
        await rm(join(path, "thesis.tex"))
        await initDataDir(path, "party")
    })

    test("refuses one that exists", async () => {
        await initDataDir(path, "party")
        await expect(initDataDir(path, "party")).rejects.toThrow(
            new UserError(`${path} is a data directory already`),
        )
    })

    test("is not done before everything is in", async () => {
        const failing = initDataDir(path, "party", async (dir) => {
            await writeFile(dir.file("identity.key"), "half")
            throw new Error("the power failed")
        })
        await expect(failing).rejects.toThrow("the power failed")
        await expect(openDataDir(named())).rejects.toThrow("is no data directory")
        // Nothing of it was ever used, so it begins anew.
        const fill = (dir: DataDir) => writeFile(dir.file("vrf.key"), "whole")
        await initDataDir(path, "party", fill)
        expect((await readdir(path)).toSorted()).toStrictEqual([
            ...["lock", "lock.pid", "tallylight.json", "vrf.key"],
        ])
        await rm(path, { recursive: true })
        await expect(
            initDataDir(path, "party", async (dir) => {
                await writeFile(dir.file("identity.key"), "half")
                throw new Error("the power failed")
            }),
        ).rejects.toThrow("the power failed")
        await (await openDataDir({ ...named(), named: false, fill })).release()
    })
})

describe("openDataDir", () => {
    test("says which init makes a folder that somebody named", async () => {
        await expect(openDataDir(named())).rejects.toThrow(
            new UserError(
                `${path} is no data directory; run \`tallylight party init --data ${path}\` first, or correct the path`,
            ),
        )
        await expect(openDataDir({ ...named(), role: "requester" })).rejects.toThrow(
            `\`tallylight requester init --data ${path}\`, and a committee's members get their folders from ` +
                "`tallylight requester keygen`",
        )
        expect(await readdir(folder)).toStrictEqual([])
    })

    test("makes the default folder on the first run, and finds it on the next", async () => {
        const first = await openDataDir({ path, named: false, role: "party" })
        expect(first.file("identity.key")).toBe(join(path, "identity.key"))
        await first.release()
        const second = await openDataDir({ path, named: false, role: "party" })
        await second.release()
    })

    test("fills the default folder on the first run alone", async () => {
        let filled = 0
        const options = {
            path,
            named: false,
            role: "party",
            fill: (dir: DataDir) => writeFile(dir.file("identity.key"), String((filled += 1))),
        } as const
        await (await openDataDir(options)).release()
        await (await openDataDir(options)).release()
        expect(await readFile(join(path, "identity.key"), "utf8")).toBe("1")
    })

    test("gives one of several that begin at once the default folder, and the others the next", async () => {
        const fill = (dir: DataDir): Promise<void> => writeFile(dir.file("identity.key"), dir.path)
        const options = { path, named: false, role: "party", fill } as const
        const opened = await Promise.all([1, 2, 3].map(() => openFreeDataDir(options)))
        expect(opened.map((dir) => dir.path).sort()).toStrictEqual([path, `${path}-2`, `${path}-3`])
        for (const dir of opened) {
            expect(await readFile(dir.file("identity.key"), "utf8")).toBe(dir.path)
            await dir.release()
        }
    })

    test("puts nothing into a default folder that holds somebody's files", async () => {
        await mkdir(path)
        await writeFile(join(path, "thesis.tex"), "")
        await expect(openDataDir({ ...named(), named: false })).rejects.toThrow("is not empty")
        expect(await readdir(path)).toStrictEqual(["thesis.tex"])
    })

    test("goes on where a first run was stopped before it had put anything in", async () => {
        await mkdir(path)
        for (const name of ["lock", "lock.pid"]) await writeFile(join(path, name), "")
        await (await openDataDir({ ...named(), named: false })).release()
    })

    test("goes on where a first run died while it wrote its process id, or began to make the folder", async () => {
        await mkdir(path)
        for (const name of [".lock.pid.abcdefgh.tmp", "..tallylight-making.abcdefgh.tmp"])
            await writeFile(join(path, name), "")
        await (await openDataDir({ ...named(), named: false })).release()
        expect((await readdir(path)).filter((name) => name.endsWith(".tmp"))).toEqual([])
    })

    test("lets go of the folder where it could not be filled", async () => {
        const fill = (): Promise<void> => Promise.reject(new Error("no entropy"))
        await expect(openDataDir({ ...named(), named: false, fill })).rejects.toThrow("no entropy")
        await (await openDataDir({ ...named(), named: false })).release()
    })

    test("keeps the roles apart", async () => {
        await initDataDir(path, "party")
        await expect(openDataDir({ ...named(), role: "pdl" })).rejects.toThrow(
            new UserError(`${path} is the data directory of a party, not of a pdl`),
        )
    })

    test.each([
        ['{"role":"party","format":2}', "has format 2, made by a newer Tallylight"],
        ['{"role":"party"}', "is damaged"],
        ["{", "is damaged"],
    ])("refuses the marker %s", async (marker, problem) => {
        await initDataDir(path, "party")
        await writeFile(join(path, "tallylight.json"), marker)
        await expect(openDataDir(named())).rejects.toThrow(problem)
    })

    test("takes away the drafts of files that a crash left, and nothing else", async () => {
        await initDataDir(path, "party")
        await mkdir(join(path, "party-1"))
        const drafts = [".checkpoint.V1StGXR8.tmp", "party-1/.identity.key._-aB01xy.tmp"]
        const others = [".checkpoint.tmp", "checkpoint.V1StGXR8.tmp", "party-1/.identity.key.V1StGXR8.tmp~"]
        for (const name of [...drafts, ...others]) await writeFile(join(path, name), "")
        const open = await openDataDir(named())
        const left = await readdir(path, { recursive: true })
        expect(left.filter((name) => name.includes("tmp")).toSorted()).toStrictEqual(others.toSorted())
        // A writer at work has one, and only who has the folder to itself may take any away.
        await writeFile(join(path, ".page.V1StGXR8.tmp"), "")
        await expect(openDataDir(named())).rejects.toThrow("in use")
        expect(await readdir(path)).toContain(".page.V1StGXR8.tmp")
        await open.release()
    })

    test("lets one in at a time, also within one process", async () => {
        await initDataDir(path, "party")
        const open = await openDataDir(named())
        await expect(openDataDir(named())).rejects.toThrow(
            new UserError(`${path} is in use by process ${process.pid}`),
        )
        await open.release()
        await (await openDataDir(named())).release()
    })

    test("says which process holds it, and takes it over when that one is killed", async () => {
        await initDataDir(path, "party")
        const holder = run("hold-data-dir.ts", path)
        expect(await nextLine(holder)).toBe("open")
        await expect(openDataDir(named())).rejects.toThrow(`${path} is in use by process ${holder.pid}`)
        holder.kill("SIGKILL")
        await holder.ended
        await (await openDataDir(named())).release()
    })
})
