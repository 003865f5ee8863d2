export type Head = {
    /** How many entries the ledger holds. */
    readonly size: number
    /** The signed checkpoint of exactly this size; empty where the size is 0. */
    readonly checkpoint: string
}

/** Another writer appended first, or this one appended already: reopen and read. */
export class StaleHead extends Error {
    override readonly name = "StaleHead"
}

/**
 * An append-only sequence of ledger entries with compare-and-append.
 *
 * Calls are serializable, even across processes and restarts. An append is durable once its promise resolves,
 * visible to every later read, and commits entries and checkpoint together. If it rejects with anything but
 * {@link StaleHead}, assume neither that the entries were kept nor that they were lost: stop, reopen and read.
 */
export interface LedgerStore {
    head(): Promise<Head>
    /** Rejects with {@link StaleHead} unless the head still has `expected.size` entries and that checkpoint. */
    append(expected: Head, entries: readonly Uint8Array[], checkpoint: string): Promise<Head>
    /** The entries with from <= index < to, in order; rejects with RangeError where to > size. */
    read(from: number, to: number): AsyncIterable<Uint8Array>
    close(): Promise<void>
}
