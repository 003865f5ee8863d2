import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { appendDurably, createDurably, readLines, writeDurably } from "./durable-file.ts"
import { fileNotebook } from "./file-notebook.ts"

let folder: string
let path: string
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-files-"))
    path = join(folder, "state")
})
afterEach(() => rm(folder, { recursive: true }))

describe("writeDurably", () => {
    test("makes the file and replaces it, text or bytes, and leaves no draft", async () => {
        await writeDurably(path, "one")
        expect(await readFile(path, "utf8")).toBe("one")
        await writeDurably(path, Uint8Array.of(0, 255))
        expect(new Uint8Array(await readFile(path))).toStrictEqual(Uint8Array.of(0, 255))
        expect(await readdir(folder)).toStrictEqual(["state"])
    })

    test("leaves the old content and no draft where it fails", async () => {
        await expect(writeDurably(join(folder, "missing", "state"), "x")).rejects.toThrow("ENOENT")
        await expect(writeDurably(folder, "x")).rejects.toThrow()
        expect(await readdir(folder)).toStrictEqual([])
    })

    test("many writers at once leave one whole content", async () => {
        const contents = Array.from({ length: 20 }, (_, i) => String(i).repeat(10_000))
        await Promise.all(contents.map((content) => writeDurably(path, content)))
        expect(contents).toContain(await readFile(path, "utf8"))
    })
})

describe("createDurably", () => {
    test("makes a file with the mode, and never replaces one", async () => {
        await createDurably(path, "first", 0o600)
        expect((await stat(path)).mode & 0o777).toBe(0o600)
        await expect(createDurably(path, "second")).rejects.toThrow("EEXIST")
        expect(await readFile(path, "utf8")).toBe("first")
        expect(await readdir(folder)).toStrictEqual(["state"])
    })

    test("one of several at once wins", async () => {
        const outcomes = await Promise.allSettled(["a", "b", "c"].map((text) => createDurably(path, text)))
        expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
    })
})

describe("appendDurably", () => {
    test("adds lines in the order of the calls, awaited or not", async () => {
        expect(await readLines(path)).toStrictEqual([])
        const lines = Array.from({ length: 30 }, (_, i) => `{"line":${i},"text":"é"}`)
        await Promise.all(lines.map((line) => appendDurably(path, line)))
        await appendDurably(path, "last")
        expect(await readLines(path)).toStrictEqual([...lines, "last"])
    })

    test.each([Buffer.from("torn"), Buffer.alloc(100_000, "a"), Buffer.from("é").subarray(0, 1)])(
        "a torn last line is not read, and written over",
        async (torn) => {
            await appendDurably(path, "whole")
            await appendFile(path, torn)
            expect(await readLines(path)).toStrictEqual(["whole"])
            await appendDurably(path, "next")
            expect(await readFile(path, "utf8")).toBe("whole\nnext\n")
        },
    )

    test("a file of nothing but a torn line begins anew", async () => {
        await writeFile(path, "torn")
        expect(await readLines(path)).toStrictEqual([])
        await appendDurably(path, "first")
        expect(await readLines(path)).toStrictEqual(["first"])
    })

    test("refuses two lines in one", async () => {
        await expect(appendDurably(path, "a\nb")).rejects.toThrow(RangeError)
    })

    test("goes on after one that failed", async () => {
        await appendDurably(path, "one")
        await rm(path)
        await expect(appendDurably(join(folder, "missing", "x"), "lost")).rejects.toThrow("ENOENT")
        await appendDurably(path, "two")
        expect(await readLines(path)).toStrictEqual(["two"])
    })
})

describe("fileNotebook", () => {
    test("reads what was written, from another notebook over the same folder", async () => {
        expect(await fileNotebook(folder).read("last-answer")).toBeUndefined()
        await fileNotebook(folder).write("last-answer", Uint8Array.of(1, 2))
        await fileNotebook(folder).write("last-answer", Uint8Array.of(3))
        expect(await fileNotebook(folder).read("last-answer")).toStrictEqual(Uint8Array.of(3))
        expect((await stat(join(folder, "last-answer"))).mode & 0o777).toBe(0o600)
    })

    test.each(["", "..", "../x", "a/b", "A", ".hidden"])("refuses “%s” as a name", async (name) => {
        await expect(fileNotebook(folder).read(name)).rejects.toThrow(RangeError)
        await expect(fileNotebook(folder).write(name, new Uint8Array(1))).rejects.toThrow(RangeError)
    })
})
