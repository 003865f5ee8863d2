/**
 * Small files that must outlive a crash. A file is synced before it gets its name, and its folder after, so that
 * a name never stands for half a content and does not vanish with the power.
 */
import { link, open, readdir, readFile, rename, rm } from "node:fs/promises"
import { basename, dirname, join } from "node:path"

import { nanoid } from "nanoid"

import { systemCode } from "./user-error.ts"

/** Replaces the file, or makes it; a crash leaves the old content or the new one. */
export async function writeDurably(path: string, content: Uint8Array | string, mode = 0o644): Promise<void> {
    const draft = await writeDraft(path, content, mode)
    try {
        await rename(draft, path)
    } catch (error) {
        await rm(draft, { force: true })
        throw error
    }
    await syncFolder(dirname(path))
}

/** Makes the file; rejects with EEXIST, and changes nothing, where there is one of that name. */
export async function createDurably(path: string, content: Uint8Array | string, mode = 0o644): Promise<void> {
    const draft = await writeDraft(path, content, mode)
    try {
        // Unlike rename, link never replaces what is there.
        await link(draft, path)
    } finally {
        await rm(draft, { force: true })
    }
    await syncFolder(dirname(path))
}

const newline = 0x0a
/** What is being appended to each file: two writers at once could each take the other's line for a torn one. */
const appending = new Map<string, Promise<void>>()

/**
 * Adds one line to a file of lines, in the order of the calls, and resolves when it is durable. Only one process
 * may do so.
 */
export async function appendDurably(path: string, line: string): Promise<void> {
    if (line.includes("\n")) throw new RangeError("a line has no newline within")
    const before = appending.get(path) ?? Promise.resolve()
    const appended = before.then(() => appendLine(path, line))
    const settled = appended.catch(() => undefined)
    appending.set(path, settled)
    await appended.finally(() => {
        if (appending.get(path) === settled) appending.delete(path)
    })
}

/** The lines of such a file, none where it is missing. A torn last line was never acknowledged: it is left out. */
export async function readLines(path: string): Promise<string[]> {
    const content = await readIfThere(path)
    if (content === undefined) return []
    return content.toString("utf8").split("\n").slice(0, -1)
}

export async function readIfThere(path: string): Promise<Buffer | undefined> {
    try {
        return await readFile(path)
    } catch (error) {
        if (systemCode(error) === "ENOENT") return undefined
        throw error
    }
}

/** A name, new or gone, is durable once its folder is synced. */
export async function syncFolder(path: string): Promise<void> {
    const folder = await open(path, "r")
    try {
        await folder.sync()
    } finally {
        await folder.close()
    }
}

const draftName = /^\..+\.[A-Za-z0-9_-]{8}\.tmp$/

/** Whether a file of that name is one that is being written, or was when its process died. */
export function isDraft(name: string): boolean {
    return draftName.test(name)
}

/** Takes away what crashes left in the folder and in those below it. Only for whoever has the folder to itself. */
export async function removeDrafts(folder: string): Promise<void> {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name)
        if (entry.isDirectory()) await removeDrafts(path)
        else if (entry.isFile() && isDraft(entry.name)) await rm(path, { force: true })
    }
}

async function writeDraft(path: string, content: Uint8Array | string, mode: number): Promise<string> {
    const draft = join(dirname(path), `.${basename(path)}.${nanoid(8)}.tmp`)
    const file = await open(draft, "wx", mode)
    try {
        await file.writeFile(content)
        await file.sync()
    } catch (error) {
        await rm(draft, { force: true })
        throw error
    } finally {
        await file.close()
    }
    return draft
}

async function appendLine(path: string, line: string): Promise<void> {
    // Without "append" mode, in which Linux ignores the position: a torn line has to be written over.
    const file = await openOrMake(path)
    try {
        const { size } = await file.stat()
        const end = await endOfLines(file, size)
        if (end < size) await file.truncate(end)
        const bytes = Buffer.from(`${line}\n`)
        await file.write(bytes, 0, bytes.length, end)
        await file.sync()
    } finally {
        await file.close()
    }
}

async function openOrMake(path: string): ReturnType<typeof open> {
    try {
        return await open(path, "r+")
    } catch (error) {
        if (systemCode(error) !== "ENOENT") throw error
    }
    const file = await open(path, "wx+", 0o644)
    await syncFolder(dirname(path))
    return file
}

async function endOfLines(file: Awaited<ReturnType<typeof open>>, size: number): Promise<number> {
    const last = Buffer.alloc(1)
    if (size > 0) await file.read(last, 0, 1, size - 1)
    if (size === 0 || last[0] === newline) return size
    const content = Buffer.alloc(size)
    await file.read(content, 0, size, 0)
    return wholeLines(content)
}

function wholeLines(content: Uint8Array): number {
    return content.lastIndexOf(newline) + 1
}
