/**
 * What each registered entropy node made of the beacons that it owed a pulse (PROTOCOL.md §5.9): those with a Z that
 * consumers may use, those without, and those that it passed over.
 */
import type { Entry } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState, EntropyNode } from "../ledger/state.ts"
import { beaconPulseOf } from "../round/beacon-pulse.ts"

export type PulseRecord = {
    readonly identity: Uint8Array
    /** What it says of its latest key and its sources: all hardware. */
    readonly hardware: boolean
    /** Whether its registration is in force. */
    readonly registered: boolean
    readonly pulses: number
    /** Pulses with a value to which the node was bound before the ticket: only their Z is good for anything. */
    readonly bound: number
    readonly unbound: Occasions
    /** Beacons that it owed and passed over before a later pulse. */
    readonly missed: Occasions
    /** Beacons since its last pulse, or since it registered, that it has not signed, as long as it was registered. */
    readonly unsigned: number
}

/** How often, and the first pulse that shows it: that of the round itself, or the one that passed it over. */
type Occasions = {
    readonly count: number
    readonly first?: { readonly round: number; readonly index: number }
}

type Counts = Pick<PulseRecord, "pulses" | "bound" | "unbound" | "missed">

const none: Counts = { pulses: 0, bound: 0, unbound: { count: 0 }, missed: { count: 0 } }

export class PulseRecords {
    readonly #counts = new Map<string, Counts>()
    /** Of the beacons that were in time, in their order. */
    readonly #rounds: number[] = []
    /** How many there were when a node revoked its registration: whoever leaves owes no more than those. */
    readonly #left = new Map<string, number>()

    /** An entry that holds, and the state in which it was judged. */
    take(before: ChainState, entry: Entry): void {
        if (entry.kind === "beacon" && before.current?.round === entry.round) this.#rounds.push(entry.round)
        if (entry.kind === "revocation") this.#left.set(nameOf(entry.identity), before.beacons)
        if (entry.kind !== "pulse") return
        const { round, isBound, missed } = beaconPulseOf(before, entry)
        const name = nameOf(entry.identity)
        const { pulses, bound, unbound, missed: earlier } = this.#counts.get(name) ?? none
        const here = { round, index: before.range.size }
        this.#counts.set(name, {
            pulses: pulses + 1,
            bound: bound + (isBound ? 1 : 0),
            unbound: isBound ? unbound : more(unbound, 1, here),
            missed: missed === 0 ? earlier : more(earlier, missed, here),
        })
    }

    /** Of all nodes that are or were registered in that state. */
    records({ nodes, beacons, rounds }: ChainState): readonly PulseRecord[] {
        return [...nodes].map(([name, node]: [string, EntropyNode]) => {
            const { identity, hardware, revoked, lastRound, signed } = node
            const registered = !revoked && lastRound >= rounds
            const counts = this.#counts.get(name) ?? none
            const lapsedAt = this.#rounds.findLastIndex((round) => round <= lastRound) + 1
            const owed = this.#left.get(name) ?? (registered ? beacons : lapsedAt)
            return { identity, hardware, registered, ...counts, unsigned: Math.max(0, owed - signed) }
        })
    }
}

function more({ count, first }: Occasions, by: number, here: NonNullable<Occasions["first"]>): Occasions {
    return { count: count + by, first: first ?? here }
}
