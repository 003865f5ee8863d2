/** What the PDL promised, held against what its ledger shows (PROTOCOL.md §6.5). */
import { equalBytes, toHex } from "@tallylight/crypto/bytes.js"
import { verifyReceipt } from "../ledger/receipt.ts"
import type { Receipt } from "../wire/messages.ts"
import type { Step } from "./replica.ts"

/** A receipt, and the leaf that the PDL's signed ledger has in its place. */
export type BrokenPromise = { readonly receipt: Receipt; readonly leaf: Uint8Array }

export class ReceiptBook {
    readonly #chain: Uint8Array
    readonly #messageKey: Uint8Array
    /** Receipts for entries that have not come by yet, by index; the PDL answers before it publishes. */
    readonly #expected = new Map<number, Receipt>()
    /** Leaf hashes that came by, for receipts that come after their entries. */
    readonly #recent = new Map<number, Uint8Array>()

    constructor(chain: Uint8Array, messageKey: Uint8Array) {
        this.#chain = chain
        this.#messageKey = messageKey
    }

    /** A receipt that was verified when it came, before this process. */
    expect(receipt: Receipt): void {
        this.#expected.set(receipt.index, receipt)
    }

    /** Refuses one that the PDL did not sign; else says whether the ledger contradicts it already. */
    add(receipt: Receipt): BrokenPromise | undefined {
        verifyReceipt(this.#chain, this.#messageKey, receipt)
        const leaf = this.#recent.get(receipt.index)
        if (leaf === undefined) this.#expected.set(receipt.index, receipt)
        return leaf === undefined || equalBytes(leaf, receipt.leaf) ? undefined : { receipt, leaf }
    }

    /** The promises that these steps break. */
    compare(steps: readonly Step[]): BrokenPromise[] {
        const broken: BrokenPromise[] = []
        for (const { index, leaf } of steps) {
            const receipt = this.#expected.get(index)
            if (receipt !== undefined && !equalBytes(receipt.leaf, leaf)) broken.push({ receipt, leaf })
            this.#expected.delete(index)
            this.#recent.set(index, leaf)
            this.#recent.delete(index - 1024)
        }
        return broken
    }
}

/** The evidence as a file for the world: anybody can check it against the log's inclusion proofs. */
export function describeBrokenPromise(
    chain: Uint8Array,
    { receipt, leaf }: BrokenPromise,
    checkpoint: string,
) {
    return {
        says: "The PDL signed a receipt for an entry that its own signed ledger does not have at that index.",
        chain: toHex(chain),
        index: receipt.index,
        promised: toHex(receipt.leaf),
        time: receipt.time,
        signature: toHex(receipt.signature),
        found: toHex(leaf),
        checkpoint,
    }
}
