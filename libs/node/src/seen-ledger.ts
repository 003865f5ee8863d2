/** What an app has seen of a ledger: the chain it belongs to, and the last checkpoint it relied on. */
import { equalBytes, toHex, toUtf8, utf8 } from "@tallylight/crypto/bytes.js"
import { parseCheckpoint, type Checkpoint } from "@tallylight/crypto/checkpoint.js"
import { parseNote } from "@tallylight/crypto/note.js"
import type { Notebook } from "@tallylight/protocol/ports/notebook.js"

import { UserError } from "./user-error.ts"

const chainPage = "chain"
const checkpointPage = "checkpoint"

export class SeenLedger {
    readonly #notebook: Notebook

    constructor(notebook: Notebook) {
        this.#notebook = notebook
    }

    /**
     * The first chain that is seen is written down, and every other one refused from then on. Resolves to whether
     * this was the first time.
     */
    async pin(chain: Uint8Array): Promise<boolean> {
        const pinned = await this.#notebook.read(chainPage)
        if (pinned === undefined) {
            await this.#notebook.write(chainPage, chain)
            return true
        }
        if (equalBytes(pinned, chain)) return false
        throw new UserError(
            `this data directory belongs to chain ${toHex(pinned)}, and the server has ${toHex(chain)}; ` +
                `use another --data for another chain, and ask the operator if there should be only one`,
        )
    }

    async checkpoint(): Promise<Checkpoint | undefined> {
        const page = await this.#notebook.read(checkpointPage)
        if (page === undefined) return undefined
        const note = parseNote(toUtf8(page) ?? "")
        const checkpoint = note && parseCheckpoint(note.text)
        if (checkpoint === undefined) throw new UserError("the stored checkpoint is damaged")
        return checkpoint
    }

    /** The signed note, whole: should the server ever contradict it, it is evidence. */
    async see(note: string): Promise<void> {
        await this.#notebook.write(checkpointPage, utf8(note))
    }
}
