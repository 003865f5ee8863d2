/** The stores of ledgers, whose commits are measured: how many entries, and how long until the disk has them. */
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { fastSeconds } from "./instruments.ts"
import type { Instruments } from "./instruments.ts"

export class MeasuredStores {
    readonly #clock: Clock
    readonly #groups
    readonly #commits

    constructor(instruments: Instruments, clock: Clock) {
        this.#clock = clock
        this.#groups = instruments.histogram(
            "commit_entries",
            "Entries in one commit.",
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
            "chain",
        )
        this.#commits = instruments.histogram(
            "commit_seconds",
            "For a commit to be on the disk.",
            fastSeconds,
            "chain",
        )
    }

    measure(store: LedgerStore, chain: string): LedgerStore {
        return {
            head: () => store.head(),
            read: (from, to) => store.read(from, to),
            close: () => store.close(),
            append: async (expected, entries, checkpoint) => {
                this.#groups.observe({ chain }, entries.length)
                const start = this.#clock.elapsed()
                const head = await store.append(expected, entries, checkpoint)
                this.#commits.observe({ chain }, (this.#clock.elapsed() - start) / 1000)
                return head
            },
        }
    }
}
