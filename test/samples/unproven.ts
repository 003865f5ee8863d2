/** What others could send to the ledger server: the sample's honest entries, and the ones whose proofs do not hold. */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { apply, begin } from "@tallylight/protocol/ledger/apply.js"
import { decodeEntry, encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { verifyEntry } from "@tallylight/protocol/ledger/verify.js"
import type { SentEntry } from "@tallylight/protocol/ledger/verify.js"
import { mutants } from "@tallylight/protocol/sample/mutants.js"
import type { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"

/** An entry and the state in front of it. */
export type Sent = { readonly state: ChainState; readonly entry: SentEntry }

/** One that `apply` takes and `verifyEntry` does not. */
export type Unproven = Sent & { readonly breaks: string; readonly refusal: Refusal }

const ownKinds = ["genesis", "ticket", "extension", "tally", "beacon", "void"]

function isSent(entry: Entry): entry is SentEntry {
    return !ownKinds.includes(entry.kind)
}

export function sentOf({ entries, states }: SampleLedger): [Sent, ...Sent[]] {
    const [first, ...rest] = entries.flatMap((entry, index) => {
        const state = states[index - 1]
        return state !== undefined && isSent(entry) ? [{ state, entry }] : []
    })
    if (first === undefined) throw new Error("nobody sent anything")
    return [first, ...rest]
}

export function unprovenOf(sample: SampleLedger): Unproven[] {
    return mutants.flatMap(({ breaks, mutate }) => {
        const found = firstUnproven(sample, mutate(sample).entries)
        return found === undefined ? [] : [{ ...found, breaks }]
    })
}

function firstUnproven(
    sample: SampleLedger,
    entries: readonly Uint8Array[],
): Omit<Unproven, "breaks"> | undefined {
    let state: ChainState | undefined
    let isSame = true
    for (const [index, bytes] of entries.entries()) {
        try {
            const entry = decodeEntry(bytes)
            const before = state
            state = before === undefined ? begin(entry) : apply(before, entry)
            const honest = sample.entries[index]
            // Up to the first difference everything holds as it does in the sample.
            isSame &&= honest !== undefined && equalBytes(bytes, encodeEntry(honest))
            if (isSame || before === undefined || !isSent(entry)) continue
            const refusal = refusalOf(() => verifyEntry(before, entry))
            if (refusal !== undefined) return { state: before, entry, refusal }
        } catch (error) {
            if (error instanceof Refusal) return undefined
            throw error
        }
    }
    return undefined
}

export function refusalOf(action: () => void): Refusal | undefined {
    try {
        action()
        return undefined
    } catch (error) {
        if (error instanceof Refusal) return error
        throw error
    }
}
