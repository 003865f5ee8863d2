/** What the PDL promised, held against what its ledger shows (PROTOCOL.md §6.5). */
import { equalBytes, toHex } from "@tallylight/crypto/bytes.js"
import { encodeEntry } from "../ledger/entry.ts"
import { verifyReceipt } from "../ledger/receipt.ts"
import type { Genesis } from "../ledger/state.ts"
import type { Receipt } from "../wire/messages.ts"
import type { Step } from "./replica.ts"

/** A receipt, and the leaf that the PDL's signed ledger has in its place. */
export type BrokenPromise = { readonly receipt: Receipt; readonly leaf: Uint8Array }

/** How many leaf hashes are kept for receipts that come after their entries. */
const remembered = 4096

export class ReceiptBook {
    readonly #chain: Uint8Array
    /** Receipts whose entries have not come by, by index; the PDL answers before it publishes. */
    readonly #expected = new Map<number, Receipt[]>()
    readonly #recent = new Map<number, Uint8Array>()

    /** One for the life of a process: a promise outlives the connection on which it was made. */
    constructor(chain: Uint8Array) {
        this.#chain = chain
    }

    /** A receipt that was verified when it came, before this process. */
    expect(receipt: Receipt): void {
        this.#expected.set(receipt.index, [...(this.#expected.get(receipt.index) ?? []), receipt])
    }

    /** Refuses one that `messageKey` did not sign; else says whether the ledger contradicts it already. */
    add(receipt: Receipt, messageKey: Uint8Array): BrokenPromise | undefined {
        verifyReceipt(this.#chain, messageKey, receipt)
        const leaf = this.#recent.get(receipt.index)
        if (leaf === undefined) this.expect(receipt)
        return leaf === undefined || equalBytes(leaf, receipt.leaf) ? undefined : { receipt, leaf }
    }

    /** The promises that these steps break. */
    compare(steps: readonly Pick<Step, "index" | "leaf">[]): BrokenPromise[] {
        const broken: BrokenPromise[] = []
        for (const { index, leaf } of steps) {
            for (const receipt of this.#expected.get(index) ?? [])
                if (!equalBytes(receipt.leaf, leaf)) broken.push({ receipt, leaf })
            this.#expected.delete(index)
            this.#recent.set(index, leaf)
            this.#recent.delete(index - remembered)
        }
        return broken
    }
}

/**
 * The evidence as a file for the world. Whoever reads it needs nothing from the PDL: the genesis, whose hash is the
 * chain's id, has the keys; the checkpoint and the inclusion proof say what the ledger has at that index.
 */
export function describeBrokenPromise(
    genesis: Genesis,
    chain: Uint8Array,
    { receipt, leaf }: BrokenPromise,
    log: { readonly checkpoint: string; readonly inclusion: readonly Uint8Array[] | undefined },
) {
    return {
        kind: "broken-receipt" as const,
        says: "The PDL signed a receipt for an entry that its own signed ledger does not have at that index.",
        chain: toHex(chain),
        genesis: toHex(encodeEntry(genesis)),
        receipt: {
            index: receipt.index,
            leaf: toHex(receipt.leaf),
            time: receipt.time,
            signature: toHex(receipt.signature),
        },
        found: toHex(leaf),
        checkpoint: log.checkpoint,
        /** Null where the PDL refused it: any copy of the log up to the checkpoint gives it. */
        inclusion: log.inclusion?.map(toHex) ?? null,
    }
}
