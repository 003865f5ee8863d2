/** A lock on a folder that the kernel takes away from a process that dies, however it dies. */
import { stat } from "node:fs/promises"
import { join } from "node:path"

import { readIfThere, writeDurably } from "./durable-file.ts"
import { SqliteConnection } from "./sqlite-connection.ts"
import { systemCode, UserError } from "./user-error.ts"

/** Another process has the folder; the default one then makes room for the next. */
export class FolderInUse extends UserError {}

/** What a lock leaves in its folder. */
export const lockFiles: readonly string[] = ["lock", "lock.pid"]

/** Kept here, or a lock would end when its holder's object is collected as garbage. */
const held = new Set<SqliteConnection>()

export type ProcessLock = { readonly release: () => Promise<void> }

/**
 * Node has no flock, but SQLite locks its files with fcntl: an open transaction on an empty database is a lock.
 * A file with a process id would go stale, and mean another process after a restart or in another container.
 */
export async function lockFolder(folder: string): Promise<ProcessLock> {
    const holder = join(folder, "lock.pid")
    const connection = await SqliteConnection.open(join(folder, "lock"), "create")
    try {
        // Nothing is ever written into it, so its journal needs no file beside it.
        await connection.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY")
        await connection.exec("BEGIN IMMEDIATE")
    } catch (error) {
        await connection.close()
        if (systemCode(error) !== "SQLITE_BUSY") throw error
        const pid = (await readIfThere(holder))?.toString("utf8").trim() ?? "unknown"
        throw new FolderInUse(`${folder} is in use by process ${pid}`, { cause: error })
    }
    held.add(connection)
    await writeDurably(holder, `${process.pid}\n`)
    return {
        async release() {
            if (held.delete(connection)) await connection.close()
        },
    }
}

/** The process that has the folder; undefined where none has. Takes nothing, and so disturbs nobody. */
export async function lockHolder(folder: string): Promise<number | undefined> {
    const pid = Number((await readIfThere(join(folder, "lock.pid")))?.toString("latin1"))
    if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
    const locks = (await readIfThere("/proc/locks"))?.toString("latin1")
    if (locks === undefined) return isAlive(pid) ? pid : undefined
    // A line is “1: POSIX ADVISORY WRITE 4711 fe:00:5335249 0 EOF”, with the process and the inode.
    const { ino } = await stat(join(folder, "lock"))
    const isHeld = locks.split("\n").some((line) => {
        const [, , , , holder, file] = line.trim().split(/\s+/)
        return Number(holder) === pid && file?.endsWith(`:${ino}`) === true
    })
    return isHeld ? pid : undefined
}

/** Only where the system does not say who holds what: after a crash, another process may have the number. */
function isAlive(pid: number): boolean {
    try {
        return process.kill(pid, 0)
    } catch (error) {
        return systemCode(error) === "EPERM"
    }
}
