/** What goes first where proofs wait: what a round waits for. */
import type { SentEntry } from "@tallylight/protocol/ledger/verify.js"

/** Lower goes first. */
export const ranks = [0, 1, 2, 3] as const
export type Rank = (typeof ranks)[number]

export function rankOf(entry: SentEntry): Rank {
    if (entry.kind === "share") return 0
    if (entry.kind === "contribution" || entry.kind === "abstention") return 1
    // A round does not wait for them, but the next ticket may come before a commitment.
    if (entry.kind === "commitment" || entry.kind === "pulse") return 1
    // A removal must not wait behind the registrations of a crowd; a forged one costs as much as a forged answer.
    if (entry.kind === "admission") return 1
    return isCommittee(entry) ? 3 : 2
}

/** The one thing that a stranger can send and that takes seconds. */
export function isCommittee(entry: SentEntry): boolean {
    return entry.kind === "requester-registration" && entry.members.length > 1
}
