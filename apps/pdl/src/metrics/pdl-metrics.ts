/** What a ledger server counts, under the names by which Prometheus asks for it. */
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { Counter, Gauge, Histogram } from "prom-client"
import type { Registry } from "prom-client"
import type { Chain } from "../chain/chain.ts"
import type { Meter } from "../chain/meter.ts"
import type { LimitName } from "../config.ts"
import type { RoundPlace } from "../ledger/round-index.ts"
import type { ProofPool } from "../proofs/pool.ts"
import { ranks } from "../proofs/rank.ts"

const seconds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
const fastSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

export class PdlMetrics {
    readonly #registry: Registry
    readonly #clock: Clock
    readonly #limitHits
    readonly #entries
    readonly #rounds
    readonly #phases
    readonly #extensions
    readonly #groups
    readonly #commits
    readonly #proofs
    readonly #proofsWaiting
    readonly #receipts
    readonly #refusals
    readonly #opened
    readonly #closed
    readonly #frames
    readonly #bytes

    constructor(registry: Registry, clock: Clock, limits: readonly LimitName[]) {
        this.#registry = registry
        this.#clock = clock
        const own = { registers: [registry] }
        const counter = <L extends string>(name: string, help: string, ...labelNames: L[]) =>
            new Counter({ ...own, name: `tallylight_${name}`, help, labelNames })
        const histogram = <L extends string>(
            name: string,
            help: string,
            buckets: number[],
            ...labelNames: L[]
        ) => new Histogram({ ...own, name: `tallylight_${name}`, help, buckets, labelNames })

        this.#limitHits = counter(
            "limit_hits_total",
            "How often a limit of the configuration was reached.",
            "limit",
        )
        for (const limit of limits) this.#limitHits.inc({ limit }, 0)
        this.#entries = counter("entries_total", "Entries logged since the start.", "chain", "kind")
        this.#rounds = counter(
            "rounds_total",
            "Rounds that ended: beacon, late, or why void.",
            "chain",
            "outcome",
        )
        this.#phases = histogram(
            "round_phase_seconds",
            "From ticket to tally (open), and on to the end (sealed).",
            seconds,
            "chain",
            "phase",
        )
        this.#extensions = counter("window_extensions_total", "Windows prolonged after a restart.", "chain")
        this.#groups = histogram(
            "commit_entries",
            "Entries in one commit.",
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
            "chain",
        )
        this.#commits = histogram("commit_seconds", "For a commit to be on the disk.", fastSeconds, "chain")
        this.#proofs = counter(
            "proofs_total",
            "Messages whose proofs were verified or refused.",
            "chain",
            "kind",
            "outcome",
        )
        this.#proofsWaiting = new Gauge({
            ...own,
            name: "tallylight_proofs_waiting",
            help: "Messages whose proofs wait or are being verified.",
            labelNames: ["chain", "kind"],
        })
        this.#receipts = counter("receipts_total", "Receipts given, repeated ones included.", "chain")
        this.#refusals = counter("refusals_total", "Messages refused.", "chain", "code")
        this.#opened = counter("connections_opened_total", "WebSockets opened.", "chain")
        this.#closed = counter(
            "connections_closed_total",
            "WebSockets closed, by close code.",
            "chain",
            "code",
        )
        this.#frames = counter("frames_total", "Frames taken in or given out.", "chain", "direction")
        this.#bytes = counter("frame_bytes_total", "Bytes of those frames.", "chain", "direction")
    }

    readonly reached = (limit: LimitName): void => this.#limitHits.inc({ limit })

    /** Bytes held for slow readers. */
    watchHeld(held: { readonly total: number }): void {
        this.#gauge("buffered_bytes", "Held in memory for readers that have not taken it.", [], (set) =>
            set({}, held.total),
        )
    }

    /** What verifies proofs for all chains together. */
    watchProofs(pool: ProofPool, threads: readonly { readonly deaths: number }[]): void {
        const registers = [this.#registry]
        new Counter({
            ...{ name: "tallylight_proof_pool_entries_total", registers, labelNames: ["outcome"] },
            help: "Entries whose proofs went through the pool: verified, or refused, also for want of a verdict.",
            collect() {
                this.reset()
                this.inc({ outcome: "verified" }, pool.verified)
                this.inc({ outcome: "refused" }, pool.refused)
            },
        })
        new Counter({
            ...{ name: "tallylight_proof_thread_deaths_total", registers },
            help: "Threads that died over a proof.",
            collect() {
                this.reset()
                this.inc(threads.reduce((sum, { deaths }) => sum + deaths, 0))
            },
        })
        this.#gauge(
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
            this.#gauge(name, help, ["chain"], (set) => {
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
        const own = { chain }
        /** When the round in progress began each phase. */
        const began = new Map<"open" | "sealed", number>()
        const end = (phase: "open" | "sealed", time: number): void => {
            const start = began.get(phase)
            if (start !== undefined) this.#phases.observe({ chain, phase }, (time - start) / 1000)
            began.delete(phase)
        }
        const committed = (entry: Entry, place: RoundPlace | undefined): void => {
            this.#entries.inc({ chain, kind: entry.kind })
            if (entry.kind === "extension") this.#extensions.inc(own)
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
        return {
            committed,
            store: (store) => this.#store(store, chain),
            channel: (channel) => this.#channel(channel, chain),
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
            gaveReceipt: () => this.#receipts.inc(own),
            refused: (code) => this.#refusals.inc({ chain, code }),
            reached: this.reached,
        }
    }

    #gauge(
        name: string,
        help: string,
        labelNames: string[],
        read: (set: (labels: Record<string, string>, value: number) => void) => void,
    ): void {
        const registers = [this.#registry]
        new Gauge({
            ...{ name: `tallylight_${name}`, help, labelNames, registers },
            collect() {
                read((labels, value) => this.set(labels, value))
            },
        })
    }

    #store(store: LedgerStore, chain: string): LedgerStore {
        return {
            head: () => store.head(),
            read: (from, to) => store.read(from, to),
            close: () => store.close(),
            append: async (expected, entries, checkpoint) => {
                this.#groups.observe({ chain }, entries.length)
                const start = this.#clock.elapsed()
                const head = await store.append(expected, entries, checkpoint)
                this.#commits.observe({ chain }, (this.#clock.elapsed() - start) / 1000)
                return head
            },
        }
    }

    #channel(channel: Channel, chain: string): Channel {
        const count = (direction: "in" | "out", frame: Uint8Array): void => {
            this.#frames.inc({ chain, direction })
            this.#bytes.inc({ chain, direction }, frame.length)
        }
        async function* counted(): AsyncGenerator<Uint8Array, void> {
            for await (const frame of channel.frames) {
                count("in", frame)
                yield frame
            }
        }
        this.#opened.inc({ chain })
        void channel.closed.then(({ code }) => this.#closed.inc({ chain, code: knownCode(code) }))
        return {
            frames: { [Symbol.asyncIterator]: counted },
            closed: channel.closed,
            close: (code, reason) => channel.close(code, reason),
            send: (frame) => {
                count("out", frame)
                return channel.send(frame)
            },
        }
    }
}

/** The other side chooses among thousands of codes, and each would be a series for ever. */
function knownCode(code: number): string {
    return (code >= 1000 && code <= 1015) || code === 4001 || code === 4002 ? String(code) : "other"
}
