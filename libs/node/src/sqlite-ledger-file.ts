/** The SQLite file that a ledger lives in: made whole or not at all, and recognised before it is used. */
import { link, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"

import { nanoid } from "nanoid"

import { syncFolder } from "./durable-file.ts"
import { applicationId, connectionSettings, schema, schemaVersion } from "./schema.ts"
import { SqliteConnection } from "./sqlite-connection.ts"
import { systemCode, UserError } from "./user-error.ts"

/** Under another name first, so that a crash leaves no half of a ledger, and never over one that exists. */
export async function createLedgerFile(path: string): Promise<void> {
    // SQLite would replay a log that an earlier ledger of this name left behind into the new one.
    for (const taken of [path, `${path}-wal`]) {
        if (await exists(taken)) throw alreadyThere(taken)
    }
    const draft = `${path}.${nanoid(8)}.tmp`
    try {
        const connection = await SqliteConnection.open(draft, "create")
        await connection.exec(connectionSettings)
        await connection.exec(schema)
        await connection.close()
        await link(draft, path)
    } catch (error) {
        throw systemCode(error) === "EEXIST" ? alreadyThere(path) : error
    } finally {
        await rm(draft, { force: true })
    }
    await syncFolder(dirname(path))
}

export async function connectToLedger(path: string, mode: "write" | "read"): Promise<SqliteConnection> {
    if (!(await exists(path))) {
        throw new UserError(
            `there is no ledger ${path}; “Backup” in docs/OPERATING.md says what may take its place`,
        )
    }
    const connection = await SqliteConnection.open(path, mode)
    try {
        await recognise(connection, path)
    } catch (error) {
        await connection.close()
        if (systemCode(error) === "SQLITE_NOTADB") throw new UserError(`${path} is not a ledger file`)
        throw error
    }
    return connection
}

async function recognise(connection: SqliteConnection, path: string): Promise<void> {
    const [header] = await connection.all<{ id: number; version: number }>(
        "SELECT application_id AS id, user_version AS version FROM pragma_application_id, pragma_user_version",
    )
    if (header?.id !== applicationId) throw new UserError(`${path} is not a ledger file`)
    if (header.version > schemaVersion) {
        throw new UserError(
            `the ledger file ${path} has version ${header.version}, made by a newer Tallylight; ` +
                `this one reads up to version ${schemaVersion}`,
        )
    }
}

function alreadyThere(path: string): UserError {
    return new UserError(`${path} exists already; a ledger is never begun over another one`)
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
