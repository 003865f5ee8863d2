/** The end of a chain of pulses as its file has it: what the next one must follow, and which ones it links to. */
import type { LinkName } from "@tallylight/protocol/pulse/pulse.js"
import { joinTrail } from "@tallylight/protocol/pulse/trail.js"
import type { PulseTrail } from "@tallylight/protocol/pulse/trail.js"

import type { SqlitePulseReader } from "./sqlite-pulse-reader.ts"

export type ChainTip = {
    readonly trail: PulseTrail
    readonly slot: number
    /** Indices of the pulses that the next one links to. */
    readonly linked: Readonly<Record<LinkName, number>>
}

/** undefined where the chain has no pulse yet. */
export async function readTip(published: SqlitePulseReader, chain: number): Promise<ChainTip | undefined> {
    const last = await published.last(chain)
    if (last === undefined) return undefined
    const { pulse, slot } = last
    const hour = await published.firstOf("hour", chain, pulse.timeStamp)
    const day = await published.firstOf("day", chain, pulse.timeStamp)
    const month = await published.firstOf("month", chain, pulse.timeStamp)
    const year = await published.firstOf("year", chain, pulse.timeStamp)
    return {
        trail: {
            ...joinTrail(pulse, pulse.outputValue),
            firsts: {
                hour: hour.outputValue,
                day: day.outputValue,
                month: month.outputValue,
                year: year.outputValue,
            },
        },
        slot,
        linked: {
            previous: pulse.pulseIndex,
            hour: hour.pulseIndex,
            day: day.pulseIndex,
            month: month.pulseIndex,
            year: year.pulseIndex,
        },
    }
}
