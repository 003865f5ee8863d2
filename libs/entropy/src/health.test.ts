import { describe, expect, test } from "vitest"
import { healthCutoffs, type SampleBits } from "./cutoffs.ts"
import { HealthTests } from "./health.ts"

/** With one bit of min-entropy a sample, and alpha 2^-20. */
const testsOf = (sampleBits: SampleBits): HealthTests =>
    new HealthTests(sampleBits, healthCutoffs({ sampleBits, minEntropy: 1, alphaExponent: 20 }))

/** Different from byte to byte, and no byte more often than twice in 512. */
const varied = (length: number, from = 0): Uint8Array =>
    Uint8Array.from({ length }, (_, i) => (from + i) & 0xff)
const same = (length: number, value = 7): Uint8Array => new Uint8Array(length).fill(value)

describe("repetition count, with a cutoff of 21", () => {
    test("20 equal samples pass, and 21 fail at the last of them", () => {
        const tests = testsOf(8)
        expect(tests.check(varied(5))).toBeUndefined()
        expect(tests.check(same(20))).toBeUndefined()
        expect(tests.longestRepetition).toBe(20)
        expect(tests.check(same(1))).toEqual({ test: "repetition", value: 7, count: 21, cutoff: 21 })
        expect(tests.samples).toBe(26)
    })

    test("counts across reads, and from the start again after another sample", () => {
        const tests = testsOf(8)
        for (let i = 0; i < 20; i += 1) expect(tests.check(same(1))).toBeUndefined()
        expect(tests.check(Uint8Array.of(8))).toBeUndefined()
        expect(tests.check(same(20))).toBeUndefined()
        expect(tests.check(same(1))?.test).toBe("repetition")
    })

    test("counts the very first sample", () => {
        expect(testsOf(8).check(same(20, 0))).toBeUndefined()
        expect(testsOf(8).check(same(21, 0))?.count).toBe(21)
    })

    test("counts bits across bytes, the most significant first", () => {
        const tests = testsOf(1)
        // Eleven zeros at the end of one, ten at the start of the next: 21.
        expect(tests.check(Uint8Array.of(0b1111_1000, 0b0000_0000))).toBeUndefined()
        expect(tests.longestRepetition).toBe(11)
        expect(tests.check(Uint8Array.of(0b0000_0000, 0b0100_0000))).toBeUndefined()
        expect(tests.longestRepetition).toBe(20)
        const other = testsOf(1)
        expect(other.check(Uint8Array.of(0b1111_1000, 0, 0, 0b0010_0000))?.test).toBe("repetition")
    })
})

describe("adaptive proportion, with a window of 512 and a cutoff of 311", () => {
    /** A window whose first sample comes `count` times in all, never twice in a row but at its start. */
    function window(count: number): Uint8Array {
        const samples = varied(512, 8).map((sample) => (sample === 7 ? 9 : sample))
        for (let i = 0, placed = 0; placed < count; i += 1) {
            // Nineteen in a row at most.
            if (i % 20 === 19) continue
            samples[i] = 7
            placed += 1
        }
        return samples
    }

    test("310 of a window pass, and 311 fail", () => {
        const tests = testsOf(8)
        expect(tests.check(window(310))).toBeUndefined()
        expect(tests.windowCount).toBe(310)
        expect(tests.mostFrequent).toBe(310)
        expect(tests.check(window(311))).toEqual({ test: "proportion", value: 7, count: 311, cutoff: 311 })
    })

    test("each window begins with its own first sample and a count of one", () => {
        const tests = testsOf(8)
        expect(tests.check(window(310))).toBeUndefined()
        expect(tests.check(varied(1))).toBeUndefined()
        expect(tests.windowCount).toBe(1)
        expect(tests.mostFrequent).toBe(310)
        // The first sample of this window is 0, which comes once more; 7 is not, however often it comes.
        expect(tests.check(window(400).subarray(0, 511))).toBeUndefined()
        expect(tests.windowCount).toBe(2)
    })

    test("a window of bits has 1024 samples, and fails at 589", () => {
        // Three ones and a zero, over and over: three quarters are ones, never more than three in a row.
        const tests = testsOf(1)
        expect(tests.check(same(98, 0b1110_1110))).toBeUndefined()
        expect(tests.windowCount).toBe(588)
        expect(tests.check(same(1, 0b1110_1110))).toEqual({
            test: "proportion",
            value: 1,
            count: 589,
            cutoff: 589,
        })
        // Half ones: exactly 512 of a window.
        const fair = testsOf(1)
        expect(fair.check(same(128, 0b1100_1100))).toBeUndefined()
        expect(fair.windowCount).toBe(512)
        expect(fair.check(same(1, 0b0111_1111))).toBeUndefined()
        expect(fair.windowCount).toBe(1)
    })
})
