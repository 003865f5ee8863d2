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
    #writing: Promise<void> = Promise.resolve()
    #size = 0

    constructor(notebook: Notebook) {
        this.#notebook = notebook
    }

    /** The chain that was seen first; undefined where there was none. */
    async chain(): Promise<Uint8Array | undefined> {
        return this.#notebook.read(chainPage)
    }

    /**
     * The first chain that is seen is written down, and every other one refused from then on. Resolves to whether
     * this was the first time.
     */
    async pin(chain: Uint8Array): Promise<boolean> {
        const pinned = await this.chain()
        if (pinned === undefined) {
            await this.#notebook.write(chainPage, chain)
            return true
        }
        if (equalBytes(pinned, chain)) return false
        throw new UserError(
            `this data directory belongs to chain ${toHex(pinned)}, and not to ${toHex(chain)}; compare both with ` +
                `what the operator publishes, and use another --data for another chain`,
        )
    }

    /** With the note as the PDL signed it. */
    async checkpoint(): Promise<(Checkpoint & { readonly note: string }) | undefined> {
        const page = await this.#notebook.read(checkpointPage)
        if (page === undefined) return undefined
        const note = toUtf8(page) ?? ""
        const checkpoint = parseCheckpoint(parseNote(note)?.text ?? "")
        if (checkpoint === undefined) throw new UserError("the stored checkpoint is damaged")
        return { ...checkpoint, note }
    }

    /**
     * Resolves once the checkpoint, or a later one, is durable. The signed note is kept whole: should the server ever
     * contradict it, it is evidence. Several callers at once write one after the other, and never an older one.
     */
    async see(size: number, note: string): Promise<void> {
        const written = this.#writing.then(async () => {
            if (size <= this.#size) return
            await this.#notebook.write(checkpointPage, utf8(note))
            this.#size = size
        })
        // A failed write fails its caller, not those behind it.
        this.#writing = written.catch(() => undefined)
        await written
    }
}
