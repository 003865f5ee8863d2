/** What a ledger server counts, under the names by which Prometheus asks for it. */
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { Registry } from "prom-client"
import type { Chain } from "../chain/chain.ts"
import type { Meter } from "../chain/meter.ts"
import type { LimitName } from "../config.ts"
import type { ProofPool } from "../proofs/pool.ts"
import { ranks } from "../proofs/rank.ts"
import { CountedChannels } from "./counted-channels.ts"
import { EntryCounts } from "./entry-counts.ts"
import { Instruments } from "./instruments.ts"
import { MeasuredStores } from "./measured-stores.ts"

export class PdlMetrics {
    readonly #instruments: Instruments
    readonly #clock: Clock
    readonly #limitHits
    readonly #entries: EntryCounts
    readonly #stores: MeasuredStores
    readonly #proofs
    readonly #proofsWaiting
    readonly #receipts
    readonly #refusals
    readonly #channels: CountedChannels

    constructor(registry: Registry, clock: Clock, limits: readonly LimitName[]) {
        const instruments = new Instruments(registry)
        this.#instruments = instruments
        this.#clock = clock
        this.#limitHits = instruments.counter(
            "limit_hits_total",
            "How often a limit of the configuration was reached.",
            "limit",
        )
        for (const limit of limits) this.#limitHits.inc({ limit }, 0)
        this.#entries = new EntryCounts(instruments)
        this.#stores = new MeasuredStores(instruments, clock)
        this.#proofs = instruments.counter(
            "proofs_total",
            "Messages whose proofs were verified or refused.",
            "chain",
            "kind",
            "outcome",
        )
        this.#proofsWaiting = instruments.gauge(
            "proofs_waiting",
            "Messages whose proofs wait or are being verified.",
            "chain",
            "kind",
        )
        this.#receipts = instruments.counter(
            "receipts_total",
            "Receipts given, repeated ones included.",
            "chain",
        )
        this.#refusals = instruments.counter("refusals_total", "Messages refused.", "chain", "code")
        this.#channels = new CountedChannels(instruments)
    }

    readonly reached = (limit: LimitName): void => this.#limitHits.inc({ limit })

    /** Bytes held for slow readers. */
    watchHeld(held: { readonly total: number }): void {
        this.#instruments.readGauge(
            "buffered_bytes",
            "Held in memory for readers that have not taken it.",
            [],
            (set) => set({}, held.total),
        )
    }

    /** What verifies proofs for all chains together. */
    watchProofs(pool: ProofPool, threads: readonly { readonly deaths: number }[]): void {
        this.#instruments.readCounter(
            "proof_pool_entries_total",
            "Entries whose proofs went through the pool: verified, or refused, also for want of a verdict.",
            ["outcome"],
            (set) => {
                set({ outcome: "verified" }, pool.verified)
                set({ outcome: "refused" }, pool.refused)
            },
        )
        this.#instruments.readCounter(
            "proof_thread_deaths_total",
            "Threads that died over a proof.",
            [],
            (set) =>
                set(
                    {},
                    threads.reduce((sum, { deaths }) => sum + deaths, 0),
                ),
        )
        this.#instruments.readGauge(
            "proof_pool_waiting",
            "Entries that wait for the pool or are in it, by rank: 0 (shares) goes first, 3 (committees) last.",
            ["rank"],
            (set) => {
                for (const rank of ranks) set({ rank: String(rank) }, pool.waiting(rank))
            },
        )
    }

    /** What is read off the chains whenever somebody asks. */
    watch(chains: readonly { readonly name: string; readonly chain: Chain }[]): void {
        const each = (name: string, help: string, value: (chain: Chain) => number): void =>
            this.#instruments.readGauge(name, help, ["chain"], (set) => {
                for (const { name, chain } of chains) set({ chain: name }, value(chain))
            })
        each("ledger_entries", "Entries in the ledger.", ({ head }) => head.size)
        each("rounds", "Rounds that got a ticket.", ({ state }) => state.rounds)
        each("queued_requests", "Requests that wait for a ticket.", ({ state }) => state.queue.length)
        each(
            "registered_parties",
            "Parties that are registered and not revoked.",
            ({ state }) => [...state.parties.values()].filter(({ revoked }) => !revoked).length,
        )
        each("connections", "Open WebSockets.", ({ connections }) => connections)
        each("requests_in_work", "Requests whose answers are not taken yet.", ({ working }) => working)
        each("subscribers", "Connections that follow the ledger.", ({ followers }) => followers.count)
        each(
            "subscriber_lag_entries",
            "How many entries the slowest of them is behind.",
            ({ followers }) => followers.lag,
        )
        each(
            "clock_ahead_seconds",
            "The ledger's last entry minus this machine's clock, where that is later.",
            ({ state }) => Math.max(0, state.time - this.#clock.now()) / 1000,
        )
    }

    /** For the chain of that name, through all the times that it is opened. */
    meter(chain: string): Meter {
        return {
            committed: this.#entries.of(chain),
            store: (store) => this.#stores.measure(store, chain),
            channel: (channel) => this.#channels.count(channel, chain),
            proving: (kind, verified) => {
                this.#proofsWaiting.inc({ chain, kind })
                const ended = (outcome: string): void => {
                    this.#proofsWaiting.dec({ chain, kind })
                    this.#proofs.inc({ chain, kind, outcome })
                }
                void verified.then(
                    () => ended("verified"),
                    () => ended("refused"),
                )
            },
            gaveReceipt: () => this.#receipts.inc({ chain }),
            refused: (code) => this.#refusals.inc({ chain, code }),
            reached: this.reached,
        }
    }
}
