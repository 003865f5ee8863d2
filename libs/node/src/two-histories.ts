/** What an app does whose ledger server signed something that contradicts what it signed before. */
import { parseCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { parseNote } from "@tallylight/crypto/note.js"
import { Replica, type Contradiction } from "@tallylight/protocol/session/replica.js"
import { describeTwoHistories } from "@tallylight/protocol/verify/evidence.js"

import { writeEvidence } from "./evidence-file.ts"
import type { ChainAddress } from "./find-chain.ts"
import { followLedger } from "./ledger-link.ts"
import { systemClock } from "./system-clock.ts"
import { systemRandom } from "./system-random.ts"
import { UserError } from "./user-error.ts"

/** For the second look: the server may well keep silent, and somebody waits for the sentence. */
const patienceMs = 60_000

/** A conviction, or two signed checkpoints and a suspicion. */
export type Filed = { readonly convicts: boolean; readonly path: string }

/** Writes both signed checkpoints, with the proof where there is one. */
export async function fileTwoHistories(path: string, before: string, now: Contradiction): Promise<Filed> {
    const evidence = describeTwoHistories(now.genesis, [before, now.note], now.proof)
    return { convicts: await writeEvidence(path, evidence), path }
}

/** The error with which the app ends instead of `failure`, once the evidence is written. */
export function accuse({ convicts, path }: Filed, where: string, failure: Error): UserError {
    const sentence = convicts
        ? `${where} signed two histories of one ledger; the proof is in ${path}: show it to everybody`
        : `${failure.message}; both signed checkpoints are in ${path}, which convict nobody yet: ask the operator, ` +
          "and compare with what others were shown"
    return new UserError(sentence, { cause: failure })
}

/**
 * Has the whole ledger shown once more, as to a stranger, and looks where it is not what the server signed before or
 * just now. Resolves to the two notes with the proof, or to undefined where nothing could be proved.
 */
export async function lookAgain(
    address: ChainAddress,
    notes: readonly string[],
    stop: AbortSignal,
): Promise<{ readonly before: string; readonly now: Contradiction } | undefined> {
    for (const before of notes) {
        const seen = parseCheckpoint(parseNote(before)?.text ?? "")
        if (seen === undefined) continue
        const replica = new Replica({ chain: address.id, seen, proves: () => false })
        const enough = new AbortController()
        const nothing = (): void => undefined
        // Every way in which this ends without a proof is the same: the first failure is what is told.
        await followLedger({
            ...{ address, replica, role: "observer", clock: systemClock, random: systemRandom },
            stop: AbortSignal.any([stop, enough.signal, AbortSignal.timeout(patienceMs)]),
            onSteps: () => {
                if ((replica.checkpoint?.size ?? 0) >= seen.size) enough.abort()
            },
            ...{ onSession: nothing, onWait: nothing, onGone: nothing, onFault: nothing },
        }).catch(nothing)
        const now = replica.contradiction
        if (now?.proof !== undefined) return { before, now }
    }
    return undefined
}
