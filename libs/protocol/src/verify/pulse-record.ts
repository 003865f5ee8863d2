/**
 * What each registered entropy node made of the beacons that it owed a pulse (PROTOCOL.md §5.9): those with a Z that
 * consumers may use, those without, and those that it passed over.
 */
import { isInForce } from "../chain/entropy-node.ts"
import type { Entry } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState, EntropyNode } from "../ledger/state.ts"
import type { UnixMs } from "../ports/clock.ts"
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
    /** Pulses dated before the entry of their beacon or after their own by more than {@link clockTolerance}. */
    readonly misdated: Occasions
    /** Beacons since its last pulse, or since it registered, that it has not signed, as long as it was registered. */
    readonly unsigned: number
}

/** How often, and the first pulse that shows it: that of the round itself, or the one that passed it over. */
type Occasions = {
    readonly count: number
    readonly first?: { readonly round: number; readonly index: number }
}

type Counts = Pick<PulseRecord, "pulses" | "bound" | "unbound" | "missed" | "misdated">

const never: Occasions = { count: 0 }
const none: Counts = { pulses: 0, bound: 0, unbound: never, missed: never, misdated: never }

/** Milliseconds by which a node's clock and the ledger's may differ without anything being said of it. */
export const clockTolerance = 5 * 60_000

export class PulseRecords {
    readonly #counts = new Map<string, Counts>()
    /** Times of the entries of beacons that were in time, by round and in their order. */
    readonly #beacons = new Map<number, UnixMs>()
    /** How many there were when a node revoked its registration: whoever leaves owes no more than those. */
    readonly #left = new Map<string, number>()

    /** An entry that holds, and the state in which it was judged. */
    take(before: ChainState, entry: Entry): void {
        if (entry.kind === "beacon" && before.current?.round === entry.round)
            this.#beacons.set(entry.round, entry.time)
        if (entry.kind === "revocation") this.#left.set(nameOf(entry.identity), before.beacons)
        if (entry.kind !== "pulse") return
        const { round, isBound, missed, timeStamp } = beaconPulseOf(before, entry)
        const name = nameOf(entry.identity)
        const { pulses, bound, unbound, missed: earlier, misdated } = this.#counts.get(name) ?? none
        const earliest = (this.#beacons.get(round) ?? 0) - clockTolerance
        const isDated = timeStamp >= earliest && timeStamp <= entry.time + clockTolerance
        const here = { round, index: before.range.size }
        this.#counts.set(name, {
            pulses: pulses + 1,
            bound: bound + (isBound ? 1 : 0),
            unbound: isBound ? unbound : more(unbound, 1, here),
            missed: missed === 0 ? earlier : more(earlier, missed, here),
            misdated: isDated ? misdated : more(misdated, 1, here),
        })
    }

    /** Of all nodes that are or were registered in that state. */
    records(state: ChainState): readonly PulseRecord[] {
        return [...state.nodes].map(([name, node]: [string, EntropyNode]) => {
            const { identity, hardware, lastRound, signed } = node
            const registered = isInForce(state, node)
            const counts = this.#counts.get(name) ?? none
            const lapsedAt = [...this.#beacons.keys()].findLastIndex((round) => round <= lastRound) + 1
            const owed = this.#left.get(name) ?? (registered ? state.beacons : lapsedAt)
            return { identity, hardware, registered, ...counts, unsigned: Math.max(0, owed - signed) }
        })
    }
}

function more({ count, first }: Occasions, by: number, here: NonNullable<Occasions["first"]>): Occasions {
    return { count: count + by, first: first ?? here }
}
