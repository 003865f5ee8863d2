/**
 * One source's life: opened, let in by a start-up test, read at its pace, every raw sample tested; taken out when a test
 * or its device fails, and let in again only by a new start-up test (SP 800-90B §4.3, §4.4).
 */
import type { Cutoffs, SampleBits } from "@tallylight/entropy/cutoffs.js"
import { HealthTests } from "@tallylight/entropy/health.js"
import { backoff, type BackoffLimits } from "@tallylight/node/backoff.js"
import type { Clock, Random, UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Source, SourceDriver } from "../sources/source.ts"
import type { SourceFailure } from "./meter.ts"
import type { SourceState, SourceStatus } from "./node-core.ts"
import { endedByDevice, endedByTest, ofDevice, type SourceEnding } from "./source-ending.ts"

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

type Wanted = {
    readonly bytes: number
    readonly signal: AbortSignal
    readonly resolve: (bytes: Uint8Array) => void
    readonly reject: (error: Error) => void
}

/** A chunk of a slow device ends here: what waits for it must not wait longer. */
const longestChunkMs = 500

/** A device that is given up may take so long to close; then nothing waits for it but its own next opening. */
const longestCloseMs = 5000

const stillClosing: SourceEnding = {
    state: "missing",
    failure: "device",
    reason:
        `its driver has not returned from closing it for ${longestCloseMs / 1000} seconds, and it is opened again ` +
        "only once it has; if it never does, unplug the device, or restart the node",
}

export class WatchedSource {
    readonly name: string
    readonly #options: WatchedSourceOptions
    #state: SourceState = "starting"
    #reason = "it is not open yet"
    #source: Source | undefined
    #closing: { readonly since: number; readonly done: Promise<void> } | undefined
    #tests: HealthTests
    #bytes = 0
    readonly #failures = { startup: 0, repetition: 0, proportion: 0, "self-test": 0, device: 0 }
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

    /** Rejects with the signal's reason, or with an error that is not the device's; the device has then had time to close. */
    async run(signal: AbortSignal): Promise<never> {
        const { clock, random, retry } = this.#options
        try {
            for (let failures = 1; ; failures += 1) {
                const begun = clock.elapsed()
                await this.#session(signal)
                if (clock.elapsed() - begun > retry.maxMs) failures = 1
                await clock.sleep(backoff(failures, retry, random), signal)
            }
        } finally {
            await this.#closed()
        }
    }

    /**
     * So many bytes, read from now on and given to nobody else; rejects where it is not healthy, or fails meanwhile, or
     * with the signal's reason. What was read of bytes that are not wanted any more is used as any others.
     */
    async fresh(bytes: number, signal: AbortSignal): Promise<Uint8Array> {
        signal.throwIfAborted()
        if (!this.healthy) throw this.#notHealthy()
        let giveUp = (): void => undefined
        const read = new Promise<Uint8Array>((resolve, reject) => {
            const wanted = { bytes, signal, resolve, reject }
            this.#wanted.push(wanted)
            giveUp = () => {
                this.#wanted = this.#wanted.filter((other) => other !== wanted)
                reject(signal.reason as Error)
            }
        })
        signal.addEventListener("abort", giveUp, { once: true })
        this.#wake()
        return read.finally(() => signal.removeEventListener("abort", giveUp))
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
                selfTestFailures: this.#failures["self-test"],
                repetitionCutoff: cutoffs.repetition,
                proportionCutoff: cutoffs.proportion,
                longestRepetition: this.#tests.longestRepetition,
                mostFrequent: this.#tests.mostFrequent,
                lastFailure: this.#lastFailure,
            },
        }
    }

    /** From opening the device to the failure that ends it, which is known to everybody before the device is closed. */
    async #session(signal: AbortSignal): Promise<void> {
        if (!(await this.#closed())) return this.#leave(stillClosing)
        let source: Source | undefined
        try {
            source = await ofDevice(this.#options.driver.open(signal))
            this.#source = source
            await this.#serve(source, signal)
        } catch (error) {
            signal.throwIfAborted()
            await this.#leave(endedByDevice(error))
        } finally {
            if (source !== undefined) this.#close(source)
        }
    }

    /** Until a test fails. */
    async #serve(source: Source, signal: AbortSignal): Promise<void> {
        const { sampleBits, cutoffs, startupSamples, use } = this.#options
        this.#enter("starting", "its start-up test is under way")
        this.#tests = new HealthTests(sampleBits, cutoffs)
        const startup = await this.#gather(source, (startupSamples * sampleBits) / 8, () => false, signal)
        const failure = this.#tests.check(startup)
        if (failure !== undefined) return this.#leave(endedByTest("startup", failure))
        use.admit(startup)
        this.#enter("healthy", "")
        while (await this.#step(source, signal));
    }

    /** Whether the source goes on. */
    async #step(source: Source, signal: AbortSignal): Promise<boolean> {
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
        if (failure !== undefined) {
            await this.#leave(endedByTest("use", failure))
            return false
        }
        if (wanted === undefined || wanted.signal.aborted) {
            await use.take(chunk)
            await this.#pause((chunk.length / perSecond) * 1000 - (clock.elapsed() - begun), signal)
        } else {
            this.#wanted.shift()
            wanted.resolve(chunk)
        }
        return true
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

    /** The state, and what follows from it, changes before this first waits. */
    async #leave({ state, failure, reason }: SourceEnding): Promise<void> {
        const { clock, use } = this.#options
        // A device that stays away is one alarm, and not one for each time that it was looked for.
        const known = this.#state === state && state === "missing" && this.#reason === reason
        this.#failures[failure] += 1
        if (failure !== "device") this.#lastFailure = clock.now()
        this.#enter(state, reason)
        for (const { reject } of this.#wanted.splice(0)) reject(this.#notHealthy())
        if (!known) await use.alarm(failure, reason)
    }

    #close(source: Source): void {
        // Nothing that a device says when it is given up matters any more.
        const done = source
            .close()
            .catch(() => undefined)
            .then(() => (this.#closing = undefined))
        this.#closing = { since: this.#options.clock.elapsed(), done }
    }

    /** Whether nothing of the device is open any more, for which it waits no longer than it may take. */
    async #closed(): Promise<boolean> {
        const { clock } = this.#options
        if (this.#closing !== undefined) {
            const { since, done } = this.#closing
            const waiting = new AbortController()
            const late = clock.sleep(since + longestCloseMs - clock.elapsed(), waiting.signal)
            await Promise.race([done, late.catch(() => undefined)])
            waiting.abort()
        }
        return this.#closing === undefined
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
