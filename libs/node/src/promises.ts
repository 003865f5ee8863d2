/** The receipts that an app was given, and what it does when its ledger server breaks one. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { describeBrokenPromise, type BrokenPromise } from "@tallylight/protocol/session/receipts.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"

import { appendDurably, writeDurably } from "./durable-file.ts"
import { UserError } from "./user-error.ts"

export async function fileReceipt(path: string, { index, leaf, time, signature }: Receipt): Promise<void> {
    await appendDurably(path, JSON.stringify({ index, leaf: toHex(leaf), time, signature: toHex(signature) }))
}

/** Writes the evidence, and resolves to the error with which the app ends. */
export async function fileEvidence(
    path: string,
    chain: Uint8Array,
    broken: BrokenPromise,
    checkpoint: string,
): Promise<UserError> {
    const evidence = describeBrokenPromise(chain, broken, checkpoint)
    await writeDurably(path, `${JSON.stringify(evidence, undefined, 2)}\n`)
    return new UserError(
        `the ledger server signed a receipt for entry ${broken.receipt.index}, and its ledger has another entry ` +
            `there; the evidence is in ${path}: show it to everybody`,
    )
}
