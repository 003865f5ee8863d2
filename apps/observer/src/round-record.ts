/** One round as the ledger records it: its place in the fold, without any proof being checked. */
import { apply, begin } from "@tallylight/protocol/ledger/apply.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry, EntryKind, EntryOf } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState, OpenRound } from "@tallylight/protocol/ledger/state.js"
import { beaconPulseOf } from "@tallylight/protocol/round/beacon-pulse.js"
import type { BeaconPulse } from "@tallylight/protocol/round/beacon-pulse.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"

type Logged<K extends EntryKind> = { readonly index: number; readonly entry: EntryOf<K> }

export type LoggedPulse = Logged<"pulse"> & { readonly pulse: BeaconPulse }

export type RoundRecord = {
    /** The round as its ticket opened it: roster and request are of that time. */
    readonly opened: OpenRound
    readonly ticket: EntryOf<"ticket">
    readonly answers: readonly (Logged<"contribution"> | Logged<"abstention">)[]
    readonly extensions: readonly Logged<"extension">[]
    readonly tally: Logged<"tally"> | undefined
    readonly shares: readonly Logged<"share">[]
    readonly beacon: Logged<"beacon"> | undefined
    readonly ended: Logged<"void"> | undefined
    /** Of entropy nodes about the beacon, with what each comes to. */
    readonly pulses: readonly LoggedPulse[]
    /** After the last entry that was read. */
    readonly state: ChainState
}

/** Undefined where the ledger has no such round. Rejects with a Refusal where an entry is out of its place. */
export async function readRound(
    entries: AsyncIterable<Uint8Array>,
    round: number,
): Promise<RoundRecord | undefined> {
    let state: ChainState | undefined
    let opened: OpenRound | undefined
    let ticket: EntryOf<"ticket"> | undefined
    const later: { index: number; entry: Entry }[] = []
    const pulses: LoggedPulse[] = []
    for await (const bytes of entries) {
        const entry = decodeEntry(bytes)
        const index: number = state?.range.size ?? 0
        const before = state
        state = before === undefined ? begin(entry) : apply(before, entry)
        if (!("round" in entry) || entry.round !== round) continue
        if (entry.kind === "ticket") {
            ticket = entry
            opened = state.current?.phase === "open" ? state.current : undefined
        } else if (entry.kind === "pulse" && before !== undefined)
            pulses.push({ index, entry, pulse: beaconPulseOf(before, entry) })
        else later.push({ index, entry })
    }
    if (state === undefined) throw new Refusal("empty-ledger")
    if (ticket === undefined || opened === undefined) return undefined
    const ofKind = <K extends EntryKind>(...kinds: readonly K[]): Logged<K>[] =>
        later.filter((logged): logged is Logged<K> & { entry: Entry } =>
            kinds.some((kind) => kind === logged.entry.kind),
        )
    return {
        ...{ opened, ticket, state, pulses },
        answers: ofKind("contribution", "abstention") as RoundRecord["answers"],
        extensions: ofKind("extension"),
        tally: ofKind("tally")[0],
        shares: ofKind("share"),
        beacon: ofKind("beacon")[0],
        ended: ofKind("void")[0],
    }
}
