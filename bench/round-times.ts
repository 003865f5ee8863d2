/** How long rounds took, by the times of their ledger entries. */
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { Row } from "./measure.ts"

/** Parties, all of whom are elected in every round, so that each round is the same amount of work. */
export const partyCount = 10
export const roundCount = 20

export const chainParameters = {
    expectedContributors: partyCount,
    minimumContributors: partyCount,
    contributionWindowMs: 30_000,
    decryptionWindowMs: 30_000,
    queueLength: 8,
    registrationRounds: 1000,
    everyoneAnswers: true,
} as const

export function roundTimes(entries: readonly Entry[]): Row[] {
    const [fromRequest, fromTicket, sealing, opening]: number[][] = [[], [], [], []]
    let ticket: (Entry & { kind: "ticket" }) | undefined
    let sealedAt = 0
    for (const entry of entries) {
        if (entry.kind === "ticket") ticket = entry
        if (entry.kind === "tally") sealedAt = entry.time
        if (entry.kind !== "beacon" || ticket?.round !== entry.round) continue
        const request = entries[ticket.request]
        fromRequest?.push(entry.time - (request?.time ?? NaN))
        fromTicket?.push(entry.time - ticket.time)
        sealing?.push(sealedAt - ticket.time)
        opening?.push(entry.time - sealedAt)
    }
    return [
        { what: "request to beacon", values: fromRequest },
        { what: "ticket to beacon", values: fromTicket },
        { what: "  ticket to tally", values: sealing },
        { what: "  tally to beacon", values: opening },
    ].map(({ what, values }) => ({ what, unit: "ms", values: values ?? [] }))
}
