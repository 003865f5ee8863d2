/** What an app does whose ledger server signed something that contradicts what it signed before. */
import { untilAny } from "@tallylight/protocol/ports/until-any.js"
import type { Contradiction } from "@tallylight/protocol/session/replica.js"
import { SecondLook } from "@tallylight/protocol/session/second-look.js"
import { describeTwoHistories } from "@tallylight/protocol/verify/evidence.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"

import type { ChainAddress } from "./chain-address.ts"
import { writeEvidence, type Filed } from "./evidence-file.ts"
import { followLedger } from "./ledger-link.ts"
import { systemClock } from "./system-clock.ts"
import { systemRandom } from "./system-random.ts"
import { UserError } from "./user-error.ts"

/** For the second look: the server may well keep silent, and somebody waits for the sentence. */
const patienceMs = 60_000

/** Writes both signed checkpoints, with the proof where there is one. */
export async function fileTwoHistories(path: string, before: string, now: Contradiction): Promise<Filed> {
    return writeEvidence(path, describeTwoHistories(now.genesis, [before, now.note], now.proof))
}

/** The error with which the app ends instead of `failure`, once the evidence is written. */
export function accuse({ convicts, path }: Filed, where: string, failure: Error): UserError {
    const code = failure.cause instanceof Refusal ? failure.cause.code : "forked"
    const noticed = code === "forked" ? "" : ` (noticed as ${code})`
    const sentence = convicts
        ? `forked: ${where} signed two histories of one ledger; the proof is in ${path}: show it to everybody${noticed}`
        : `${failure.message}; both signed checkpoints are in ${path}, which convict nobody yet: ask the operator, ` +
          "and compare with what others were shown"
    return new UserError(sentence, { cause: failure })
}

/** The same, where all that the server signed is of one history. */
export function invite({ http, hex }: ChainAddress, failure: Error): UserError {
    const server = http.slice(0, http.lastIndexOf("/v1/chains/"))
    return new UserError(
        `${failure.message}; its signed checkpoints are of one history: whether that breaks the rules, anybody can ` +
            `see with “observer verify --url ${server} --chain ${hex}”`,
        { cause: failure },
    )
}

/** Has the whole ledger shown once more, as to a stranger, and holds it against the signed `notes`. */
export async function lookAgain(
    address: ChainAddress,
    notes: readonly string[],
    stop: AbortSignal,
): Promise<Pick<SecondLook, "found" | "isOneHistory">> {
    const enough = new AbortController()
    const replica = new SecondLook(notes, () => enough.abort())
    const nothing = (): void => undefined
    // Every way in which this ends without a proof is the same: the first failure is what is told.
    await untilAny([stop, enough.signal, AbortSignal.timeout(patienceMs)], (over) =>
        followLedger({
            ...{ address, replica, role: "observer", clock: systemClock, random: systemRandom },
            stop: over,
            ...{ onSession: nothing, onSteps: nothing, onWait: nothing, onGone: nothing, onFault: nothing },
        }),
    ).catch(nothing)
    return replica
}
