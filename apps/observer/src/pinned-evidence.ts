/** The evidence against a server whose ledger does not extend a pinned checkpoint. */
import { dirname, join } from "node:path"
import { appendLeaf, emptyRange, leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { Growth } from "@tallylight/crypto/merkle-growth.js"
import { Stopped } from "@tallylight/node/cli.js"
import { writeEvidence, type Filed } from "@tallylight/node/evidence-file.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"
import { describeTwoHistories } from "@tallylight/protocol/verify/evidence.js"
import type { DivergenceProof } from "@tallylight/protocol/verify/evidence.js"
import type { LedgerSource } from "./ledger-source.ts"
import type { Pinned } from "./pinned.ts"

/** Writes it beside the pinned checkpoint. */
export async function filePinnedEvidence(
    { file, note, checkpoint }: Pinned,
    source: LedgerSource,
    genesis: Genesis,
): Promise<Filed> {
    const proof = checkpoint.size < source.size ? await proveIfShown(source, checkpoint.size) : undefined
    const path = join(dirname(file), `evidence-fork-${checkpoint.size}.json`)
    return writeEvidence(path, describeTwoHistories(genesis, [note, source.checkpoint], proof))
}

/** A server need not help to prove its own guilt: what it does not show, it is not convicted by. */
async function proveIfShown(source: LedgerSource, size: number): Promise<DivergenceProof | undefined> {
    try {
        return await prove(source, size)
    } catch (error) {
        if (error instanceof Stopped) throw error
        return undefined
    }
}

/** Reads the ledger once more: whoever found the fork stopped there. */
async function prove(source: LedgerSource, size: number): Promise<DivergenceProof | undefined> {
    let range = emptyRange
    let growth: Growth | undefined
    for await (const entry of source.entries()) {
        const leaf = leafHash(entry)
        if (growth !== undefined) growth.append(leaf)
        else range = appendLeaf(range, leaf)
        if (range.size === size) growth ??= new Growth(range)
    }
    return growth && { prefix: rangeRoot(range), consistency: growth.proof() }
}
