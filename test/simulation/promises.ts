/**
 * What a round promises, said a second time and from other facts than the fold goes by: only the entries, their order
 * and their times. A fold that forgot one of these would accept its own mistake.
 */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"

/** What is wrong with `entry` after that state; nothing, as a rule. */
export function judgeRound(state: ChainState | undefined, entry: Entry, index: number): string[] {
    if (state === undefined) return []
    const { current } = state
    const { contributionWindowMs, decryptionWindowMs } = state.genesis.parameters
    const problems: string[] = []
    const expect = (holds: boolean, what: string): void => {
        if (!holds) problems.push(`entry ${index}, ${entry.kind}: ${what}`)
    }
    if (entry.kind === "ticket") {
        expect(current === undefined, "a ticket while a round is in progress")
        expect(entry.round === state.rounds + 1, "a round is skipped or repeated")
        expect(entry.closesAt >= entry.time + contributionWindowMs, "its window is shorter than promised")
    }
    if (entry.kind === "tally" && current?.phase === "open") {
        const all = current.answered.size === current.roster.size
        expect(all || entry.time >= current.closesAt, "sealed before its window had passed")
        expect(entry.answerBy >= entry.time + decryptionWindowMs, "its window is shorter than promised")
    }
    if ((entry.kind === "contribution" || entry.kind === "abstention") && current?.phase === "open") {
        const drawn = BigInt(`0x${toHex(entry.y)}`)
        const { k, roster } = current
        const isElected = drawn * BigInt(roster.size) < BigInt(k) << 512n
        const contributes = entry.kind === "contribution"
        expect(
            isElected === contributes,
            contributes ? "of somebody who was not elected" : "of somebody elected",
        )
        expect(entry.time < current.closesAt, "after its window")
    }
    if (entry.kind === "void" && entry.reason === "withheld" && current?.phase === "sealed")
        expect(entry.time >= current.answerBy, "withheld before its window had passed")
    return problems
}
