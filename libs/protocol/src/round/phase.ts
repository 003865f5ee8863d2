import type { ChainState, OpenRound, SealedRound } from "../ledger/state.ts"
import { Refusal, require } from "../wire/refusal.ts"
import type { UnixMs } from "../ports/clock.ts"

/** The open round of that number, or a refusal. */
export function openRound(state: ChainState, round: number): OpenRound {
    const { current } = state
    if (current?.phase !== "open" || current.round !== round) throw new Refusal("no-round", { round })
    return current
}

/** The sealed round of that number, in progress or withheld, if there is one. */
export function findSealed({ current, withheld }: ChainState, round: number): SealedRound | undefined {
    return current?.phase === "sealed" && current.round === round ? current : withheld.get(round)
}

/** The same, or a refusal. */
export function sealedRound(state: ChainState, round: number): SealedRound {
    const sealed = findSealed(state, round)
    if (sealed === undefined) throw new Refusal("no-tally", { round })
    return sealed
}

/** Whether the round takes no more answers: its deadline is here, or everybody who must answer has. */
export function isClosable(state: ChainState, current: OpenRound, time: UnixMs): boolean {
    const everyone = state.genesis.parameters.everyoneAnswers && current.answered.size === current.roster.size
    return everyone || time >= current.closesAt
}

export function requireClosable(state: ChainState, current: OpenRound, time: UnixMs): void {
    require(isClosable(state, current, time), "too-early", { closesAt: current.closesAt })
}
