/**
 * What the node's HTTP side asks of the process that has the devices: directly where both are one, through messages
 * where worker processes serve HTTP. Everything that crosses is plain data.
 */
import type { SourceState } from "@tallylight/protocol/round/statement.js"
import type { SourceFacts, SourceKind } from "../sources/source.ts"

export type { SourceState } from "@tallylight/protocol/round/statement.js"

export type SourceStatus = {
    readonly name: string
    readonly kind: SourceKind
    readonly simulated: boolean
    /**
     * `missing`: its device cannot be opened. `starting`: its start-up test is under way. `failed`: a health test
     * failed; it is on its way to a new start-up test.
     */
    readonly state: SourceState
    /** Why it is not healthy; empty where it is. */
    readonly reason: string
    /** Declared bits of min-entropy per sample of `sampleBits` bits. */
    readonly minEntropy: number
    readonly sampleBits: 1 | 8
    readonly facts: SourceFacts
    /** Raw bytes read since the node started. */
    readonly bytes: number
    readonly samples: number
    /** How often its device failed, or could not be opened, since the node started. */
    readonly deviceFailures: number
    /**
     * SP 800-90B §4.4: how often each test failed since the node started (at start-up counted apart); and, since the last
     * start-up test began, the longest row of equal samples, and the largest count of a window's first sample.
     */
    readonly health: {
        readonly repetitionFailures: number
        readonly proportionFailures: number
        readonly startupFailures: number
        /** How often the device said that a test of its own had failed. */
        readonly selfTestFailures: number
        readonly repetitionCutoff: number
        readonly proportionCutoff: number
        readonly longestRepetition: number
        readonly mostFrequent: number
        /** Of a test; milliseconds since 1970, null where none ever failed. */
        readonly lastFailure: number | null
    }
}

export type Alarm = {
    readonly id: number
    readonly time: number
    readonly source: string
    readonly what: string
}

/** How much is kept of the raw stream, and what becomes of bytes that were handed out. */
export type QueueSettings = {
    /** Most raw bytes that wait in the queue. */
    readonly capacity: number
    /** Bytes that are read from the sources at a time while the queue is not full. */
    readonly chunk: number
}

/** `once`: a byte leaves with its first reader. `keep`: bytes stay and are handed out again, and every answer says so. */
export type Consumption = "once" | "keep"

export type NodeStatus = {
    readonly time: number
    readonly startedAt: number
    readonly identity: string
    /** Whether any source that counts is simulated. */
    readonly simulated: boolean
    /** Why the node gives no bytes; empty where it does. */
    readonly unready: readonly string[]
    readonly minimumHealthySources: number
    readonly sources: readonly SourceStatus[]
    readonly pool: {
        readonly drbg: "fortuna"
        readonly reseeds: number
        /** Milliseconds since 1970; null before the first. */
        readonly lastReseed: number | null
    }
    readonly queue: QueueSettings & {
        readonly bytes: number
        /** Whether any of them is of a simulated source, which need not be configured any more. */
        readonly simulated: boolean
        readonly handedOut: number
        readonly consumption: Consumption
    }
    /** The latest ones, newest first. */
    readonly alarms: readonly Alarm[]
}

/** Seed for the generator of whoever serves amplified bytes; never handed out twice. */
export type GeneratorSeed = {
    /** 64 bytes of the pool's output. */
    readonly seed: Uint8Array
    readonly reseeds: number
    readonly lastReseed: number
    readonly sources: readonly string[]
    readonly simulated: boolean
    /** Whether a source that counts was not healthy when they were given, though enough others were. */
    readonly degraded: boolean
}

export type RawBytes = {
    readonly bytes: Uint8Array
    readonly sources: readonly string[]
    readonly simulated: boolean
    /** Whether a source that counts was not healthy when they were given, though enough others were. */
    readonly degraded: boolean
    /** Whether these bytes may be, or were, handed out to others too. */
    readonly consumption: Consumption
}

export interface NodeCore {
    status(): Promise<NodeStatus>
    /** Rejects with {@link NotReady} while the node has too few healthy sources. */
    seed(): Promise<GeneratorSeed>
    /**
     * Exactly `length` raw bytes; rejects with {@link NotReady} or {@link QueueEmpty}, and then none was consumed, unless a
     * source failed meanwhile.
     */
    raw(length: number): Promise<RawBytes>
    setQueue(settings: Partial<QueueSettings>): Promise<QueueSettings>
    setConsumption(consumption: Consumption): Promise<Consumption>
}

/** The node refuses, loudly: too few of its sources are healthy. */
export class NotReady extends Error {
    override readonly name = "NotReady"
    readonly reasons: readonly string[]

    constructor(reasons: readonly string[]) {
        super(reasons.join("; "))
        this.reasons = reasons
    }
}

/** Fewer raw bytes wait than were asked for. */
export class QueueEmpty extends Error {
    override readonly name = "QueueEmpty"
    readonly available: number

    constructor(available: number) {
        super(`only ${available} raw bytes wait; sources fill the queue as fast as they can`)
        this.available = available
    }
}
