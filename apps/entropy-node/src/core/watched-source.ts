/**
 * One source's life: opened, let in by a start-up test, read at its pace, every raw sample tested; taken out when a test
 * or its device fails, and let in again only by a new start-up test (SP 800-90B §4.3, §4.4).
 */
import type { Cutoffs, SampleBits } from "@tallylight/entropy/cutoffs.js"
import { HealthTests, type HealthFailure } from "@tallylight/entropy/health.js"
import { backoff, type BackoffLimits } from "@tallylight/node/backoff.js"
import type { Clock, Random, UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Source, SourceDriver } from "../sources/source.ts"
import type { SourceFailure } from "./meter.ts"
import type { SourceState, SourceStatus } from "./node-core.ts"

export type WatchedSourceOptions = {
    readonly name: string
    readonly driver: SourceDriver
    readonly sampleBits: SampleBits
    readonly minEntropy: number
    readonly cutoffs: Cutoffs
    readonly startupSamples: number
    readonly retry: BackoffLimits
    readonly clock: Clock
    readonly random: Random
    readonly use: SourceUse
}

/** What becomes of a source's bytes. */
export type SourceUse = {
    /** The samples of a start-up test that was passed. */
    readonly admit: (samples: Uint8Array) => void
    /** How many bytes to read next, and how many there may be in a second. */
    readonly demand: () => { readonly bytes: number; readonly perSecond: number }
    /** Bytes that passed; the next are read when it resolves. */
    readonly take: (bytes: Uint8Array) => Promise<void>
    /** Called for every raw byte, before it is tested. */
    readonly count: (bytes: number) => void
    readonly changed: (state: SourceState, reason: string) => void
    readonly alarm: (failure: SourceFailure, what: string) => Promise<void>
}

type Ending = {
    readonly state: "missing" | "failed"
    readonly failure: SourceFailure
    readonly reason: string
}

type Wanted = {
    readonly bytes: number
    readonly signal: AbortSignal
    readonly resolve: (bytes: Uint8Array) => void
    readonly reject: (error: Error) => void
}

/** A chunk of a slow device ends here: what waits for it must not wait longer. */
const longestChunkMs = 500

export class WatchedSource {
    readonly name: string
    readonly #options: WatchedSourceOptions
    #state: SourceState = "starting"
    #reason = "it is not open yet"
    #source: Source | undefined
    #tests: HealthTests
    #bytes = 0
    readonly #failures = { startup: 0, repetition: 0, proportion: 0, device: 0 }
    #lastFailure: UnixMs | null = null
    #wanted: Wanted[] = []
    #wake: () => void = () => undefined

    constructor(options: WatchedSourceOptions) {
        this.name = options.name
        this.#options = options
        this.#tests = new HealthTests(options.sampleBits, options.cutoffs)
    }

    get healthy(): boolean {
        return this.#state === "healthy"
    }

    get simulated(): boolean {
        return this.#options.driver.simulated
    }

    /** Rejects with the signal's reason, or with an error that is not the device's. */
    async run(signal: AbortSignal): Promise<never> {
        const { clock, random, retry } = this.#options
        for (let failures = 1; ; failures += 1) {
            const begun = clock.elapsed()
            const ending = await this.#session(signal)
            await this.#leave(ending)
            if (clock.elapsed() - begun > retry.maxMs) failures = 1
            await clock.sleep(backoff(failures, retry, random), signal)
        }
    }

    /**
     * So many bytes, read from now on and given to nobody else; rejects where it is not healthy, or fails meanwhile, or
     * with the signal's reason. What was read of bytes that are not wanted any more is used as any others.
     */
    async fresh(bytes: number, signal: AbortSignal): Promise<Uint8Array> {
        signal.throwIfAborted()
        if (!this.healthy) throw this.#notHealthy()
        const read = new Promise<Uint8Array>((resolve, reject) => {
            const wanted = { bytes, signal, resolve, reject }
            this.#wanted.push(wanted)
            const giveUp = (): void => {
                this.#wanted = this.#wanted.filter((other) => other !== wanted)
                reject(signal.reason as Error)
            }
            signal.addEventListener("abort", giveUp, { once: true })
        })
        this.#wake()
        return read
    }

    status(): SourceStatus {
        const { name, driver, minEntropy, sampleBits, cutoffs } = this.#options
        return {
            name,
            kind: driver.kind,
            simulated: driver.simulated,
            state: this.#state,
            reason: this.#reason,
            minEntropy,
            sampleBits,
            facts: this.#source?.facts ?? {},
            bytes: this.#bytes,
            samples: (this.#bytes * 8) / sampleBits,
            deviceFailures: this.#failures.device,
            health: {
                repetitionFailures: this.#failures.repetition,
                proportionFailures: this.#failures.proportion,
                startupFailures: this.#failures.startup,
                repetitionCutoff: cutoffs.repetition,
                proportionCutoff: cutoffs.proportion,
                longestRepetition: this.#tests.longestRepetition,
                mostFrequent: this.#tests.mostFrequent,
                lastFailure: this.#lastFailure,
            },
        }
    }

    /** From opening the device to the failure that ends it. */
    async #session(signal: AbortSignal): Promise<Ending> {
        let source: Source | undefined
        try {
            source = await ofDevice(this.#options.driver.open(signal))
            this.#source = source
            return await this.#serve(source, signal)
        } catch (error) {
            signal.throwIfAborted()
            if (!(error instanceof DeviceError)) throw error
            return { state: "missing", failure: "device", reason: error.message }
        } finally {
            // Nothing that a device says when it is given up matters any more.
            await source?.close().catch(() => undefined)
        }
    }

    async #serve(source: Source, signal: AbortSignal): Promise<Ending> {
        const { sampleBits, cutoffs, startupSamples, use } = this.#options
        this.#enter("starting", "its start-up test is under way")
        this.#tests = new HealthTests(sampleBits, cutoffs)
        const startup = await this.#gather(source, (startupSamples * sampleBits) / 8, () => false, signal)
        const failure = this.#tests.check(startup)
        if (failure !== undefined) return ended("startup", failure)
        use.admit(startup)
        this.#enter("healthy", "")
        for (;;) {
            const failed = await this.#step(source, signal)
            if (failed !== undefined) return ended(failed.test, failed)
        }
    }

    async #step(source: Source, signal: AbortSignal): Promise<HealthFailure | undefined> {
        const { clock, use } = this.#options
        const begun = clock.elapsed()
        const [wanted] = this.#wanted
        const { bytes, perSecond } = use.demand()
        const chunk =
            wanted === undefined
                ? await this.#gather(source, bytes, () => clock.elapsed() - begun >= longestChunkMs, signal)
                : await this.#gather(source, wanted.bytes, () => wanted.signal.aborted, signal)
        const failure = this.#tests.check(chunk)
        // Nothing of a chunk that fails is used, not even what came before the sample with which it failed.
        if (failure !== undefined) return failure
        if (wanted === undefined || wanted.signal.aborted) {
            await use.take(chunk)
            await this.#pause((chunk.length / perSecond) * 1000 - (clock.elapsed() - begun), signal)
        } else {
            this.#wanted.shift()
            wanted.resolve(chunk)
        }
        return undefined
    }

    /** So many bytes, or those that came until that was enough, and at least one. */
    async #gather(
        source: Source,
        length: number,
        isEnough: () => boolean,
        signal: AbortSignal,
    ): Promise<Uint8Array> {
        const { use } = this.#options
        const bytes = new Uint8Array(length)
        let at = 0
        do {
            const part = await ofDevice(source.read(length - at, signal))
            signal.throwIfAborted()
            this.#bytes += part.length
            use.count(part.length)
            bytes.set(part, at)
            at += part.length
        } while (at < length && !isEnough())
        return bytes.subarray(0, at)
    }

    /** Ends early where somebody wants fresh bytes. */
    async #pause(ms: number, signal: AbortSignal): Promise<void> {
        signal.throwIfAborted()
        if (ms <= 0 || this.#wanted.length > 0) return
        const pause = new AbortController()
        const end = (): void => pause.abort()
        this.#wake = end
        signal.addEventListener("abort", end, { once: true })
        await this.#options.clock.sleep(ms, pause.signal).catch(() => undefined)
        signal.removeEventListener("abort", end)
        signal.throwIfAborted()
    }

    async #leave({ state, failure, reason }: Ending): Promise<void> {
        const { clock, use } = this.#options
        // A device that stays away is one alarm, and not one for each time that it was looked for.
        const known = this.#state === state && state === "missing" && this.#reason === reason
        this.#failures[failure] += 1
        if (failure !== "device") this.#lastFailure = clock.now()
        this.#enter(state, reason)
        for (const { reject } of this.#wanted.splice(0)) reject(this.#notHealthy())
        if (!known) await use.alarm(failure, reason)
    }

    #enter(state: SourceState, reason: string): void {
        this.#state = state
        this.#reason = reason
        this.#options.use.changed(state, reason)
    }

    #notHealthy(): Error {
        return new Error(`${this.name} is ${this.#state}: ${this.#reason}`)
    }
}

/** What a driver rejected with, apart from our own failures. */
class DeviceError extends Error {
    override readonly name = "DeviceError"
}

async function ofDevice<T>(call: Promise<T>): Promise<T> {
    try {
        return await call
    } catch (error) {
        throw new DeviceError(error instanceof Error ? error.message : String(error), { cause: error })
    }
}

function ended(failure: SourceFailure, { test, value, count, cutoff }: HealthFailure): Ending {
    const what = {
        repetition: `${count} samples in a row were ${value}, and ${cutoff} are too many`,
        proportion: `${count} samples of a window were ${value}, and ${cutoff} are too many`,
    }[test]
    const which = { repetition: "the repetition count test", proportion: "the adaptive proportion test" }[
        test
    ]
    const during = failure === "startup" ? "at start-up, " : ""
    return { state: "failed", failure, reason: `${during}${which} failed: ${what}` }
}
