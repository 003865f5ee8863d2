/** The node's core for tests and benchmarks: what it gives can be computed again, and says that it is simulated. */
import { createHash } from "node:crypto"
import { NotReady, QueueEmpty } from "../core/node-core.ts"
import type {
    Consumption,
    GeneratorSeed,
    NodeCore,
    NodeStatus,
    QueueSettings,
    RawBytes,
    SourceStatus,
} from "../core/node-core.ts"

export class TwinCore implements NodeCore {
    /** Why it gives nothing; empty where it does. */
    unready: readonly string[] = []
    /** Whether one of its two chips is gone, and the other one is enough. */
    degraded = false
    /** How many bytes wait in its queue. */
    waiting = 1 << 20
    seeds = 0
    #handedOut = 0
    #queue: QueueSettings = { capacity: 1 << 20, chunk: 64 }
    #consumption: Consumption = "once"

    /** Of the raw stream, from its byte `from` on. */
    static rawBytes(from: number, length: number): Uint8Array {
        const first = Math.floor(from / 32)
        const blocks = Array.from({ length: Math.ceil((from + length) / 32) - first }, (_, at) =>
            digest(`raw ${first + at}`),
        )
        return new Uint8Array(Buffer.concat(blocks)).slice(from % 32, (from % 32) + length)
    }

    /** The seed that is given as the nth, from 1 on. */
    static seedBytes(n: number): Uint8Array {
        return new Uint8Array(Buffer.concat([digest(`seed ${n}`), digest(`more ${n}`)]))
    }

    status(): Promise<NodeStatus> {
        return Promise.resolve({
            ...{ time: 1_800_000_000_000, startedAt: 1_700_000_000_000, identity: "ab".repeat(32) },
            ...{ simulated: true, unready: this.unready, minimumHealthySources: 1 },
            sources: [
                this.#source("chip-a", true),
                this.#source("chip-b", this.unready.length === 0 && !this.degraded),
            ],
            pool: { drbg: "fortuna", reseeds: this.seeds, lastReseed: 1_799_999_999_000 },
            queue: {
                ...this.#queue,
                ...{ bytes: this.waiting, simulated: this.waiting > 0, handedOut: this.#handedOut },
                consumption: this.#consumption,
            },
            alarms: [{ id: 1, time: 1_799_000_000_000, source: "chip-b", what: "unplugged" }],
        })
    }

    seed(): Promise<GeneratorSeed> {
        if (this.unready.length > 0) return Promise.reject(new NotReady(this.unready))
        this.seeds += 1
        return Promise.resolve({
            ...{ seed: TwinCore.seedBytes(this.seeds), reseeds: this.seeds, lastReseed: 1_799_999_999_000 },
            ...{ sources: this.degraded ? ["chip-a"] : ["chip-a", "chip-b"], simulated: true },
            degraded: this.degraded,
        })
    }

    raw(length: number): Promise<RawBytes> {
        if (this.unready.length > 0) return Promise.reject(new NotReady(this.unready))
        if (length > this.waiting) return Promise.reject(new QueueEmpty(this.waiting))
        const bytes = TwinCore.rawBytes(this.#handedOut, length)
        if (this.#consumption === "once") {
            this.#handedOut += length
            this.waiting -= length
        }
        return Promise.resolve({
            ...{
                bytes,
                sources: ["chip-a"],
                simulated: true,
                degraded: this.degraded,
                consumption: this.#consumption,
            },
        })
    }

    setQueue(settings: Partial<QueueSettings>): Promise<QueueSettings> {
        this.#queue = { ...this.#queue, ...settings }
        return Promise.resolve(this.#queue)
    }

    setConsumption(consumption: Consumption): Promise<Consumption> {
        this.#consumption = consumption
        return Promise.resolve(consumption)
    }

    #source(name: string, healthy: boolean): SourceStatus {
        return {
            ...{ name, kind: "atecc608a", simulated: true, minEntropy: 4, sampleBits: 8 },
            ...(healthy ? { state: "healthy", reason: "" } : { state: "missing", reason: "unplugged" }),
            ...{ facts: { serial: "0123ee", locked: true }, bytes: 4096, samples: 4096, deviceFailures: 0 },
            health: {
                ...{ repetitionFailures: 0, proportionFailures: 0, startupFailures: 0 },
                selfTestFailures: 0,
                ...{ repetitionCutoff: 6, proportionCutoff: 90, longestRepetition: 2, mostFrequent: 9 },
                lastFailure: null,
            },
        }
    }
}

function digest(text: string): Buffer {
    return createHash("sha256").update(text).digest()
}
