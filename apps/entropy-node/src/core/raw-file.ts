/**
 * The SQLite file in which the node keeps raw bytes, what was set over the API, and alarms. One process has it, and
 * that process does one thing with it at a time.
 */
import { open } from "node:fs/promises"
import { SqliteConnection } from "@tallylight/node/sqlite-connection.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"

/** Written to the file's header ("TLRW"), so that another program's database is not taken for ours. */
const applicationId = 0x544c5257

/** Counted up with every change of the tables. */
const schemaVersion = 1

const schema = `
    PRAGMA journal_mode = WAL;
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS chunks (
        id INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
        bytes BLOB NOT NULL CHECK (LENGTH(bytes) > 0)
    ) STRICT;
    CREATE TABLE IF NOT EXISTS queue (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 0),
        capacity INTEGER,
        chunk INTEGER,
        consumption TEXT,
        handed_out INTEGER NOT NULL,
        -- Whether bytes that were handed out may still be there.
        kept INTEGER NOT NULL CHECK (kept IN (0, 1))
    ) STRICT;
    INSERT OR IGNORE INTO queue VALUES (0, NULL, NULL, NULL, 0, 0);
    CREATE TABLE IF NOT EXISTS alarms (
        id INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        source TEXT NOT NULL,
        what TEXT NOT NULL
    ) STRICT;
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = ${schemaVersion};
    COMMIT;
`

/**
 * FULL syncs the write-ahead log at each commit: without it the power could bring back bytes that somebody has.
 * secure_delete writes zeros over those that left.
 */
const connectionSettings = `
    PRAGMA synchronous = FULL;
    PRAGMA secure_delete = ON;
    PRAGMA busy_timeout = 5000;
`

export class RawFile {
    readonly #connection: SqliteConnection
    #last: Promise<unknown> = Promise.resolve()
    #failure: unknown

    private constructor(connection: SqliteConnection) {
        this.#connection = connection
    }

    /** Made where there is none. */
    static async open(path: string): Promise<RawFile> {
        // SQLite would make it readable for everybody, and its log with the same rights.
        await (await open(path, "a", 0o600)).close()
        const connection = await SqliteConnection.open(path, "write")
        try {
            await recognise(connection, path)
            await connection.exec(connectionSettings)
            await connection.exec(schema)
        } catch (error) {
            await connection.close()
            throw error
        }
        return new RawFile(connection)
    }

    /**
     * Waits until it has the file for itself. What the work did is durable once its promise resolves, and `committed`
     * is called before the next one begins. Where it rejects, nobody knows what was kept, and the file is of no more use.
     */
    transaction<T>(
        work: (connection: SqliteConnection) => Promise<T>,
        committed: (result: T) => void = () => undefined,
    ): Promise<T> {
        const done = this.#last.then(async () => {
            const result = await this.#commit(work)
            committed(result)
            return result
        })
        this.#last = done.catch(() => undefined)
        return done
    }

    /** After what was begun. */
    async close(): Promise<void> {
        await this.#last
        await this.#connection.close()
    }

    async #commit<T>(work: (connection: SqliteConnection) => Promise<T>): Promise<T> {
        // After a failed sync the kernel may call the same pages clean: a second try could "succeed" without them.
        if (this.#failure !== undefined) {
            throw new Error("the file of raw bytes was used after it had failed", { cause: this.#failure })
        }
        try {
            await this.#connection.exec("BEGIN IMMEDIATE")
            const result = await work(this.#connection)
            await this.#connection.exec("COMMIT")
            return result
        } catch (error) {
            this.#failure = error
            // Fails where SQLite has rolled back by itself, as it does on a full disk.
            await this.#connection.exec("ROLLBACK").catch(() => undefined)
            throw error
        }
    }
}

async function recognise(connection: SqliteConnection, path: string): Promise<void> {
    const header = await readHeader(connection, path)
    // Both are zero in an empty file.
    if (header.id === 0 && header.version === 0 && header.tables === 0) return
    if (header.id !== applicationId)
        throw new UserError(`${path} is not a file of an entropy node's raw bytes`)
    if (header.version > schemaVersion) {
        throw new UserError(
            `${path} has version ${header.version}, made by a newer Tallylight; ` +
                `this one reads up to version ${schemaVersion}`,
        )
    }
}

type Header = { readonly id: number; readonly version: number; readonly tables: number }

async function readHeader(connection: SqliteConnection, path: string): Promise<Header> {
    try {
        const [header] = await connection.all<Header>(
            `SELECT application_id AS id, user_version AS version, (SELECT COUNT(*) FROM sqlite_schema) AS tables
             FROM pragma_application_id, pragma_user_version`,
        )
        if (header === undefined) throw new Error(`${path} has no header`)
        return header
    } catch (error) {
        if (systemCode(error) === "SQLITE_NOTADB") {
            throw new UserError(`${path} is not a file of an entropy node's raw bytes`)
        }
        throw error
    }
}
