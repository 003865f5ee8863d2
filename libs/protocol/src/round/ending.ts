/** Rounds that end without a beacon, and windows that a restart prolongs (PROTOCOL.md §5.8). */
import type { EntryOf, VoidReason } from "../ledger/entry.ts"
import type { ChainState, OpenRound, SealedRound } from "../ledger/state.ts"
import type { UnixMs } from "../ports/clock.ts"
import { Refusal, require } from "../wire/refusal.ts"
import { canOpen } from "./beacon.ts"
import { isClosable } from "./phase.ts"
import { noSeed, settleSeeds } from "./seed.ts"
import { isIdentitySum } from "./tally.ts"

/** How often the ledger server may prolong each of a round's two windows. */
export const extensionsPerWindow = 3

/** Members with no share on record, by number. */
export function missingMembers({ request, shares }: SealedRound): readonly number[] {
    const answered = new Set(shares.map(({ share }) => share.member))
    return request.requester.members.map((_, at) => at + 1).filter((member) => !answered.has(member))
}

/** Too many members are convicted for t of them to remain. */
function isSpoilt({ request, shares }: SealedRound): boolean {
    const { members, commitments } = request.requester
    return shares.filter(({ valid }) => !valid).length > members.length - commitments.length
}

function openReason(state: ChainState, current: OpenRound): VoidReason | undefined {
    const count = current.contributions.length
    if (count === 0) return "no-contributor"
    if (count < state.genesis.parameters.minimumContributors) return "below-minimum"
    return isIdentitySum(current) ? "identity-sum" : undefined
}

/** Why the round in progress must end now without a beacon; undefined while it need not. */
export function voidReason(state: ChainState, time: UnixMs): VoidReason | undefined {
    const { current } = state
    if (current === undefined) return undefined
    if (current.phase === "open")
        return isClosable(state, current, time) ? openReason(state, current) : undefined
    if (isSpoilt(current)) return "wrong-share"
    return time >= current.answerBy && !canOpen(current) ? "withheld" : undefined
}

export function endVoid(current: OpenRound | SealedRound, reason: VoidReason, time: UnixMs): EntryOf<"void"> {
    const missing = current.phase === "sealed" ? missingMembers(current) : []
    return { kind: "void", time, round: current.round, reason, missing }
}

export function applyVoid(state: ChainState, entry: EntryOf<"void">): ChainState {
    const { current } = state
    if (current?.round !== entry.round) throw new Refusal("no-round", { round: entry.round })
    const reason = voidReason(state, entry.time)
    require(reason === entry.reason, "wrong-reason", { expected: reason ?? "none" })
    const { missing } = endVoid(current, reason, entry.time)
    require(missing.join() === entry.missing.join(), "wrong-reason", { missing: missing.join() })
    const queue = settleSeeds(state.queue, current.index, noSeed)
    const ended = { ...state, current: undefined, queue }
    switch (reason) {
        // Tried once more with everybody elected: making a round fail elects nobody new.
        case "no-contributor":
        case "below-minimum":
            return current.request.retry
                ? ended
                : { ...ended, queue: [{ ...current.request, retry: true }, ...queue] }
        case "withheld":
            return current.phase === "sealed" ? { ...ended, withheld: keepWithheld(state, current) } : ended
        case "identity-sum":
        case "wrong-share":
            return ended
    }
}

/** A withheld tally can be opened late for as many rounds as a registration lives. */
function keepWithheld(state: ChainState, current: SealedRound): ReadonlyMap<number, SealedRound> {
    const oldest = current.round - state.genesis.parameters.registrationRounds
    const kept = [...state.withheld].filter(([round]) => round > oldest)
    return new Map(kept).set(current.round, current)
}

/** After downtime the window starts anew, so that an outage of the ledger server silences nobody. */
export function extendWindow(
    state: ChainState,
    current: OpenRound | SealedRound,
    time: UnixMs,
): EntryOf<"extension"> {
    const { contributionWindowMs, decryptionWindowMs } = state.genesis.parameters
    const window = current.phase === "open" ? contributionWindowMs : decryptionWindowMs
    return { kind: "extension", time, round: current.round, closesAt: time + window }
}

export function applyExtension(state: ChainState, entry: EntryOf<"extension">): ChainState {
    const { current } = state
    if (current?.round !== entry.round) throw new Refusal("no-round", { round: entry.round })
    require(current.extensions < extensionsPerWindow, "no-extension", { extensions: current.extensions })
    const { closesAt } = extendWindow(state, current, entry.time)
    require(entry.closesAt === closesAt, "no-extension", { expected: closesAt })
    const extensions = current.extensions + 1
    return current.phase === "open"
        ? { ...state, current: { ...current, extensions, closesAt } }
        : { ...state, current: { ...current, extensions, answerBy: closesAt } }
}
