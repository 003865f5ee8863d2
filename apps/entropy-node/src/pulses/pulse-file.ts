/** The SQLite file that pulses live in: made whole or not at all, for nobody but its owner to read. */
import { link, open, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"

import { syncFolder } from "@tallylight/node/durable-file.js"
import { SqliteConnection } from "@tallylight/node/sqlite-connection.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"
import { nanoid } from "nanoid"

import { applicationId, connectionSettings, pulseSchema, schemaVersion } from "./pulse-schema.ts"

/** Under another name first, so that a crash leaves no half of it, and never over one that exists. */
export async function createPulseFile(path: string): Promise<void> {
    const draft = `${path}.${nanoid(8)}.tmp`
    // Local random values lie here before they are public, and SQLite would let everybody read what it makes.
    await (await open(draft, "wx", 0o600)).close()
    try {
        const connection = await SqliteConnection.open(draft, "write")
        await connection.exec(connectionSettings)
        await connection.exec(pulseSchema)
        await connection.close()
        await link(draft, path)
    } catch (error) {
        if (systemCode(error) !== "EEXIST") throw error
        throw new UserError(`${path} exists already; pulses are never begun over others`, { cause: error })
    } finally {
        await rm(draft, { force: true })
    }
    await syncFolder(dirname(path))
}

export async function connectToPulses(path: string, mode: "write" | "read"): Promise<SqliteConnection> {
    if (!(await exists(path))) {
        throw new UserError(
            `there are no pulses in ${path}; put the file back as it was last, since from an older or empty one ` +
                "the node would sign other pulses under the same numbers, or give its chains new numbers",
        )
    }
    const connection = await SqliteConnection.open(path, mode)
    try {
        await recognise(connection, path)
        await connection.exec(connectionSettings)
    } catch (error) {
        await connection.close()
        if (systemCode(error) === "SQLITE_NOTADB") throw new UserError(`${path} is no file of pulses`)
        throw error
    }
    return connection
}

async function recognise(connection: SqliteConnection, path: string): Promise<void> {
    const [header] = await connection.all<{ id: number; version: number }>(
        "SELECT application_id AS id, user_version AS version FROM pragma_application_id, pragma_user_version",
    )
    if (header?.id !== applicationId) throw new UserError(`${path} is no file of pulses`)
    if (header.version > schemaVersion) {
        throw new UserError(
            `${path} has version ${header.version}, made by a newer Tallylight; ` +
                `this one reads up to version ${schemaVersion}`,
        )
    }
}

async function exists(path: string): Promise<boolean> {
    try {
        await stat(path)
        return true
    } catch (error) {
        if (systemCode(error) === "ENOENT") return false
        throw error
    }
}
