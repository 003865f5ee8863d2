/**
 * What a round promises, said a second time and from other facts than the fold goes by: only the entries, their order
 * and their times. A fold that forgot one of these would accept its own mistake.
 */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"

export class RoundJudge {
    /** When the window in progress ends, as the entry that began or prolonged it says. */
    #promised = 0

    /** What is wrong with `entry` after that state; nothing, as a rule. */
    judge(state: ChainState | undefined, entry: Entry, index: number): string[] {
        if (state === undefined) return []
        const { current } = state
        const { contributionWindowMs, decryptionWindowMs } = state.genesis.parameters
        const window = current?.phase === "sealed" ? decryptionWindowMs : contributionWindowMs
        const isOver = entry.time >= this.#promised
        const problems: string[] = []
        const expect = (holds: boolean, what: string): void => {
            if (!holds) problems.push(`entry ${index}, ${entry.kind}: ${what}`)
        }
        switch (entry.kind) {
            case "ticket":
                expect(current === undefined, "while a round is in progress")
                expect(entry.round === state.rounds + 1, "a round is skipped or repeated")
                expect(entry.closesAt >= entry.time + contributionWindowMs, "a window shorter than promised")
                this.#promised = entry.closesAt
                break
            case "extension":
                expect(entry.closesAt >= entry.time + window, "a window shorter than promised")
                this.#promised = entry.closesAt
                break
            case "contribution":
            case "abstention":
                if (current?.phase !== "open") expect(false, "while no round is open")
                else {
                    const { k, roster } = current
                    const isElected = BigInt(`0x${toHex(entry.y)}`) * BigInt(roster.size) < BigInt(k) << 512n
                    expect(isElected === (entry.kind === "contribution"), "the lottery says otherwise")
                    expect(!isOver, "after its window")
                }
                break
            case "tally":
                if (current?.phase !== "open") expect(false, "while no round is open")
                else {
                    const all = current.answered.size === current.roster.size
                    const { everyoneAnswers } = state.genesis.parameters
                    expect(isOver || (all && everyoneAnswers), "before its window had passed")
                    expect(
                        entry.answerBy >= entry.time + decryptionWindowMs,
                        "a window shorter than promised",
                    )
                }
                this.#promised = entry.answerBy
                break
            case "void":
                if (entry.reason === "withheld") expect(isOver, "before its window had passed")
                break
            case "genesis":
            case "admission":
            case "party-registration":
            case "requester-registration":
            case "revocation":
            case "request":
            case "share":
            case "beacon":
            case "commitment":
            case "pulse":
            case "node-registration":
                break
        }
        return problems
    }
}
