/** What is held against a ledger server, as a file for the world. */
import type { describeBrokenPromise } from "@tallylight/protocol/session/receipts.js"
import { evidenceFile, judgeEvidence } from "@tallylight/protocol/verify/evidence.js"
import type { describeTwoHistories } from "@tallylight/protocol/verify/evidence.js"

import { readIfThere, writeDurably } from "./durable-file.ts"

type Accusation = ReturnType<typeof describeBrokenPromise | typeof describeTwoHistories>

/**
 * Writes it, unless what is there convicts the same chain and this does not: the accused chooses what it shows next.
 * Resolves to whether the file convicts.
 */
export async function writeEvidence(path: string, evidence: Accusation): Promise<boolean> {
    const text = `${JSON.stringify(evidence, undefined, 2)}\n`
    const isConviction = convicts(text, evidence.chain)
    const before = await readIfThere(path)
    if (!isConviction && before !== undefined && convicts(before.toString("utf8"), evidence.chain))
        return true
    await writeDurably(path, text)
    return isConviction
}

function convicts(text: string, chain: string): boolean {
    try {
        const finding = judgeEvidence(evidenceFile.parse(JSON.parse(text)))
        return finding.convicts && finding.chain === chain
    } catch {
        // No evidence at all, which a file of that name may be.
        return false
    }
}
