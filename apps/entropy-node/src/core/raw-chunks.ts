/** The rows that raw bytes lie in, in the order in which they came. */
import type { SqliteConnection } from "@tallylight/node/sqlite-connection.js"

/** Raw bytes of one source. */
export type SourceBytes = {
    readonly bytes: Uint8Array
    readonly source: string
    readonly simulated: boolean
}

/** How many bytes, and how many of them are of simulated sources. */
export type Amount = { readonly bytes: number; readonly simulated: number }
export const nothing: Amount = { bytes: 0, simulated: 0 }

type Row = {
    readonly id: number
    readonly source: string
    readonly simulated: number
    readonly bytes: Buffer
}

/** A row, or the part of it that is read. */
export type Piece = { readonly row: Row; readonly from: number; readonly to: number }

/** The byte `from` of the row `id`; where that row is gone, the first byte of the next one. */
export type Place = { readonly id: number; readonly from: number }
export const start: Place = { id: 0, from: 0 }

/** A row that is taken in part is written anew, so it must not be long; nor short, or long reads would be slow. */
const rowBytes = 4096
const rowsPerCall = 256

export async function addChunks(
    connection: SqliteConnection,
    { bytes, source, simulated }: SourceBytes,
): Promise<void> {
    for (let at = 0; at < bytes.length; at += rowBytes) {
        await connection.run("INSERT INTO chunks (source, simulated, bytes) VALUES (?, ?, ?)", [
            source,
            simulated ? 1 : 0,
            bytes.subarray(at, at + rowBytes),
        ])
    }
}

/** The next bytes from there on, of which there are enough; after the last row comes the first. */
export async function gather(
    connection: SqliteConnection,
    place: Place,
    length: number,
): Promise<{ pieces: readonly Piece[]; next: Place }> {
    const pieces: Piece[] = []
    let next = place
    let limit = Math.ceil(length / rowBytes) + 1
    for (let left = length; left > 0; limit *= 2) {
        const rows = await connection.all<Row>(
            "SELECT id, source, simulated, bytes FROM chunks WHERE id >= ? ORDER BY id LIMIT ?",
            [next.id, Math.min(limit, rowsPerCall)],
        )
        if (rows.length === 0 && next.id === 0) throw new Error("the file of raw bytes has lost some")
        if (rows.length === 0) next = start
        for (const row of rows) {
            if (left === 0) break
            const from = row.id === next.id ? next.from : 0
            const to = Math.min(row.bytes.length, from + left)
            pieces.push({ row, from, to })
            left -= to - from
            next = to === row.bytes.length ? { id: row.id + 1, from: 0 } : { id: row.id, from: to }
        }
    }
    return { pieces, next }
}

export async function countBytes(connection: SqliteConnection): Promise<Amount> {
    const [found = nothing] = await connection.all<Amount>(
        "SELECT COALESCE(SUM(LENGTH(bytes)), 0) AS bytes, " +
            "COALESCE(SUM(LENGTH(bytes) * simulated), 0) AS simulated FROM chunks",
    )
    return found
}

/** Resolves to what those of that source were. */
export async function dropSource(connection: SqliteConnection, source: string): Promise<Amount> {
    return sumOf(
        await connection.all<Amount>(
            "DELETE FROM chunks WHERE source = ? " +
                "RETURNING LENGTH(bytes) AS bytes, LENGTH(bytes) * simulated AS simulated",
            [source],
        ),
    )
}

export function amountOf(pieces: readonly Piece[]): Amount {
    return sumOf(
        pieces.map(({ row, from, to }) => ({ bytes: to - from, simulated: (to - from) * row.simulated })),
    )
}

export function sumOf(amounts: readonly Amount[]): Amount {
    return amounts.reduce(
        (sum, { bytes, simulated }) => ({
            bytes: sum.bytes + bytes,
            simulated: sum.simulated + simulated,
        }),
        nothing,
    )
}

/** Deletes what lies before that place. */
export async function dropUntil(connection: SqliteConnection, { id, from }: Place): Promise<void> {
    await connection.run("DELETE FROM chunks WHERE id < ?", [id])
    if (from === 0) return
    await connection.run("UPDATE chunks SET bytes = SUBSTR(bytes, ?2) WHERE id = ?1", [id, from + 1])
}

export function joinPieces(length: number, pieces: readonly Piece[]) {
    const bytes = new Uint8Array(length)
    let at = 0
    for (const { row, from, to } of pieces) {
        bytes.set(row.bytes.subarray(from, to), at)
        at += to - from
    }
    return {
        bytes,
        sources: [...new Set(pieces.map(({ row }) => row.source))],
        simulated: pieces.some(({ row }) => row.simulated === 1),
    }
}
