/**
 * Where the health tests of SP 800-90B §4.4 fail, computed from the declared min-entropy without rounding.
 *
 *   repetition count     C = 1 + ceil(-log2(alpha) / H)
 *   adaptive proportion  C = 1 + critbinom(W, 2^-H, 1 - alpha)
 *
 * critbinom is the smallest k with P(X > k) <= alpha for X binomial of W trials. 2^-H is irrational for most H: it is
 * enclosed between two multiples of 2^-F, and the tail, which grows with the probability, is summed in integers for
 * both. Where both give the same k it is right; where they differ, F is doubled.
 */

export type SampleBits = 1 | 8

export type HealthSettings = {
    /** A binary sample, or a byte. */
    readonly sampleBits: SampleBits
    /** H: declared bits of min-entropy per sample, above 0, at most `sampleBits`, with at most three decimals. */
    readonly minEntropy: number
    /** The probability alpha with which a sound source fails is 2 to the power of minus this. */
    readonly alphaExponent: number
}

export type Cutoffs = {
    /** So many equal samples in a row fail. */
    readonly repetition: number
    /** W: samples of one window. */
    readonly window: number
    /** So many samples of a window that equal its first one, itself counted, fail. */
    readonly proportion: number
}

/** §4.3: the start-up test goes over at least so many consecutive samples. */
export const startupSamples = 1024

/** A window of the proportion test (§4.4.2). */
const windows: Readonly<Record<SampleBits, number>> = { 1: 1024, 8: 512 }

/** A declaration, or an alpha, with which a test could never fail. */
export class UnusableSettings extends Error {
    override readonly name = "UnusableSettings"
}

/** Throws {@link UnusableSettings}. */
export function healthCutoffs({ sampleBits, minEntropy, alphaExponent }: HealthSettings): Cutoffs {
    if (!(minEntropy > 0 && minEntropy <= sampleBits)) {
        throw new UnusableSettings(
            `a sample of ${sampleBits} bits has a min-entropy above 0 and of at most ${sampleBits} bits, not ${minEntropy}`,
        )
    }
    const window = windows[sampleBits]
    const repetition = repetitionCutoff(minEntropy, alphaExponent)
    const proportion = proportionCutoff(window, minEntropy, alphaExponent)
    // Where alpha is smaller than the chance that all samples of a window are equal, nothing that occurs is rare enough.
    if (proportion > window || repetition > startupSamples) {
        throw new UnusableSettings(
            `with ${minEntropy} bits of min-entropy per sample and alpha of 2^-${alphaExponent} the health tests could ` +
                `never fail: a window has only ${window} samples; alpha must be larger`,
        )
    }
    return { repetition, window, proportion }
}

/** C of the repetition count test (§4.4.1). */
export function repetitionCutoff(minEntropy: number, alphaExponent: number): number {
    const thousandths = inThousandths(minEntropy)
    return 1 + Math.ceil((alphaExponent * 1000) / thousandths)
}

/** C of the adaptive proportion test (§4.4.2); W + 1 where no count of a window is rare enough. */
export function proportionCutoff(window: number, minEntropy: number, alphaExponent: number): number {
    for (let fraction = 128; ; fraction *= 2) {
        const { low, high } = encloseProbability(minEntropy, fraction)
        const cutoff = 1 + criticalValue(window, low, fraction, alphaExponent)
        if (low === high || cutoff === 1 + criticalValue(window, high, fraction, alphaExponent)) return cutoff
    }
}

/** What a person declares is a decimal fraction; the double nearest to it is not. */
function inThousandths(minEntropy: number): number {
    const thousandths = Math.round(minEntropy * 1000)
    if (thousandths / 1000 !== minEntropy) {
        throw new UnusableSettings(
            `a min-entropy of ${minEntropy} has more than three decimals; round it down`,
        )
    }
    return thousandths
}

/** 2^-H times 2^fraction, rounded down and up. */
function encloseProbability(minEntropy: number, fraction: number): { low: bigint; high: bigint } {
    const thousandths = inThousandths(minEntropy)
    const common = greatestCommonDivisor(thousandths, 1000)
    const numerator = BigInt(thousandths / common)
    const degree = BigInt(1000 / common)
    const power = 1n << (BigInt(fraction) * degree - numerator)
    const estimate = BigInt(Math.round(2 ** (52 - minEntropy))) << BigInt(fraction - 52)
    const low = integerRoot(power, degree, estimate)
    return { low, high: low ** degree === power ? low : low + 1n }
}

/** The largest integer whose power is at most that: Newton's steps from a close estimate, then proved. */
function integerRoot(power: bigint, degree: bigint, estimate: bigint): bigint {
    let root = estimate
    for (let moved = 2n; moved < -1n || moved > 1n;) {
        const next = ((degree - 1n) * root + power / root ** (degree - 1n)) / degree
        moved = next - root
        root = next
    }
    while (root ** degree > power) root -= 1n
    while ((root + 1n) ** degree <= power) root += 1n
    return root
}

/** The smallest k with P(X > k) <= 2^-alphaExponent, for a probability of p / 2^fraction. */
function criticalValue(trials: number, p: bigint, fraction: number, alphaExponent: number): number {
    const bits = BigInt(fraction)
    const q = (1n << bits) - p
    const most = 1n << (bits * BigInt(trials) - BigInt(alphaExponent))
    // C(trials, k) p^k q^(trials - k), from k = trials downwards: each follows from the one above, without remainder.
    let term = p ** BigInt(trials)
    let tail = term
    for (let k = trials; k > 0; k -= 1) {
        if (tail > most) return k
        term = (term * BigInt(k) * q) / (BigInt(trials - k + 1) * p)
        tail += term
    }
    return 0
}

function greatestCommonDivisor(a: number, b: number): number {
    return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
