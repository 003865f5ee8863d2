/** What a ledger says against its key holders: shares that they signed and that were wrong, and shares that it lacks. */
import type { Entry } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState } from "../ledger/state.ts"
import { sealedRound } from "../round/phase.ts"

export type KeyHolderRecord = {
    readonly identity: Uint8Array
    /** Whose rounds it should open, and its number among the members. */
    readonly requester: Uint8Array
    readonly member: number
    /** Wrong shares under its signature, each of which convicts it. */
    readonly wrong: Occasions
    /** Withheld rounds that had no share of it in time: its fault, or that of whoever did not log it. */
    readonly missing: Occasions
}

/** How often, and the first entry that shows it. */
type Occasions = {
    readonly count: number
    readonly first?: { readonly round: number; readonly index: number }
}

export class KeyHolders {
    readonly #records = new Map<string, KeyHolderRecord>()

    /** An entry that holds, and the state in which it was judged. */
    take(before: ChainState, entry: Entry): void {
        if (entry.kind === "share" && !entry.valid)
            this.#note(before, entry.round, entry.share.member, "wrong")
        if (entry.kind === "void")
            for (const member of entry.missing) this.#note(before, entry.round, member, "missing")
    }

    /** Of those who have something against them, in the order in which they got it. */
    get records(): readonly KeyHolderRecord[] {
        return [...this.#records.values()]
    }

    #note(before: ChainState, round: number, member: number, what: "wrong" | "missing"): void {
        const { requester } = sealedRound(before, round).request
        const identity = requester.members[member - 1]
        if (identity === undefined) return
        const key = `${nameOf(requester.identity)} ${member} ${nameOf(identity)}`
        const none: Occasions = { count: 0 }
        const own = { identity, requester: requester.identity, member }
        const record: KeyHolderRecord = this.#records.get(key) ?? { ...own, wrong: none, missing: none }
        const { count, first = { round, index: before.range.size } } = record[what]
        this.#records.set(key, { ...record, [what]: { count: count + 1, first } })
    }
}
