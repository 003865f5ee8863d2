import { signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import type { Notebook } from "@tallylight/protocol/ports/notebook.js"
import { describe, expect, test } from "vitest"

import { SeenLedger } from "./seen-ledger.ts"
import { UserError } from "./user-error.ts"

const chain = new Uint8Array(32).fill(1)

function note(size: number): string {
    return signCheckpoint({ origin: "example.org/log", size, root: new Uint8Array(32) }, new Uint8Array(32))
}

/** Its first write is its slowest. */
class SlowNotebook implements Notebook {
    readonly #pages = new MemoryNotebook()
    #pause = 20

    read(name: string): Promise<Uint8Array | undefined> {
        return this.#pages.read(name)
    }

    async write(name: string, value: Uint8Array): Promise<void> {
        const pause = this.#pause
        this.#pause = 0
        await new Promise((resolve) => setTimeout(resolve, pause))
        await this.#pages.write(name, value)
    }
}

describe("what was seen of a ledger", () => {
    test("is the checkpoint that was seen last", async () => {
        const notebook = new MemoryNotebook()
        expect(await new SeenLedger(notebook).checkpoint()).toBeUndefined()
        await new SeenLedger(notebook).see(7, note(7))
        expect(await new SeenLedger(notebook).checkpoint()).toMatchObject({ size: 7 })
    })

    test("is never an older one, however the writes overlap", async () => {
        const notebook = new SlowNotebook()
        const seen = new SeenLedger(notebook)
        await Promise.all([seen.see(7, note(7)), seen.see(9, note(9)), seen.see(8, note(8))])
        expect(await seen.checkpoint()).toMatchObject({ size: 9 })
    })

    test("belongs to one chain", async () => {
        const seen = new SeenLedger(new MemoryNotebook())
        expect(await seen.pin(chain)).toBe(true)
        expect(await seen.pin(chain)).toBe(false)
        await expect(seen.pin(new Uint8Array(32))).rejects.toThrow(UserError)
    })
})
