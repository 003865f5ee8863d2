/**
 * SQLite files of ours: recognised before they are used, and written through to the disk at every commit. One that
 * others rely on is made whole or not at all, and never by opening it.
 */
import { link, open, rm, stat } from "node:fs/promises"
import { dirname } from "node:path"

import { nanoid } from "nanoid"

import { syncFolder } from "./durable-file.ts"
import { SqliteConnection } from "./sqlite-connection.ts"
import { systemCode, UserError } from "./user-error.ts"

/** What is in a kind of file, and how it is spoken of. */
export type SqliteFormat = {
    /** Written to the file's header, so that another program's database is not taken for one of these. */
    readonly applicationId: number
    /** Counted up with every change of the tables. */
    readonly version: number
    /** The statements that make them, for a transaction. */
    readonly tables: string
    /** Who may read it: SQLite would let everybody, and gives the files beside it the same rights. */
    readonly mode: number
    /** The beginning of a sentence about it. */
    readonly named: (path: string) => string
    /** The sentence for another file in its place. */
    readonly foreign: (path: string) => string
}

/**
 * For every connection. FULL syncs the write-ahead log at each commit: without it the power could take back what
 * somebody was already told.
 */
const connectionSettings = `
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA busy_timeout = 5000;
`

/**
 * Under another name first, so that a crash leaves no half of it, and never over one that exists: then it rejects with
 * a {@link UserError} that ends with `never`.
 */
export async function createSqliteFile(path: string, format: SqliteFormat, never: string): Promise<void> {
    const taken = (name: string): UserError => new UserError(`${name} exists already; ${never}`)
    // SQLite would replay a log that an earlier file of this name left behind into the new one.
    for (const name of [path, `${path}-wal`]) {
        if (await exists(name)) throw taken(name)
    }
    const draft = `${path}.${nanoid(8)}.tmp`
    await (await open(draft, "wx", format.mode)).close()
    try {
        const connection = await SqliteConnection.open(draft, "write")
        await connection.exec(connectionSettings)
        await makeTables(connection, format)
        await connection.close()
        await link(draft, path)
    } catch (error) {
        throw systemCode(error) === "EEXIST" ? taken(path) : error
    } finally {
        await rm(draft, { force: true })
    }
    await syncFolder(dirname(path))
}

/** Rejects with a {@link UserError} that says `missing` where there is none. */
export async function connectToSqliteFile(
    path: string,
    format: SqliteFormat,
    mode: "write" | "read",
    missing: string,
): Promise<SqliteConnection> {
    if (!(await exists(path))) throw new UserError(missing)
    const { connection, isEmpty } = await connect(path, format, mode)
    if (!isEmpty) return connection
    await connection.close()
    throw new UserError(format.foreign(path))
}

/** Makes it where there is none, in its place: for what costs little when it is lost. */
export async function openSqliteFile(path: string, format: SqliteFormat): Promise<SqliteConnection> {
    await (await open(path, "a", format.mode)).close()
    const { connection, isEmpty } = await connect(path, format, "write")
    try {
        // There may be one that a crash has left empty.
        if (isEmpty) await makeTables(connection, format)
    } catch (error) {
        await connection.close()
        throw error
    }
    return connection
}

async function connect(
    path: string,
    format: SqliteFormat,
    mode: "write" | "read",
): Promise<{ connection: SqliteConnection; isEmpty: boolean }> {
    const connection = await SqliteConnection.open(path, mode)
    try {
        const isEmpty = await recognise(connection, path, format)
        await connection.exec(connectionSettings)
        return { connection, isEmpty }
    } catch (error) {
        await connection.close()
        if (systemCode(error) === "SQLITE_NOTADB") throw new UserError(format.foreign(path))
        throw error
    }
}

type Header = { readonly id: number; readonly version: number; readonly tables: number }

/** Whether nothing is in it yet. */
async function recognise(connection: SqliteConnection, path: string, format: SqliteFormat): Promise<boolean> {
    const [header] = await connection.all<Header>(
        `SELECT application_id AS id, user_version AS version, (SELECT COUNT(*) FROM sqlite_schema) AS tables
         FROM pragma_application_id, pragma_user_version`,
    )
    if (header?.id === 0 && header.version === 0 && header.tables === 0) return true
    if (header?.id !== format.applicationId) throw new UserError(format.foreign(path))
    if (header.version > format.version) {
        throw new UserError(
            `${format.named(path)} has version ${header.version}, made by a newer Tallylight; ` +
                `this one reads up to version ${format.version}`,
        )
    }
    return false
}

async function makeTables(connection: SqliteConnection, format: SqliteFormat): Promise<void> {
    await connection.exec(`
        PRAGMA journal_mode = WAL;
        BEGIN IMMEDIATE;
        ${format.tables}
        PRAGMA application_id = ${format.applicationId};
        PRAGMA user_version = ${format.version};
        COMMIT;
    `)
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
