import type { Notebook } from "@tallylight/protocol/ports/notebook.js"
import { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import type { Replica } from "@tallylight/protocol/session/replica.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { never } from "./hazards.ts"
import type { Death } from "./hazards.ts"

type Options = {
    readonly chain: Uint8Array
    readonly replica: Replica
    /** Receipts that earlier processes wrote down. */
    readonly receipts: readonly Receipt[]
    readonly atWrite: () => Death | undefined
}

/** One process of an actor. What it would write after its death is not written. */
export class Life {
    readonly replica: Replica
    readonly receipts: ReceiptBook
    readonly #end = new AbortController()
    readonly #atWrite: () => Death | undefined

    constructor({ chain, replica, receipts, atWrite }: Options) {
        this.replica = replica
        this.receipts = new ReceiptBook(chain)
        for (const receipt of receipts) this.receipts.expect(receipt)
        this.#atWrite = atWrite
    }

    get signal(): AbortSignal {
        return this.#end.signal
    }

    get isOver(): boolean {
        return this.#end.signal.aborted
    }

    end(): void {
        this.#end.abort()
    }

    async durably(write: () => Promise<void> | void): Promise<void> {
        if (this.isOver) return never()
        const death = this.#atWrite()
        if (death !== "before") await write()
        if (death === undefined) return
        this.end()
        return never()
    }

    notebook(pages: Notebook): Notebook {
        return {
            read: (name) => pages.read(name),
            write: (name, value) => this.durably(() => pages.write(name, value)),
        }
    }
}
