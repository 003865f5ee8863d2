/** The folder in which an app keeps its keys and its state: made on purpose, for one role, used by one process. */
import { mkdir, readdir, rm } from "node:fs/promises"
import { join, resolve } from "node:path"

import { z } from "zod"

import { createDurably, isDraft, readIfThere, removeDrafts } from "./durable-file.ts"
import { FolderInUse, lockFiles, lockFolder, type ProcessLock } from "./process-lock.ts"
import { UserError } from "./user-error.ts"

export type DataRole = "pdl" | "requester" | "party" | "entropy-node" | "observer"

export type DataDir = {
    /** Absolute. */
    readonly path: string
    /** The path of a file in it. */
    readonly file: (name: string) => string
    /** Lets other processes in; nothing may be written afterwards. */
    readonly release: () => Promise<void>
}

export type DataDirOptions = {
    readonly path: string
    /** Whether a person gave the path. */
    readonly named: boolean
    readonly role: DataRole
    /** What `init` puts in, for the default folder on the first run. */
    readonly fill?: Fill
}

type Fill = (dir: DataDir) => Promise<void>

/** Counted up with every change of what lies where. */
const formats: Readonly<Record<DataRole, number>> = {
    pdl: 2,
    requester: 1,
    party: 1,
    "entropy-node": 1,
    observer: 1,
}
const markerName = "tallylight.json"
/** There from the first file on, until the folder has its marker: what lies beside it alone was never used. */
const makingName = ".tallylight-making"
const markerShape = z.object({ role: z.string(), format: z.int() })

/**
 * A folder that somebody named must be a data directory already: a mistyped path would otherwise begin a second
 * history, or a party with new keys. The default folder is made on the first run.
 */
export async function openDataDir({ path, named, role, fill }: DataDirOptions): Promise<DataDir> {
    const folder = resolve(path)
    const marker = await readIfThere(join(folder, markerName))
    if (marker !== undefined) checkMarker(folder, marker, role)
    else if (!named) await makeRoom(folder, true)
    else throw noDataDir(path, role)
    const lock = await lockFolder(folder)
    try {
        // Looked for again under the lock: another process may have made the folder meanwhile.
        if ((await readIfThere(join(folder, markerName))) === undefined)
            await furnish(folder, lock, role, fill)
        else await removeDrafts(folder)
    } catch (error) {
        await lock.release()
        throw error
    }
    return dataDir(folder, lock)
}

/** For commands that only read, also while another process has the directory open. */
export async function lookIntoDataDir(path: string, role: DataRole): Promise<Pick<DataDir, "path" | "file">> {
    const folder = resolve(path)
    const marker = await readIfThere(join(folder, markerName))
    if (marker === undefined) throw noDataDir(path, role)
    checkMarker(folder, marker, role)
    return { path: folder, file: (name) => join(folder, name) }
}

/**
 * As `openDataDir`; but where another process has the default folder, this one gets the next: `party-2`, `party-3`,
 * each with keys of its own.
 */
export async function openFreeDataDir(options: DataDirOptions): Promise<DataDir> {
    for (let number = 1; ; number++) {
        const path = number === 1 ? options.path : `${options.path}-${number}`
        try {
            return await openDataDir({ ...options, path })
        } catch (error) {
            if (options.named || !(error instanceof FolderInUse)) throw error
        }
    }
}

/**
 * Makes a data directory out of nothing or an empty folder. `fill` puts in what a directory must have; as the
 * marker comes last, a directory whose making was interrupted is never opened, and its making begins anew.
 */
export async function initDataDir(path: string, role: DataRole, fill?: Fill): Promise<void> {
    const folder = resolve(path)
    await makeRoom(folder)
    const lock = await lockFolder(folder)
    try {
        await furnish(folder, lock, role, fill)
    } finally {
        await lock.release()
    }
}

/** Nothing is put, not even a lock, into a folder that holds somebody's files. */
async function makeRoom(folder: string, mayBeMade = false): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const found = await filesIn(folder)
    // Another process has just made it.
    if (mayBeMade && found.includes(markerName)) return
    refuseUnlessEmpty(folder, found)
}

async function furnish(folder: string, lock: ProcessLock, role: DataRole, fill?: Fill): Promise<void> {
    const found = await filesIn(folder)
    refuseUnlessEmpty(folder, found)
    // Of a making that was interrupted, and whose keys nobody was told.
    for (const name of found) await rm(join(folder, name), { recursive: true })
    await removeDrafts(folder)
    await createDurably(join(folder, makingName), "")
    await fill?.(dataDir(folder, lock))
    await createDurably(join(folder, markerName), `${JSON.stringify({ role, format: formats[role] })}\n`)
    await rm(join(folder, makingName))
}

/** Without those that another process may be writing, or that one left which died then, before anything else is there. */
async function filesIn(folder: string): Promise<string[]> {
    return (await readdir(folder)).filter((name) => !lockFiles.includes(name) && !isDraft(name))
}

function refuseUnlessEmpty(folder: string, found: readonly string[]): void {
    if (found.includes(markerName)) throw new UserError(`${folder} is a data directory already`)
    if (found.length > 0 && !found.includes(makingName)) {
        throw new UserError(`${folder} is not empty; a data directory is made in an empty folder`)
    }
}

function dataDir(path: string, { release }: ProcessLock): DataDir {
    return { path, file: (name) => join(path, name), release }
}

function checkMarker(folder: string, content: Buffer, role: DataRole): void {
    const path = join(folder, markerName)
    const marker = markerShape.safeParse(parseJson(content.toString("utf8")))
    if (!marker.success) throw new UserError(`${path} is damaged: it should name a role and a format`)
    if (marker.data.role !== role) {
        throw new UserError(`${folder} is the data directory of a ${marker.data.role}, not of a ${role}`)
    }
    const { format } = marker.data
    if (format > formats[role]) {
        throw new UserError(`${folder} has format ${format}, made by a newer Tallylight`)
    }
    if (format < formats[role]) {
        throw new UserError(
            `${folder} has format ${format} of an older Tallylight, and this one keeps format ${formats[role]}; ` +
                `“Upgrades” in docs/OPERATING.md says what to move where`,
        )
    }
}

function noDataDir(path: string, role: DataRole): UserError {
    // Whoever mistyped the folder of a committee's member would get keys that open nothing of the committee's.
    const ways =
        role === "requester"
            ? `correct the path; for a requester that opens its rounds alone run \`tallylight requester init --data ${path}\`, ` +
              "and a committee's members get their folders from `tallylight requester keygen`"
            : `run \`tallylight ${role} init --data ${path}\` first, or correct the path`
    return new UserError(`${path} is no data directory; ${ways}`)
}

function parseJson(text: string): unknown {
    try {
        return JSON.parse(text) as unknown
    } catch (error) {
        if (error instanceof SyntaxError) return undefined
        throw error
    }
}
