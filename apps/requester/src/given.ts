import type { Entry } from "@tallylight/protocol/ledger/entry.js"

/** Far more than a ledger server in order leaves unacknowledged. */
const most = 1024

/** Shares that the PDL has not acknowledged, by the id of its question; of one that asks on and on, the latest. */
export class Given {
    readonly #shares = new Map<number, Entry>()

    add(id: number, share: Entry): void {
        this.#shares.set(id, share)
        const [oldest] = this.#shares.keys()
        if (this.#shares.size > most && oldest !== undefined) this.#shares.delete(oldest)
    }

    /** Undefined for an id under which nothing waits. */
    take(id: number): Entry | undefined {
        const share = this.#shares.get(id)
        this.#shares.delete(id)
        return share
    }

    /** With a new connection, ids begin anew. */
    clear(): void {
        this.#shares.clear()
    }
}
