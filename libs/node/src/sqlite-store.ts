import { StaleHead, type Head, type LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"

import type { SqliteConnection, SqlValue } from "./sqlite-connection.ts"
import { connectToLedger, createLedgerFile } from "./sqlite-ledger-file.ts"

/** Rows per statement. The package pays about 0.1 ms for each call, whatever it does; 256 make that negligible. */
const rowsPerCall = 256

/** A page ends with the entry that crosses this: a reader may hold it for as long as it likes. */
const bytesPerCall = 64 * 1024

/** LENGTH reads the header of a row, and not the entry. */
const pageQuery = `
    SELECT idx, entry FROM entries WHERE idx >= ?1 AND idx <= (
        SELECT MAX(idx) FROM (
            SELECT idx, SUM(LENGTH(entry)) OVER (ORDER BY idx) - LENGTH(entry) AS before
            FROM entries WHERE idx >= ?1 AND idx < ?2
        ) WHERE before < ${bytesPerCall}
    ) ORDER BY idx`

/**
 * Opens the ledger in the file, or makes an empty one with `create`.
 *
 * The file is not locked while it is open: the write-ahead log lets backups and auditors read at any time, and a
 * second writer cannot fork the ledger, since every append compares the head within its transaction.
 */
export async function openSqliteStore(path: string, options: { create: boolean }): Promise<LedgerStore> {
    if (options.create) await createLedgerFile(path)
    const writer = await connectToLedger(path, "write")
    const reader = await connectToLedger(path, "read")
    return new SqliteStore(writer, reader)
}

class SqliteStore implements LedgerStore {
    /** Used by one append at a time: statements of two would land in one transaction. */
    readonly #writer: SqliteConnection
    /** A connection of its own, which never sees the rows of an open transaction. */
    readonly #reader: SqliteConnection
    #lastAppend: Promise<unknown> = Promise.resolve()
    #failure: unknown
    #closed: Promise<void> | undefined

    constructor(writer: SqliteConnection, reader: SqliteConnection) {
        this.#writer = writer
        this.#reader = reader
    }

    async head(): Promise<Head> {
        const [head] = await this.#reader.all<Head>("SELECT size, checkpoint FROM head")
        if (head === undefined) throw new Error("the ledger file has lost its head")
        return head
    }

    append(expected: Head, entries: readonly Uint8Array[], checkpoint: string): Promise<Head> {
        const appended = this.#lastAppend.then(() => this.#append(expected, entries, checkpoint))
        this.#lastAppend = appended.catch(() => undefined)
        return appended
    }

    /** Entries never change, so its pages need no common transaction to be of one piece. */
    async *read(from: number, to: number): AsyncIterable<Uint8Array> {
        const { size } = await this.head()
        if (!(from >= 0 && from <= to && to <= size)) {
            throw new RangeError(`no entries from ${from} to ${to} in a ledger of ${size}`)
        }
        for (let index = from; index < to;) {
            const end = Math.min(to, index + rowsPerCall)
            const rows = await this.#reader.all<{ idx: number; entry: Buffer }>(pageQuery, [index, end])
            if (rows.length === 0 || rows.at(-1)?.idx !== index + rows.length - 1) {
                throw new Error(`the ledger file has lost entries between ${index} and ${end}`)
            }
            for (const { entry } of rows) yield new Uint8Array(entry)
            index += rows.length
        }
    }

    close(): Promise<void> {
        this.#closed ??= this.#lastAppend.then(async () => {
            await this.#reader.close()
            await this.#writer.close()
        })
        return this.#closed
    }

    async #append(expected: Head, entries: readonly Uint8Array[], checkpoint: string): Promise<Head> {
        // After a failed sync the kernel may call the same pages clean: a second try could "succeed" without them.
        if (this.#failure !== undefined) {
            throw new Error("the ledger was used after a failed append", { cause: this.#failure })
        }
        try {
            return await this.#commit(expected, entries, checkpoint)
        } catch (error) {
            if (!(error instanceof StaleHead)) this.#failure = error
            throw error
        }
    }

    async #commit(expected: Head, entries: readonly Uint8Array[], checkpoint: string): Promise<Head> {
        const size = expected.size + entries.length
        await this.#writer.exec("BEGIN IMMEDIATE")
        try {
            const changed = await this.#writer.run(
                "UPDATE head SET size = ?, checkpoint = ? WHERE size = ? AND checkpoint = ?",
                [size, checkpoint, expected.size, expected.checkpoint],
            )
            if (changed === 0) {
                throw new StaleHead(`the head is no longer the expected one of ${expected.size} entries`)
            }
            for (let done = 0; done < entries.length; done += rowsPerCall) {
                const rows = entries.slice(done, done + rowsPerCall)
                await this.#writer.run(...insertion(expected.size + done, rows))
            }
            await this.#writer.exec("COMMIT")
        } catch (error) {
            // Fails where SQLite has rolled back by itself, as it does on a full disk.
            await this.#writer.exec("ROLLBACK").catch(() => undefined)
            throw error
        }
        return { size, checkpoint }
    }
}

function insertion(first: number, entries: readonly Uint8Array[]): [string, SqlValue[]] {
    const rows = entries.map((_, i) => `(?1 + ${i}, ?${i + 2})`)
    return [`INSERT INTO entries (idx, entry) VALUES ${rows.join(", ")}`, [first, ...entries]]
}
