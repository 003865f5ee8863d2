/** The receipts that an app was given, and what it does when its ledger server breaks one. */
import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { describeBrokenPromise, type BrokenPromise } from "@tallylight/protocol/session/receipts.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { z } from "zod"

import { appendDurably, readLines } from "./durable-file.ts"
import { writeEvidence } from "./evidence-file.ts"
import { UserError } from "./user-error.ts"

export async function fileReceipt(path: string, { index, leaf, time, signature }: Receipt): Promise<void> {
    await appendDurably(path, JSON.stringify({ index, leaf: toHex(leaf), time, signature: toHex(signature) }))
}

const line = z.object({
    index: z.int().min(0),
    leaf: z.string().regex(/^[0-9a-f]{64}$/),
    time: z.int().min(0),
    signature: z.string().regex(/^[0-9a-f]{128}$/),
})

/** The receipts that were kept, to hold the ledger to them again. */
export async function readReceipts(path: string): Promise<Receipt[]> {
    const lines = await readLines(path)
    return lines.map((text, at) => {
        const parsed = line.safeParse(JSON.parse(text))
        if (!parsed.success) throw new UserError(`${path}:${at + 1} is no receipt`)
        const { index, leaf, time, signature } = parsed.data
        return { index, leaf: fromHex(leaf), time, signature: fromHex(signature) }
    })
}

export type EvidenceContext = {
    readonly genesis: Genesis
    readonly chain: Uint8Array
    readonly checkpoint: string
    readonly inclusion: readonly Uint8Array[] | undefined
}

/** Writes the evidence, and resolves to the error with which the app ends. */
export async function fileEvidence(
    path: string,
    broken: BrokenPromise,
    { genesis, chain, ...log }: EvidenceContext,
): Promise<UserError> {
    const evidence = describeBrokenPromise(genesis, chain, broken, log)
    const filed = await writeEvidence(path, evidence)
    return new UserError(
        `the ledger server signed a receipt for entry ${broken.receipt.index}, and its ledger has another entry ` +
            `there; the evidence is in ${filed.path}: show it to everybody`,
    )
}
