/** Where in the ledger each round stands. */
import type { Entry } from "@tallylight/protocol/ledger/entry.js"

export type RoundPlace = {
    readonly round: number
    readonly request: number
    readonly ticket: number
    /** Indices of the entries that belong to the round, the ticket's first. */
    readonly entries: number[]
    status: "open" | "sealed" | "beacon" | "void" | "late"
    /** Index of the beacon. */
    beacon: number | undefined
}

export class RoundIndex {
    /** Round n at n - 1. */
    readonly #rounds: RoundPlace[] = []
    #latestBeacon: RoundPlace | undefined

    add(index: number, entry: Entry): void {
        if (entry.kind === "ticket") {
            const { round, request } = entry
            this.#rounds.push({
                round,
                request,
                ticket: index,
                entries: [index],
                status: "open",
                beacon: undefined,
            })
            return
        }
        if (!("round" in entry)) return
        const place = this.#rounds[entry.round - 1]
        if (place === undefined) return
        place.entries.push(index)
        if (entry.kind === "tally") place.status = "sealed"
        if (entry.kind === "void") place.status = "void"
        if (entry.kind === "beacon") {
            place.status = place.status === "void" ? "late" : "beacon"
            place.beacon = index
            // Nobody may rely on an output that its key holders timed.
            if (place.status === "beacon") this.#latestBeacon = place
        }
    }

    get(round: number): RoundPlace | undefined {
        return this.#rounds[round - 1]
    }

    get latestBeacon(): RoundPlace | undefined {
        return this.#latestBeacon
    }
}
