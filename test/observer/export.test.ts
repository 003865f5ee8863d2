import { readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { runExport } from "@tallylight/observer/export-command.js"
import { runVerify } from "@tallylight/observer/verify-command.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { seal } from "@tallylight/protocol/sample/mutant.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { afterAll, beforeEach, describe, expect, test } from "vitest"
import { cleanUp, filesOf, folderOf, longSample, never, newFolder, paper, serve, spoil } from "./fixtures.ts"
import type { Files } from "./fixtures.ts"

const sample = longSample(600)
const { chain } = sample.state
const shorter = (size: number): Files => filesOf(sample, sample.entries.slice(0, size))
const whole = filesOf(sample)

let out = ""
beforeEach(async () => {
    out = join(await newFolder(), "export")
})
afterAll(cleanUp)

async function exportFrom(url: string, to = out) {
    const terminal = paper()
    const error = await runExport({ url, out: to }, never, terminal).then(
        () => undefined,
        (reason: unknown) => reason as Error,
    )
    return { error, printed: terminal.printed() }
}

async function filesIn(folder: string): Promise<Files> {
    const found = await readdir(folder, { recursive: true, withFileTypes: true })
    const files: Files = new Map()
    for (const entry of found.filter((each) => each.isFile())) {
        const path = join(entry.parentPath, entry.name)
        files.set(path.slice(folder.length + 1), new Uint8Array(await readFile(path)))
    }
    return files
}

function sorted(files: Files) {
    return [...files].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Every file as it was, the checkpoint above all; tiles that nothing points to may have come. */
async function expectUnchanged(before: Files): Promise<void> {
    const after = await filesIn(out)
    expect(sorted(new Map([...after].filter(([path]) => before.has(path))))).toStrictEqual(sorted(before))
}

describe("an export", () => {
    test("has exactly the files of the log, at every interesting size, and holds", async () => {
        for (const size of [1, 72, 255, 256, 257, 512, 600]) {
            const files = shorter(size)
            const { url } = await serve(chain, files)
            const to = join(await newFolder(), "export")
            const { error, printed } = await exportFrom(url, to)
            expect(error).toBeUndefined()
            expect(printed).toBe(
                `${size} ${size === 1 ? "entry" : "entries"} of chain ${toHex(chain)} (sample) in ${to}\n`,
            )
            expect(sorted(await filesIn(to))).toStrictEqual(sorted(files))
        }
    })

    test("is verified from its folder", async () => {
        await exportFrom((await serve(chain, whole)).url)
        const to = paper()
        await runVerify({ dir: out, chain: toHex(chain), json: true }, never, to)
        expect(JSON.parse(to.printed())).toMatchObject({ holds: true, size: 600, verified: 600 })
    })

    test("goes into a folder that is there and empty", async () => {
        const { error } = await exportFrom((await serve(chain, whole)).url, await newFolder())
        expect(error).toBeUndefined()
    })
})

describe("a later export", () => {
    test("fetches no full tile again, and drops what it filled", async () => {
        await exportFrom((await serve(chain, shorter(300))).url)
        const { url, asked } = await serve(chain, whole)
        const { error, printed } = await exportFrom(url)
        expect(error).toBeUndefined()
        expect(printed).toContain("600 entries, 300 of them new, of chain")
        expect(asked).not.toContain("tile/entries/000")
        expect(asked).not.toContain("tile/0/000")
        const files = await filesIn(out)
        // The partial tile of level 1 is not full yet: a reader of the older checkpoint may still ask for it.
        expect([...files.keys()].filter((path) => !whole.has(path))).toStrictEqual(["tile/1/000.p/1"])
        files.delete("tile/1/000.p/1")
        expect(sorted(files)).toStrictEqual(sorted(whole))
        const to = paper()
        await runVerify({ dir: out }, never, to)
        expect(to.printed()).toContain("600 of 600 entries verified")
    })

    test("of a ledger that has not grown changes nothing", async () => {
        const { url } = await serve(chain, whole)
        await exportFrom(url)
        const { error, printed } = await exportFrom(url)
        expect(error).toBeUndefined()
        expect(printed).toContain("600 entries, 0 of them new,")
        expect(sorted(await filesIn(out))).toStrictEqual(sorted(whole))
    })

    test("takes up one that was interrupted before its checkpoint", async () => {
        const begun = new Map([...shorter(300)].filter(([path]) => path !== "checkpoint"))
        spoil(begun, "tile/entries/000")
        const folder = await folderOf(begun)
        const { error } = await exportFrom((await serve(chain, whole)).url, folder)
        expect(error).toBeUndefined()
        expect((await filesIn(folder)).get("tile/entries/000")).toStrictEqual(whole.get("tile/entries/000"))
    })

    test.each([
        ["in its unfinished bundle", 300],
        ["in a bundle that was full", 100],
    ])("refuses a ledger with another history %s", async (_, at) => {
        await exportFrom((await serve(chain, shorter(301))).url)
        const before = await filesIn(out)
        const entry = sample.entries[at]!
        const other = sample.entries.with(at, { ...entry, time: entry.time - 1 })
        const forked = filesOf(sample, other)
        const { error } = await exportFrom((await serve(chain, forked)).url)
        expect(error?.message).toMatch(/^forked: .* does not extend the 301 entries/)
        expect(error?.message).toContain("prove that it signed two histories")
        await expectUnchanged(before)
        const evidence = join(out, "evidence-fork-301.json")
        expect(error?.message).toContain(evidence)
        // Rejects unless the file convicts.
        await runVerify({ evidence }, never, paper())
        // It stays, and is no obstacle to going on with the history that is there.
        expect((await exportFrom((await serve(chain, whole)).url)).error).toBeUndefined()
        expect(await readdir(out)).toContain("evidence-fork-301.json")
    })

    test("accuses nobody where it cannot have the proof", async () => {
        await exportFrom((await serve(chain, shorter(301))).url)
        const entry = sample.entries[300]!
        const forked = filesOf(sample, sample.entries.with(300, { ...entry, time: entry.time - 1 }))
        // The bundle that an export has already, and only the proof needs again.
        forked.delete("tile/entries/000")
        const { error } = await exportFrom((await serve(chain, forked)).url)
        expect(error?.message).toMatch(/evidence-fork-301.json, and convict nobody yet$/)
    })

    // 512: exactly the full bundles, which are not fetched again and hash to the older root.
    test.each([300, 512])("refuses a ledger that has become shorter, of %i entries", async (size) => {
        await exportFrom((await serve(chain, whole)).url)
        const before = await filesIn(out)
        const { error } = await exportFrom((await serve(chain, shorter(size))).url)
        expect(error?.message).toMatch(/^forked: .*evidence-fork-600.json, and convict nobody yet$/)
        const after = await filesIn(out)
        expect(after.delete("evidence-fork-600.json")).toBe(true)
        expect(sorted(after)).toStrictEqual(sorted(before))
    })

    test("does not take an unsigned checkpoint for a fork", async () => {
        await exportFrom((await serve(chain, whole)).url)
        const forged = seal(sample, sample.entries.slice(0, 300).map(encodeEntry), sample.keys.vrfSeed)
        const files = shorter(300).set("checkpoint", utf8(forged))
        const { error } = await exportFrom((await serve(chain, files)).url)
        expect(error?.message).toMatch(/^bad-checkpoint: /)
    })

    test.each(["tile/entries/000", "tile/entries/001.p/44", "tile/0/000", "checkpoint"])(
        "finds that the copy was damaged in %s",
        async (path) => {
            await exportFrom((await serve(chain, shorter(300))).url)
            const copy = await filesIn(out)
            spoil(copy, path)
            await writeFile(join(out, path), copy.get(path)!)
            const { error } = await exportFrom((await serve(chain, whole)).url)
            expect(error?.message).toMatch(/^the export in .* is damaged: /)
        },
    )
})

describe("no export is made", () => {
    test("into a folder of something else, or of another chain", async () => {
        const { url } = await serve(chain, whole)
        const folder = await folderOf(new Map([["letter.txt", utf8("dear diary")]]))
        const { error } = await exportFrom(url, folder)
        expect(error?.message).toContain("is not empty and no export of a ledger")
        expect(await readdir(folder)).toStrictEqual(["letter.txt"])

        const stranger = new SampleLedger("others")
        const theirs = await folderOf(filesOf(stranger))
        const other = await exportFrom(url, theirs)
        expect(other.error?.message).toContain(
            `is the ledger of chain ${toHex(stranger.state.chain)}, not of`,
        )
        expect(sorted(await filesIn(theirs))).toStrictEqual(sorted(filesOf(stranger)))
    })

    test.each(["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001"])(
        "of a log whose %s has a wrong bit or is missing",
        async (path) => {
            for (const edit of [() => undefined, spoil]) {
                const files = new Map(whole)
                files.delete(path)
                if (edit === spoil) spoil(files.set(path, whole.get(path)!), path)
                const { error } = await exportFrom((await serve(chain, files)).url)
                expect(error).toBeDefined()
                expect((await filesIn(out)).has("checkpoint")).toBe(false)
            }
        },
    )

    test.each([
        ["nothing", new Map() as Files, "empty-ledger"],
        ["a signed head of no entries", emptyLog(), "empty-ledger"],
        ["a head that another key signed", badlySigned(), "bad-checkpoint"],
        ["a head over other entries", otherRoot(), "wrong-root"],
    ])("of %s", async (_, files, code) => {
        const { error } = await exportFrom((await serve(chain, files)).url)
        expect(error?.message).toMatch(new RegExp(`^${code}: `))
        expect((await filesIn(out)).has("checkpoint")).toBe(false)
    })

    function emptyLog(): Files {
        return new Map([["checkpoint", utf8(seal(sample, [], sample.keys.ledgerSeed))]])
    }

    function otherRoot(): Files {
        const last = sample.entries.at(-1)!
        const other = sample.entries.with(-1, { ...last, time: last.time + 1 })
        return new Map(whole).set("checkpoint", filesOf(sample, other).get("checkpoint")!)
    }

    function badlySigned(): Files {
        return new Map(whole).set(
            "checkpoint",
            utf8(seal(sample, sample.entries.map(encodeEntry), sample.keys.vrfSeed)),
        )
    }

    test("of a ledger that is not the chain that the server named", async () => {
        const { url } = await serve(new Uint8Array(32).fill(1), whole)
        const { error } = await exportFrom(url)
        expect(error?.message).toContain(`is the ledger of chain ${toHex(chain)}, not of 0101`)
    })
})
