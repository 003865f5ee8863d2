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

/** Of every connection of ours. Emptying the log waits for nobody who reads it: all of the queue would wait too. */
const busyMs = 5000

export class RawFile {
    readonly #connection: SqliteConnection
    #last: Promise<unknown> = Promise.resolve()
    #failure: { readonly error: unknown } | undefined
    #fail: (error: unknown) => void = () => undefined
    /** Resolves with what made it useless, whoever met it first; never, where nothing does. */
    readonly failed = new Promise<unknown>((resolve) => (this.#fail = resolve))

    private constructor(connection: SqliteConnection) {
        this.#connection = connection
    }

    /** Made where there is none. */
    static async open(path: string): Promise<RawFile> {
        const connection = await openSqliteFile(path, format)
        try {
            // Zeros over the bytes that left, in the file; the log has them until it is emptied.
            await connection.exec("PRAGMA secure_delete = ON")
            const file = new RawFile(connection)
            await file.emptyLog()
            return file
        } catch (error) {
            await connection.close()
            throw error
        }
    }

    /**
     * Waits until it has the file for itself. What the work did is durable once its promise resolves, and `committed`
     * is called before the next one begins. Where it rejects, nobody knows what was kept, and the file is of no more use.
     */
    transaction<T>(
        work: (connection: SqliteConnection) => Promise<T>,
        committed: (result: T) => void = () => undefined,
    ): Promise<T> {
        return this.#inTurn(async () => {
            const result = await this.#commit(work)
            committed(result)
            return result
        })
    }

    /**
     * After what was begun: writes what the log has into the file, and cuts it to nothing. `emptied` is called before
     * anything else is done with the file, and not where another program reads it at this moment.
     */
    emptyLog(emptied: () => void = () => undefined): Promise<void> {
        return this.#inTurn(async () => {
            const [outcome] = await this.#orUseless(async () => {
                await this.#connection.exec("PRAGMA busy_timeout = 0")
                const outcomes = await this.#connection.all<{ busy: number }>(
                    "PRAGMA wal_checkpoint(TRUNCATE)",
                )
                await this.#connection.exec(`PRAGMA busy_timeout = ${busyMs}`)
                return outcomes
            })
            if (outcome?.busy === 0) emptied()
        })
    }

    /** After what was begun. */
    async close(): Promise<void> {
        try {
            await this.#last
            if (this.#failure === undefined) await this.emptyLog()
        } finally {
            await this.#connection.close()
        }
    }

    #inTurn<T>(work: () => Promise<T>): Promise<T> {
        const done = this.#last.then(work)
        this.#last = done.catch(() => undefined)
        return done
    }

    #commit<T>(work: (connection: SqliteConnection) => Promise<T>): Promise<T> {
        return this.#orUseless(async () => {
            try {
                await this.#connection.exec("BEGIN IMMEDIATE")
                const result = await work(this.#connection)
                await this.#connection.exec("COMMIT")
                return result
            } catch (error) {
                // Fails where SQLite has rolled back by itself, as it does on a full disk.
                await this.#connection.exec("ROLLBACK").catch(() => undefined)
                throw error
            }
        })
    }

    async #orUseless<T>(work: () => Promise<T>): Promise<T> {
        // After a failed sync the kernel may call the same pages clean: a second try could "succeed" without them.
        if (this.#failure !== undefined) {
            throw new Error("the file of raw bytes was used after it had failed", {
                cause: this.#failure.error,
            })
        }
        try {
            return await work()
        } catch (error) {
            this.#failure = { error }
            this.#fail(error)
            throw error
        }
    }
}
