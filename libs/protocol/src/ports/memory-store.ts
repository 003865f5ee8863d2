import { equalBytes } from "@tallylight/crypto/bytes.js"

import { StaleHead, type Head, type LedgerStore } from "./ledger-store.ts"

/** The caller or the twin itself has broken the contract of LedgerStore: the test is wrong, or the code is. */
export class ContractBroken extends Error {
    override readonly name = "ContractBroken"
}

type Entry = { readonly given: Uint8Array; readonly kept: Uint8Array }

/** What outlives a store that is closed or has failed. */
type Disk = { entries: readonly Entry[]; checkpoint: string }

/**
 * A LedgerStore in memory that holds its caller to the contract: entries belong to the store once they are
 * appended, and after a failed append nothing may be done but close and reopen.
 */
export class MemoryStore implements LedgerStore {
    readonly #disk: Disk
    #fault: "keep" | "lose" | undefined
    #state: "open" | "failed" | "closed" = "open"

    constructor(disk: Disk = { entries: [], checkpoint: "" }) {
        this.#disk = disk
    }

    /** The next append rejects although its entries were kept: a crash between commit and answer. */
    failButKeep(): void {
        this.#fault = "keep"
    }

    /** The next append rejects, and its entries are lost: a crash before the commit. */
    failAndLose(): void {
        this.#fault = "lose"
    }

    /** Another store over the same entries, as after a restart; this one may be open or not. */
    reopen(): MemoryStore {
        return new MemoryStore(this.#disk)
    }

    async head(): Promise<Head> {
        this.#mustBeOpen()
        await Promise.resolve()
        return this.#head()
    }

    async append(expected: Head, entries: readonly Uint8Array[], checkpoint: string): Promise<Head> {
        this.#mustBeOpen()
        const added = entries.map((entry) => ({ given: entry, kept: new Uint8Array(entry) }))
        await Promise.resolve()
        const head = this.#head()
        if (expected.size !== head.size || expected.checkpoint !== head.checkpoint) {
            throw new StaleHead(
                `expected ${expected.size} entries, found ${head.size}, or another checkpoint`,
            )
        }
        const fault = this.#fault
        this.#fault = undefined
        if (fault !== "lose") {
            this.#disk.entries = [...this.#disk.entries, ...added]
            this.#disk.checkpoint = checkpoint
        }
        if (fault !== undefined) {
            this.#state = "failed"
            throw new Error("the disk failed")
        }
        return this.#head()
    }

    async *read(from: number, to: number): AsyncIterable<Uint8Array> {
        this.#mustBeOpen()
        const { entries } = this.#disk
        if (!(from >= 0 && from <= to && to <= entries.length)) {
            throw new RangeError(`no entries from ${from} to ${to} in a ledger of ${entries.length}`)
        }
        for (const entry of entries.slice(from, to)) {
            await Promise.resolve()
            yield unchanged(entry)
        }
    }

    async close(): Promise<void> {
        this.#state = "closed"
        for (const entry of this.#disk.entries) unchanged(entry)
        await Promise.resolve()
    }

    #head(): Head {
        const { entries, checkpoint } = this.#disk
        const last = entries.at(-1)
        if (last !== undefined) unchanged(last)
        return { size: entries.length, checkpoint }
    }

    #mustBeOpen(): void {
        if (this.#state === "open") return
        throw new ContractBroken(this.#state === "failed" ? "used after a failed append" : "used after close")
    }
}

/** A copy, so that a reader may do with it what it likes. */
function unchanged({ given, kept }: Entry): Uint8Array {
    if (!equalBytes(given, kept)) throw new ContractBroken("an entry was changed after it was appended")
    return new Uint8Array(kept)
}
