/** The sources, the pool and the raw bytes together, and whether any may be given. */
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { AlarmBook } from "./alarms.ts"
import { systemName, type Core, type CoreOptions, type DrawnBytes, type LocalValue } from "./core.ts"
import { makeLocalValue } from "./local-value.ts"
import { noMeter, type Meter } from "./meter.ts"
import {
    NotReady,
    type Consumption,
    type GeneratorSeed,
    type NodeStatus,
    type QueueSettings,
    type RawBytes,
    type SourceState,
    type SourceStatus,
} from "./node-core.ts"
import type { Pool } from "./pool.ts"
import type { RawFile } from "./raw-file.ts"
import type { RawQueue } from "./raw-queue.ts"
import { whyNotReady } from "./readiness.ts"
import { watchSource } from "./watch-source.ts"
import type { WatchedSource } from "./watched-source.ts"

const seedBytes = 64

/** How long bytes that left may be read in the log of the file that they were in. */
const forgetMs = 1000

/** What lies on the disk. */
export type Parts = {
    readonly file: RawFile
    readonly alarms: AlarmBook
    readonly queue: RawQueue
    readonly pool: Pool
}

export class DeviceCore implements Core {
    readonly #options: CoreOptions
    readonly #meter: Meter
    readonly #parts: Parts
    readonly #counting: readonly WatchedSource[]
    readonly #system: WatchedSource
    readonly #startedAt: UnixMs
    readonly #ending = new AbortController()
    #running: readonly Promise<void>[] = []
    #ready = false
    #stopped: Promise<void> | undefined

    constructor(options: CoreOptions, parts: Parts) {
        this.#options = options
        this.#meter = options.meter ?? noMeter
        this.#parts = parts
        this.#startedAt = options.clock.now()
        const system = { name: systemName, driver: options.system, minEntropy: 8, sampleBits: 8 } as const
        const to = {
            ...{ ...options, ...parts, meter: this.#meter },
            onChanged: (name: string, state: SourceState, reason: string) =>
                this.#sourceChanged(name, state, reason),
        }
        this.#system = watchSource(system, 0, to)
        this.#counting = options.sources.map((source, i) => watchSource(source, i + 1, to))
    }

    start(): void {
        const { signal } = this.#ending
        const onFault = (error: unknown): void => {
            if (!signal.aborted) this.#options.onFault(error)
        }
        // Also where only a reader of raw bytes met it.
        void this.#parts.file.failed.then(onFault)
        const loops = [
            ...this.#all.map((source) => source.run(signal)),
            this.#keepSeedFile(signal),
            this.#keepForgetting(signal),
        ]
        this.#running = loops.map((loop) => loop.catch(onFault))
    }

    stop(): Promise<void> {
        this.#stopped ??= (async () => {
            this.#ending.abort()
            await Promise.all(this.#running)
            // It is for a better next start, and what ended this one must not be hidden behind it.
            await this.#parts.pool
                .writeSeedFile()
                .catch((error: unknown) => this.#options.log.error({ err: error }, "seed file not written"))
            await this.#parts.file.close()
        })()
        return this.#stopped
    }

    status(): Promise<NodeStatus> {
        const { settings, clock, identity } = this.#options
        const { queue, pool, alarms } = this.#parts
        return Promise.resolve({
            time: clock.now(),
            startedAt: this.#startedAt,
            identity,
            simulated: this.#simulated,
            unready: this.#whyNotReady(),
            minimumHealthySources: settings.minimumHealthySources,
            sources: this.#statuses(),
            pool: { drbg: "fortuna", reseeds: pool.reseeds, lastReseed: pool.lastReseed },
            queue: {
                ...queue.settings,
                bytes: queue.bytes,
                simulated: queue.simulated,
                handedOut: queue.handedOut,
                consumption: queue.consumption,
            },
            alarms: alarms.latest,
        })
    }

    async seed(): Promise<GeneratorSeed> {
        await this.#refuseUnlessReady()
        const { pool } = this.#parts
        const seed = pool.read(seedBytes)
        this.#meter.gave("seed", seedBytes)
        return {
            seed,
            reseeds: pool.reseeds,
            // A ready node's sources have reseeded it.
            lastReseed: pool.lastReseed ?? this.#startedAt,
            sources: this.#all.filter(({ healthy }) => healthy).map(({ name }) => name),
            simulated: this.#simulated,
            degraded: this.#degraded,
        }
    }

    async raw(length: number): Promise<RawBytes> {
        await this.#refuseUnlessReady()
        // A source may fail over it; what was taken then is lost.
        const raw = await this.#parts.queue.take(length).finally(() => this.#refuseUnlessReady())
        this.#meter.gave("raw", length)
        return { ...raw, degraded: this.#degraded }
    }

    async localValue(): Promise<LocalValue> {
        await this.#refuseUnlessReady()
        const value = await makeLocalValue({
            counting: this.#counting,
            system: this.#system,
            minimumHealthySources: this.#options.settings.minimumHealthySources,
            clock: this.#options.clock,
            readPool: () => this.#parts.pool.read(seedBytes),
        })
        this.#meter.gave("local-value", value.value.length)
        return { ...value, simulated: this.#simulated }
    }

    async draw(): Promise<DrawnBytes> {
        await this.#refuseUnlessReady()
        const bytes = this.#parts.pool.read(seedBytes)
        this.#meter.gave("draw", seedBytes)
        return {
            bytes,
            time: this.#options.clock.now(),
            sources: this.#statuses(),
            simulated: this.#simulated,
        }
    }

    setQueue(settings: Partial<QueueSettings>): Promise<QueueSettings> {
        return this.#parts.queue.set(settings)
    }

    setConsumption(consumption: Consumption): Promise<Consumption> {
        return this.#parts.queue.setConsumption(consumption)
    }

    get #all(): readonly WatchedSource[] {
        return [...this.#counting, this.#system]
    }

    /** Of any source, since what one gave stays in the pool when it fails. */
    get #simulated(): boolean {
        return this.#counting.some(({ simulated }) => simulated)
    }

    get #degraded(): boolean {
        return this.#counting.some(({ healthy }) => !healthy)
    }

    #statuses(): SourceStatus[] {
        return this.#all.map((source) => source.status())
    }

    #whyNotReady(): string[] {
        return whyNotReady({
            counting: this.#counting.map((source) => source.status()),
            system: this.#system.status(),
            minimumHealthySources: this.#options.settings.minimumHealthySources,
        })
    }

    #refuseUnlessReady(): Promise<void> {
        const reasons = this.#whyNotReady()
        return reasons.length === 0 ? Promise.resolve() : Promise.reject(new NotReady(reasons))
    }

    #sourceChanged(name: string, state: SourceState, reason: string): void {
        const { log } = this.#options
        this.#meter.changed(name, state)
        log.info({ source: name, state, reason }, "source changed")
        const reasons = this.#whyNotReady()
        const isReady = reasons.length === 0
        if (isReady === this.#ready) return
        this.#ready = isReady
        this.#meter.ready(isReady)
        if (isReady) log.info("ready")
        else log.error({ reasons }, "not ready: no bytes are given")
    }

    async #keepForgetting(signal: AbortSignal): Promise<void> {
        for (;;) {
            await this.#options.clock.sleep(forgetMs, signal)
            await this.#parts.queue.forget()
        }
    }

    async #keepSeedFile(signal: AbortSignal): Promise<void> {
        for (;;) {
            await this.#options.clock.sleep(this.#options.settings.seedFile.rewriteMs, signal)
            await this.#parts.pool.writeSeedFile()
        }
    }
}
