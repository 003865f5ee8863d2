/** What `doctor` looks at on any machine: its Node, its disk, its limits. */
import { open, readFile, rm, stat, statfs } from "node:fs/promises"
import { join } from "node:path"

import { nanoid } from "nanoid"
import { z } from "zod"

import { fail, ok, warn, type Check, type Finding } from "./doctor.ts"

const manifest = z.object({ engines: z.object({ node: z.string().regex(/^>=\d+\.\d+$/) }) })

/** `version` such as 20.19.4, held against what package.json asks for. */
export function nodeCheck(version: string = process.versions.node): Check {
    return {
        name: "node",
        look: async () => {
            const text = await readFile(new URL("../../../package.json", import.meta.url), "utf8")
            const { node } = manifest.parse(JSON.parse(text)).engines
            const [major = 0, minor = 0] = version.split(".").map(Number)
            const [leastMajor = 0, leastMinor = 0] = node.slice(2).split(".").map(Number)
            const isEnough = major > leastMajor || (major === leastMajor && minor >= leastMinor)
            if (isEnough) return ok(`Node ${version}`)
            return fail(`Node ${version} is too old: this needs ${node}`, "install a newer Node")
        },
    }
}

const mebibyte = 1024 * 1024
const leastFree = 64 * mebibyte
const littleFree = 1024 * mebibyte
const enoughDays = 90

/** Writes a small file into the folder, which nobody else looks at, and takes it away again. */
export function diskCheck(
    folder: string,
    perDay: () => Promise<number> = () => Promise.resolve(0),
    freeBytes: (folder: string) => Promise<number> = freeSpace,
): Check {
    return {
        name: "disk",
        look: async () => {
            await probe(folder)
            const [free, grows] = [await freeBytes(folder), await perDay()]
            const space = `${Math.floor(free / mebibyte)} MiB free for ${folder}`
            if (free < leastFree) return fail(space, "make room: what cannot be written stops the process")
            const days = grows > 0 ? Math.floor(free / grows) : Infinity
            if (days < enoughDays)
                return warn(`${space}, full in ${days} days at the growth so far`, "plan for more room")
            if (free < littleFree) return warn(space, "make room before it is too late")
            return ok(`${space}, writable, and syncs`)
        },
    }
}

async function probe(folder: string): Promise<void> {
    const path = join(folder, `.doctor.${nanoid(8)}.tmp`)
    try {
        const file = await open(path, "wx", 0o600)
        try {
            await file.writeFile("doctor")
            await file.sync()
        } finally {
            await file.close()
        }
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        throw new Error(`nothing can be written and synced in ${folder}: ${reason}`, { cause: error })
    } finally {
        await rm(path, { force: true }).catch(() => undefined)
    }
}

async function freeSpace(folder: string): Promise<number> {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
}

/** Beside the sockets: ledgers, logs, what Node itself holds open. */
const otherFiles = 128

/** Whether as many connections as are allowed find file descriptors; of process `pid`, or of this one. */
export function openFilesCheck(
    connections: number,
    pid: () => Promise<number | undefined>,
    limitsOf: (pid: number | "self") => Promise<string> = (pid) => readFile(`/proc/${pid}/limits`, "utf8"),
): Check {
    return {
        name: "open files",
        look: async () => {
            const running = await pid()
            const text = await limitsOf(running ?? "self").catch(() => undefined)
            const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(text ?? "") ?? []
            if (soft === undefined)
                return warn("the limit of open files cannot be read here", "see `ulimit -n`")
            const needed = connections + otherFiles
            const limit = soft === "unlimited" ? Infinity : Number(soft)
            const whose = running === undefined ? "this shell" : `process ${running}`
            if (limit >= needed) return ok(`up to ${soft} for ${whose}, of which ${needed} may be needed`)
            return fail(
                `up to ${soft} for ${whose}, and limits.connections is ${connections}`,
                `set LimitNOFILE=${needed} or more for the service, or lower limits.connections`,
            )
        },
    }
}

/** What others may do with the folder; undefined where nothing. */
export async function looseModes(path: string): Promise<Finding | undefined> {
    // Windows keeps access lists instead, and shows modes that mean nothing.
    if (process.platform === "win32") return undefined
    const { mode } = await stat(path)
    if ((mode & 0o077) === 0) return undefined
    return warn(`others may look into ${path}`, `run: chmod 700 ${path}`)
}
