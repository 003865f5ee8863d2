import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { healthCutoffs, proportionCutoff, repetitionCutoff, UnusableSettings } from "./cutoffs.ts"

type Row = { readonly W: number; readonly H: string; readonly alpha_exp: number; readonly C: number }
const { rct, apt } = JSON.parse(
    readFileSync(new URL("../../../test/vectors/sp800-90b-health.json", import.meta.url), "utf8"),
) as { readonly rct: readonly Omit<Row, "W">[]; readonly apt: readonly Row[] }

describe("cutoffs are the published ones", () => {
    test.each(rct)("repetition count, H = $H, alpha = 2^-$alpha_exp", ({ H, alpha_exp, C }) => {
        expect(repetitionCutoff(Number(H), alpha_exp)).toBe(C)
    })

    test.each(apt)("adaptive proportion, W = $W, H = $H, alpha = 2^-$alpha_exp", ({ W, H, alpha_exp, C }) => {
        expect(proportionCutoff(W, Number(H), alpha_exp)).toBe(C)
    })

    // The Linux kernel's jitterentropy counts from other starts, and comes to these.
    test.each([
        [512, 1, 30, 325],
        [512, 0.5, 30, 422],
        [512, 1, 60, 355],
        [512, 0.5, 60, 447],
    ])("jitterentropy's, W = %i, H = %d, alpha = 2^-%i", (window, minEntropy, exponent, cutoff) => {
        expect(proportionCutoff(window, minEntropy, exponent)).toBe(cutoff)
    })
})

describe("cutoffs are exact", () => {
    test("where a binary fraction for H would round the repetition cutoff up", () => {
        // As a double, 0.3 is a little less, and 60 / 0.3 a little more than 200.
        expect(repetitionCutoff(0.3, 60)).toBe(201)
    })

    /** P(X > k) in doubles, good to some ten digits. */
    function tail(trials: number, k: number, p: number): number {
        let sum = 0
        for (let i = k + 1; i <= trials; i += 1) {
            let log = i * Math.log(p) + (trials - i) * Math.log1p(-p)
            for (let j = 1; j <= i; j += 1) log += Math.log((trials - i + j) / j)
            sum += Math.exp(log)
        }
        return sum
    }

    test.each([
        [512, 7.938, 30],
        [512, 0.333, 20],
        [1024, 0.999, 40],
        [1024, 0.051, 20],
    ])(
        "alpha lies between what the cutoff's count and one less have, W = %i, H = %d, alpha = 2^-%i",
        (window, h, e) => {
            const cutoff = proportionCutoff(window, h, e)
            expect(tail(window, cutoff - 1, 2 ** -h)).toBeLessThanOrEqual(2 ** -e)
            expect(tail(window, cutoff - 2, 2 ** -h)).toBeGreaterThan(2 ** -e)
        },
    )
})

describe("settings are refused", () => {
    const bytes = { sampleBits: 8, minEntropy: 8, alphaExponent: 30 } as const
    const bits = { sampleBits: 1, minEntropy: 1, alphaExponent: 30 } as const

    test("unless a sample can have so much entropy", () => {
        expect(healthCutoffs(bytes)).toEqual({ repetition: 5, window: 512, proportion: 16 })
        expect(healthCutoffs(bits)).toEqual({ repetition: 31, window: 1024, proportion: 609 })
        for (const settings of [
            { ...bytes, minEntropy: 8.001 },
            { ...bytes, minEntropy: 0 },
            { ...bytes, minEntropy: -1 },
            { ...bytes, minEntropy: NaN },
            { ...bits, minEntropy: 1.001 },
        ]) {
            expect(() => healthCutoffs(settings)).toThrow(UnusableSettings)
        }
    })

    test("where a window of equal samples would not be rare enough to fail", () => {
        // 512 samples of 0.059 bits have 30.2 bits together, and those of 0.058 only 29.7.
        expect(healthCutoffs({ ...bytes, minEntropy: 0.059 }).proportion).toBe(512)
        expect(() => healthCutoffs({ ...bytes, minEntropy: 0.058 })).toThrow("alpha must be larger")
        expect(healthCutoffs({ ...bits, minEntropy: 0.03 }).proportion).toBeLessThanOrEqual(1024)
        expect(() => healthCutoffs({ ...bits, minEntropy: 0.029 })).toThrow("alpha must be larger")
    })

    test("where more decimals are declared than are computed with", () => {
        expect(() => healthCutoffs({ ...bytes, minEntropy: 7.9386 })).toThrow("round it down")
    })
})
