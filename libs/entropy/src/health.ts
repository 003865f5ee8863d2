/**
 * The continuous health tests of SP 800-90B §4.4 on raw samples, in the order in which the source made them. Samples of
 * one bit come packed in bytes, the most significant bit first.
 */
import type { Cutoffs, SampleBits } from "./cutoffs.ts"

export type HealthFailure = {
    readonly test: "repetition" | "proportion"
    /** The sample that came too often, and how often it had come when the test failed. */
    readonly value: number
    readonly count: number
    readonly cutoff: number
}

/** Both tests at once. After a failure it is of no use: a source begins again with a new one, and a start-up test. */
export class HealthTests {
    readonly cutoffs: Cutoffs
    readonly #sampleBits: SampleBits
    #samples = 0
    /** §4.4.1: the sample A that was seen last, and how often in a row, B. */
    #last = -1
    #repetitions = 0
    #longestRepetition = 0
    /** §4.4.2: the first sample A of the window, how often it came, B, and samples until the next window begins. */
    #base = -1
    #matches = 0
    #left = 0
    #mostFrequent = 0

    constructor(sampleBits: SampleBits, cutoffs: Cutoffs) {
        this.cutoffs = cutoffs
        this.#sampleBits = sampleBits
    }

    get samples(): number {
        return this.#samples
    }

    /** Of all samples so far. */
    get longestRepetition(): number {
        return this.#longestRepetition
    }

    /** How often the first sample of the running window has come, itself counted. */
    get windowCount(): number {
        return this.#matches
    }

    /** The largest such count of all windows so far, the running one included. */
    get mostFrequent(): number {
        return this.#mostFrequent
    }

    /** Tests whole bytes; stops at the first failure. */
    check(bytes: Uint8Array): HealthFailure | undefined {
        for (const byte of bytes) {
            const failure = this.#sampleBits === 8 ? this.#take(byte) : this.#takeBits(byte)
            if (failure !== undefined) return failure
        }
        return undefined
    }

    #takeBits(byte: number): HealthFailure | undefined {
        for (let shift = 7; shift >= 0; shift -= 1) {
            const failure = this.#take((byte >> shift) & 1)
            if (failure !== undefined) return failure
        }
        return undefined
    }

    #take(sample: number): HealthFailure | undefined {
        this.#samples += 1
        this.#repetitions = sample === this.#last ? this.#repetitions + 1 : 1
        this.#last = sample
        if (this.#repetitions > this.#longestRepetition) this.#longestRepetition = this.#repetitions
        if (this.#left === 0) {
            this.#base = sample
            this.#matches = 0
            this.#left = this.cutoffs.window
        }
        this.#left -= 1
        if (sample === this.#base) {
            this.#matches += 1
            if (this.#matches > this.#mostFrequent) this.#mostFrequent = this.#matches
        }
        const { repetition, proportion } = this.cutoffs
        if (this.#repetitions >= repetition) {
            return { test: "repetition", value: sample, count: this.#repetitions, cutoff: repetition }
        }
        if (this.#matches >= proportion) {
            return { test: "proportion", value: this.#base, count: this.#matches, cutoff: proportion }
        }
        return undefined
    }
}
