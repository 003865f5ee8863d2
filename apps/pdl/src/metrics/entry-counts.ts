/** What is logged, counted: entries by kind, rounds by how they ended, and how long each phase took. */
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { Meter } from "../chain/meter.ts"
import type { RoundPlace } from "../ledger/round-index.ts"
import { seconds } from "./instruments.ts"
import type { Instruments } from "./instruments.ts"

export class EntryCounts {
    readonly #entries
    readonly #rounds
    readonly #phases
    readonly #extensions

    constructor(instruments: Instruments) {
        this.#entries = instruments.counter(
            "entries_total",
            "Entries logged since the start.",
            "chain",
            "kind",
        )
        this.#rounds = instruments.counter(
            "rounds_total",
            "Rounds that ended: beacon, late, or why void.",
            "chain",
            "outcome",
        )
        this.#phases = instruments.histogram(
            "round_phase_seconds",
            "From ticket to tally (open), and on to the end (sealed).",
            seconds,
            "chain",
            "phase",
        )
        this.#extensions = instruments.counter(
            "window_extensions_total",
            "Windows prolonged after a restart.",
            "chain",
        )
    }

    /** For the entries of that chain, in order. */
    of(chain: string): Meter["committed"] {
        /** When the round in progress began each phase. */
        const began = new Map<"open" | "sealed", number>()
        const end = (phase: "open" | "sealed", time: number): void => {
            const start = began.get(phase)
            if (start !== undefined) this.#phases.observe({ chain, phase }, (time - start) / 1000)
            began.delete(phase)
        }
        return (entry: Entry, place: RoundPlace | undefined): void => {
            this.#entries.inc({ chain, kind: entry.kind })
            if (entry.kind === "extension") this.#extensions.inc({ chain })
            if (entry.kind === "ticket") began.set("open", entry.time)
            if (entry.kind === "tally") {
                end("open", entry.time)
                began.set("sealed", entry.time)
            }
            const outcome = entry.kind === "void" ? entry.reason : entry.kind === "beacon" && place?.status
            if (outcome === undefined || outcome === false) return
            this.#rounds.inc({ chain, outcome })
            // A late one ends no phase: its round was void, and others may be in progress.
            if (outcome === "late") return
            end("open", entry.time)
            end("sealed", entry.time)
        }
    }
}
