import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { Head, LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import type { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import { never } from "./hazards.ts"
import type { Death } from "./hazards.ts"

type Options = {
    readonly memory: MemoryStore
    readonly clock: Clock
    readonly appendMs: () => number
    /** A checkpoint of that size is on the disk. */
    readonly onKept: (size: number) => void
    readonly atAppend: (kinds: readonly EntryKind[]) => Death | undefined
}

/** The store of one life of the ledger server: what that would do after its death does not happen. */
export class Disk implements LedgerStore {
    readonly #options: Options
    #dead = false

    constructor(options: Options) {
        this.#options = options
    }

    die(): void {
        this.#dead = true
    }

    head(): Promise<Head> {
        return this.#options.memory.head()
    }

    async append(expected: Head, entries: readonly Uint8Array[], checkpoint: string): Promise<Head> {
        const { memory, clock, appendMs, atAppend, onKept } = this.#options
        const ms = appendMs()
        if (ms > 0) await clock.sleep(ms)
        if (this.#dead) return never()
        const death = atAppend(entries.map((entry) => decodeEntry(entry).kind))
        if (death === "before") memory.failAndLose()
        if (death === "after") memory.failButKeep()
        const appended = memory.append(expected, entries, checkpoint)
        if (death !== "before") onKept(expected.size + entries.length)
        return appended
    }

    read(from: number, to: number): AsyncIterable<Uint8Array> {
        return this.#options.memory.read(from, to)
    }

    close(): Promise<void> {
        return this.#options.memory.close()
    }
}
