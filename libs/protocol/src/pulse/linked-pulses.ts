/**
 * Whether the pulses that a pulse links to are what it says: there, with those outputs, and the first of their units.
 * Whoever follows a chain knows that from the trail; for a pulse by itself its chain has to be asked. What is then found
 * counts only as far as hashes bind it to the pulse: whoever is asked may have altered it.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import type { UnixMs } from "../ports/clock.ts"
import { broken, holds, unchecked } from "./check.ts"
import type { Check } from "./check.ts"
import type { Pulse } from "./pulse.ts"
import { hasOwnOutput } from "./signer-checks.ts"
import { sameUnit } from "./utc.ts"
import type { UtcUnit } from "./utc.ts"

export type LinkedPulse = {
    readonly unit: UtcUnit
    /** As its chain has it; undefined where it has none of that index. */
    readonly found: Pulse | undefined
    /** The pulse before that one, if there is one and it was found. */
    readonly before: Pulse | undefined
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

function checkLinked(pulse: Pulse, previous: UnixMs, { unit, found, before }: LinkedPulse): Check {
    const name = "linked-pulses"
    if (found === undefined) return unchecked(name, `the first pulse of the ${unit} is not there`)
    const { pulseIndex, timeStamp } = found
    if (!equalBytes(found.outputValue, pulse.links[unit]))
        return broken(name, `pulse ${pulseIndex}, to which “${unit}” links, has another output value`)
    if (!hasOwnOutput(found))
        return broken(
            name,
            `pulse ${pulseIndex}, to which “${unit}” links, has an output value that is the hash of something else`,
        )
    if (!sameUnit(unit, timeStamp, previous))
        return broken(name, `pulse ${pulseIndex} is not of the ${unit} of the pulse before`)
    if (pulseIndex === 1) return holds(name)
    if (before === undefined) return unchecked(name, `the pulse before pulse ${pulseIndex} is not there`)
    if (!equalBytes(before.outputValue, found.links.previous) || !hasOwnOutput(before))
        return broken(name, `the pulse before pulse ${pulseIndex} is not the one to which that links`)
    return sameUnit(unit, before.timeStamp, timeStamp)
        ? broken(name, `pulse ${pulseIndex} is not the first of its ${unit}`)
        : holds(name)
}
