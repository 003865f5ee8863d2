/**
 * Whether the pulses that a pulse links to are what it says: there, with those outputs, and the first of their units.
 * Whoever follows a chain knows that from the trail; for a pulse by itself its chain has to be asked.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import type { UnixMs } from "../ports/clock.ts"
import { broken, holds, unchecked } from "./check.ts"
import type { Check } from "./check.ts"
import type { Pulse } from "./pulse.ts"
import { sameUnit } from "./utc.ts"
import type { UtcUnit } from "./utc.ts"

export type LinkedPulse = {
    readonly unit: UtcUnit
    /** As its chain has it; undefined where it has none of that index. */
    readonly found: Pick<Pulse, "pulseIndex" | "timeStamp" | "outputValue"> | undefined
    /** Of the pulse before that one, if there is one and it was found. */
    readonly timeBefore: UnixMs | undefined
}

/** `previous` is the time of the pulse before, whose units count. */
export function checkLinkedPulses(
    pulse: Pulse,
    previous: UnixMs | undefined,
    linked: readonly LinkedPulse[],
): Check {
    const name = "linked-pulses"
    if (pulse.pulseIndex === 1) return holds(name, "the first pulse links to none")
    if (previous === undefined || linked.length === 0) return unchecked(name, "they were not looked up")
    const verdicts = linked.map((one) => checkLinked(pulse, previous, one))
    return (
        verdicts.find(({ verdict }) => verdict === "broken") ??
        verdicts.find(({ verdict }) => verdict === "unchecked") ??
        holds(name)
    )
}

function checkLinked(pulse: Pulse, previous: UnixMs, { unit, found, timeBefore }: LinkedPulse): Check {
    const name = "linked-pulses"
    if (found === undefined) return unchecked(name, `the first pulse of the ${unit} is not there`)
    const { pulseIndex, timeStamp, outputValue } = found
    if (!equalBytes(outputValue, pulse.links[unit]))
        return broken(name, `pulse ${pulseIndex}, to which “${unit}” links, has another output value`)
    if (!sameUnit(unit, timeStamp, previous))
        return broken(name, `pulse ${pulseIndex} is not of the ${unit} of the pulse before`)
    if (pulseIndex === 1) return holds(name)
    if (timeBefore === undefined) return unchecked(name, `the pulse before pulse ${pulseIndex} is not there`)
    return sameUnit(unit, timeBefore, timeStamp)
        ? broken(name, `pulse ${pulseIndex} is not the first of its ${unit}`)
        : holds(name)
}
