/**
 * The SQLite file in which the node keeps raw bytes, what was set over the API, and alarms. One process has it, and
 * that process does one thing with it at a time.
 */
import type { SqliteConnection } from "@tallylight/node/sqlite-connection.js"
import { openSqliteFile } from "@tallylight/node/sqlite-file.js"
import type { SqliteFormat } from "@tallylight/node/sqlite-file.js"

/** A commit that was lost with the power would bring back bytes that somebody has. */
const format: SqliteFormat = {
    /** "TLRW". */
    applicationId: 0x544c5257,
    version: 1,
    mode: 0o600,
    named: (path) => path,
    foreign: (path) => `${path} is not a file of an entropy node's raw bytes`,
    tables: `
        CREATE TABLE chunks (
            id INTEGER PRIMARY KEY,
            source TEXT NOT NULL,
            simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
            bytes BLOB NOT NULL CHECK (LENGTH(bytes) > 0)
        ) STRICT;
        CREATE TABLE queue (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 0),
            capacity INTEGER,
            chunk INTEGER,
            consumption TEXT,
            handed_out INTEGER NOT NULL,
            -- Whether bytes that were handed out may still be there.
            kept INTEGER NOT NULL CHECK (kept IN (0, 1))
        ) STRICT;
        INSERT INTO queue VALUES (0, NULL, NULL, NULL, 0, 0);
        CREATE TABLE alarms (
            id INTEGER PRIMARY KEY,
            time INTEGER NOT NULL,
            source TEXT NOT NULL,
            what TEXT NOT NULL
        ) STRICT;
    `,
}

export class RawFile {
    readonly #connection: SqliteConnection
    #last: Promise<unknown> = Promise.resolve()
    #failure: unknown

    private constructor(connection: SqliteConnection) {
        this.#connection = connection
    }

    /** Made where there is none. */
    static async open(path: string): Promise<RawFile> {
        const connection = await openSqliteFile(path, format)
        try {
            // Zeros over the bytes that left.
            await connection.exec("PRAGMA secure_delete = ON")
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
