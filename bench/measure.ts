/** How often something can be done in a second, measured next to what it is compared with. */

export type Work = { readonly what: string; readonly run: () => unknown }

export type Row = { readonly what: string; readonly unit: string; readonly values: readonly number[] }

/**
 * Each repetition does every work for `ms` milliseconds, one after the other, so that a machine that slows down
 * slows all of them down; one repetition before the first is for the compiler, and not counted.
 */
export function rates(works: readonly Work[], repetitions: number, ms: number): Row[] {
    const values = works.map((): number[] => [])
    for (let repetition = -1; repetition < repetitions; repetition++) {
        works.forEach(({ run }, at) => {
            const rate = rateOf(run, ms)
            if (repetition >= 0) values[at]?.push(rate)
        })
    }
    return works.map(({ what }, at) => ({ what, unit: "/s", values: values[at] ?? [] }))
}

function rateOf(run: () => unknown, ms: number): number {
    const start = performance.now()
    let times = 0
    let passed = 0
    while (passed < ms) {
        run()
        times += 1
        passed = performance.now() - start
    }
    return (times * 1000) / passed
}

/** How many of `count` things a second `work` gets done. */
export async function rateOfAll(count: number, work: () => Promise<void>): Promise<number> {
    const start = performance.now()
    await work()
    return (count * 1000) / (performance.now() - start)
}

/** Repetition by repetition, so that what disturbed both at once disturbs the ratio least. */
export function ratio(what: string, over: Row | undefined, under: Row | undefined): Row {
    const values = (over?.values ?? []).map((value, at) => value / (under?.values[at] ?? NaN))
    return { what, unit: "times", values }
}

/** Goes round and round through the items. */
export function each<T>(items: readonly T[]): () => T {
    let at = 0
    return () => {
        const item = items[at++ % items.length]
        if (item === undefined) throw new RangeError("nothing to go through")
        return item
    }
}

export type Summary = {
    readonly median: number
    readonly min: number
    readonly max: number
    /** Only of ten values or more. */
    readonly p90: number | undefined
}

export function summarise(values: readonly number[]): Summary {
    const sorted = values.toSorted((a, b) => a - b)
    return {
        median: quantile(sorted, 0.5),
        min: sorted[0] ?? NaN,
        max: sorted.at(-1) ?? NaN,
        p90: sorted.length < 10 ? undefined : quantile(sorted, 0.9),
    }
}

function quantile(sorted: readonly number[], q: number): number {
    const place = (sorted.length - 1) * q
    const below = sorted[Math.floor(place)] ?? NaN
    const above = sorted[Math.ceil(place)] ?? NaN
    return below + (above - below) * (place - Math.floor(place))
}
