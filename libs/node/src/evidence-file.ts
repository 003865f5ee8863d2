/** What is held against a ledger server, as a file for the world. */
import { join, parse } from "node:path"
import { toHex } from "@tallylight/crypto/bytes.js"
import type { describeBrokenPromise } from "@tallylight/protocol/session/receipts.js"
import { evidenceFile, judgeEvidence } from "@tallylight/protocol/verify/evidence.js"
import type { describeTwoHistories, Evidence } from "@tallylight/protocol/verify/evidence.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"

import { readIfThere, writeDurably } from "./durable-file.ts"

type Accusation = ReturnType<typeof describeBrokenPromise | typeof describeTwoHistories>

/** Where it is, and whether it convicts; it is a suspicion otherwise. */
export type Filed = { readonly path: string; readonly convicts: boolean }

/**
 * Writes it, unless what is there convicts the same chain and this does not: the accused chooses what it shows next.
 * Where `path` is taken by something else, such as what is held against another chain, the name gets a number.
 */
export async function writeEvidence(path: string, evidence: Accusation): Promise<Filed> {
    const text = `${JSON.stringify(evidence, undefined, 2)}\n`
    const isConviction = convicts(text)
    const free = await freePath(path, evidence.chain)
    if (!isConviction && free.before !== undefined && convicts(free.before))
        return { path: free.path, convicts: true }
    await writeDurably(free.path, text)
    return { path: free.path, convicts: isConviction }
}

/** The first of `path` and its numbered variants that nothing has, or evidence about that chain. */
async function freePath(path: string, chain: string): Promise<{ path: string; before: string | undefined }> {
    const { dir, name, ext } = parse(path)
    for (let number = 1; ; number += 1) {
        const candidate = number === 1 ? path : join(dir, `${name}-${number}${ext}`)
        const before = (await readIfThere(candidate))?.toString("utf8")
        if (before === undefined || chainOf(before) === chain) return { path: candidate, before }
    }
}

function chainOf(text: string): string | undefined {
    const evidence = read(text)
    return evidence && toHex(evidence.chain)
}

function convicts(text: string): boolean {
    try {
        const evidence = read(text)
        return evidence !== undefined && judgeEvidence(evidence).convicts
    } catch (error) {
        if (error instanceof Refusal) return false
        throw error
    }
}

/** Undefined where it is no evidence, which a file of that name may be. */
function read(text: string): Evidence | undefined {
    try {
        return evidenceFile.parse(JSON.parse(text))
    } catch {
        return undefined
    }
}
