/** What the ledger server owes the ledger next, from its state and the time alone (PROTOCOL.md §5). */
import type { Entry } from "../ledger/entry.ts"
import type { ChainState, SealedRound } from "../ledger/state.ts"
import type { UnixMs } from "../ports/clock.ts"
import { canOpen, makeBeacon } from "./beacon.ts"
import { endVoid, voidReason } from "./ending.ts"
import { isClosable } from "./phase.ts"
import { sealTally } from "./tally.ts"
import { issueTicket } from "./ticket.ts"

/** The entry that is due at `time`, if any; to be appended on top of everything that `state` holds, or dropped. */
export function dueEntry(state: ChainState, vrfSeed: Uint8Array, time: UnixMs): Entry | undefined {
    const { current } = state
    const late = openable(state.withheld)
    if (late !== undefined) return makeBeacon(state, late, vrfSeed, time)
    if (current === undefined) return issueTicket(state, vrfSeed, time)
    const reason = voidReason(state, time)
    if (reason !== undefined) return endVoid(current, reason, time)
    if (current.phase === "open")
        return isClosable(state, current, time) ? sealTally(state, current, time) : undefined
    return canOpen(current) ? makeBeacon(state, current, vrfSeed, time) : undefined
}

type Withheld = ChainState["withheld"]

const looked = new WeakMap<Withheld, SealedRound | undefined>()

/** Looked for once: a state in which nothing changed about withheld rounds has the same map of them. */
function openable(withheld: Withheld): SealedRound | undefined {
    if (!looked.has(withheld)) looked.set(withheld, [...withheld.values()].find(canOpen))
    return looked.get(withheld)
}

/** When `dueEntry` can next change its answer although nothing is logged; undefined for never. */
export function wakeAt({ current, queue }: ChainState): UnixMs | undefined {
    if (current !== undefined) return current.phase === "open" ? current.closesAt : current.answerBy
    return queue[0]?.due
}

/** Tallies that wait for shares: the round in progress, and those that may be opened late. */
export function tallies(state: ChainState): readonly SealedRound[] {
    const { current, withheld } = state
    return [...withheld.values(), ...(current?.phase === "sealed" ? [current] : [])]
}
