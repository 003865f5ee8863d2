/** What is told of a chain's work as it happens, to whoever counts it. No names and no addresses. */
import type { Entry, EntryKind } from "@tallylight/protocol/ledger/entry.js"
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import type { LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import type { RefusalCode } from "@tallylight/protocol/wire/refusal.js"
import type { LimitName } from "../config.ts"
import type { RoundPlace } from "../ledger/round-index.ts"

export type Meter = {
    /** The same store, whose commits are measured. */
    readonly store: (store: LedgerStore) => LedgerStore
    /** The same channel, whose frames are counted. */
    readonly channel: (channel: Channel) => Channel
    /** `place` is that of the round which the entry names, with the entry. */
    readonly committed: (entry: Entry, place: RoundPlace | undefined) => void
    /** The proofs of an entry are verified; `verified` resolves if they hold. */
    readonly proving: (kind: EntryKind, verified: Promise<unknown>) => void
    readonly gaveReceipt: () => void
    readonly refused: (code: RefusalCode) => void
    readonly reached: (limit: LimitName) => void
}
