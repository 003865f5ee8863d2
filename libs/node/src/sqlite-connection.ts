import sqlite3 from "sqlite3"

export type SqlValue = string | number | Uint8Array

/** One connection to an SQLite file, with promises; calls that must not mix are for the caller to keep apart. */
export class SqliteConnection {
    readonly #database: sqlite3.Database

    private constructor(database: sqlite3.Database) {
        this.#database = database
        // One call at a time, as SQLite would have it anyway: others would hold threads that other files need.
        database.serialize()
    }

    static open(path: string, mode: "create" | "write" | "read"): Promise<SqliteConnection> {
        const flags = {
            create: sqlite3.OPEN_READWRITE | sqlite3.OPEN_CREATE,
            write: sqlite3.OPEN_READWRITE,
            read: sqlite3.OPEN_READONLY,
        }[mode]
        return new Promise((resolve, reject) => {
            const database = new sqlite3.Database(path, flags, (error) => {
                if (error === null) resolve(new SqliteConnection(database))
                else reject(error)
            })
        })
    }

    exec(sql: string): Promise<void> {
        return new Promise((resolve, reject) => {
            this.#database.exec(sql, (error) => {
                if (error === null) resolve()
                else reject(error)
            })
        })
    }

    /** How many rows it changed. */
    run(sql: string, values: readonly SqlValue[]): Promise<number> {
        return new Promise((resolve, reject) => {
            this.#database.run(sql, values, function (error) {
                if (error === null) resolve(this.changes)
                else reject(error)
            })
        })
    }

    all<Row>(sql: string, values: readonly SqlValue[] = []): Promise<Row[]> {
        return new Promise((resolve, reject) => {
            this.#database.all<Row>(sql, values, (error, rows) => {
                if (error === null) resolve(rows)
                else reject(error)
            })
        })
    }

    close(): Promise<void> {
        return new Promise((resolve, reject) => {
            this.#database.close((error) => {
                if (error === null) resolve()
                else reject(error)
            })
        })
    }
}
