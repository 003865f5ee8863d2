/** Counters, gauges and histograms of one registry, all named `tallylight_…`. */
import { Counter, Gauge, Histogram } from "prom-client"
import type { Registry } from "prom-client"

export const seconds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
export const fastSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

/** Sets the value for those labels. */
export type SetValue = (labels: Record<string, string>, value: number) => void

export class Instruments {
    readonly #own: { readonly registers: Registry[] }

    constructor(registry: Registry) {
        this.#own = { registers: [registry] }
    }

    counter<L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L> {
        return new Counter({ ...this.#own, name: `tallylight_${name}`, help, labelNames })
    }

    histogram<L extends string>(
        name: string,
        help: string,
        buckets: number[],
        ...labelNames: L[]
    ): Histogram<L> {
        return new Histogram({ ...this.#own, name: `tallylight_${name}`, help, buckets, labelNames })
    }

    /** That goes up and down as it is told. */
    gauge<L extends string>(name: string, help: string, ...labelNames: L[]): Gauge<L> {
        return new Gauge({ ...this.#own, name: `tallylight_${name}`, help, labelNames })
    }

    /** What has counted up elsewhere, read whenever somebody asks. */
    readCounter(name: string, help: string, labelNames: string[], read: (set: SetValue) => void): void {
        new Counter({
            ...{ ...this.#own, name: `tallylight_${name}`, help, labelNames },
            collect() {
                this.reset()
                read((labels, value) => this.inc(labels, value))
            },
        })
    }

    /** What is so now elsewhere, read whenever somebody asks. */
    readGauge(name: string, help: string, labelNames: string[], read: (set: SetValue) => void): void {
        new Gauge({
            ...{ ...this.#own, name: `tallylight_${name}`, help, labelNames },
            collect() {
                read((labels, value) => this.set(labels, value))
            },
        })
    }
}
