/** The end of a chain of pulses as its file has it: what the next one must follow, and where what it links to is. */
import type { Pulse } from "@tallylight/protocol/pulse/pulse.js"
import { joinTrail } from "@tallylight/protocol/pulse/trail.js"
import type { PulseTrail } from "@tallylight/protocol/pulse/trail.js"

import type { SqlitePulseReader } from "./sqlite-pulse-reader.ts"

export type ChainTip = {
    readonly trail: PulseTrail
    readonly slot: number
    /** Of the next pulse. */
    readonly linkUris: Pulse["linkUris"]
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
    const firsts = {
        hour: hour.outputValue,
        day: day.outputValue,
        month: month.outputValue,
        year: year.outputValue,
    }
    return {
        trail: { ...joinTrail(pulse, pulse.outputValue), firsts },
        slot,
        linkUris: { previous: pulse.uri, hour: hour.uri, day: day.uri, month: month.uri, year: year.uri },
    }
}
