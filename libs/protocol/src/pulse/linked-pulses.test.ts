import { describe, expect, test } from "vitest"
import {
    chainStart,
    localValue,
    makeChain,
    makeSigner,
    period,
} from "../../../../test/samples/pulse-chain.ts"
import { checkLinkedPulses } from "./linked-pulses.ts"
import type { LinkedPulse } from "./linked-pulses.ts"
import type { Pulse } from "./pulse.ts"

/** Of that index. Pulse 18's predecessor is of 01:10, the hour of pulse 15, and of the year of pulse 9. */
const chain = makeChain(await makeSigner(), 18)
const at = (index: number): Pulse => chain[index - 1]!
const pulse = at(18)
const previous = at(17).timeStamp
const hour: LinkedPulse = { unit: "hour", found: at(15), before: at(14) }
const year: LinkedPulse = { unit: "year", found: at(9), before: at(8) }

function verdictOf(linked: readonly LinkedPulse[], time: number | undefined = previous) {
    return checkLinkedPulses(pulse, time, linked).verdict
}

function altered(one: Pulse, change: Partial<Pulse>): Pulse {
    return { ...one, ...change }
}

describe("linked pulses", () => {
    test("are sound where they are the first of their unit", () => {
        expect(verdictOf([hour])).toBe("holds")
        expect(verdictOf([hour, year])).toBe("holds")
    })

    test("have none before them where they are the first of the chain", () => {
        expect(at(1).timeStamp).toBe(chainStart)
        const linked: LinkedPulse = { unit: "hour", found: at(1), before: undefined }
        expect(checkLinkedPulses(at(3), at(2).timeStamp, [linked]).verdict).toBe("holds")
    })

    test.each<[string, Partial<LinkedPulse>, string]>([
        ["another one", { found: at(16) }, "pulse 16, to which “hour” links, has another output value"],
        [
            "one with another time",
            { found: altered(at(15), { timeStamp: at(15).timeStamp + 1 }) },
            "pulse 15, to which “hour” links, has an output value that is the hash of something else",
        ],
        [
            "one that says that it is the first of the chain",
            { found: altered(at(15), { pulseIndex: 1 }), before: undefined },
            "pulse 1, to which “hour” links, has an output value that is the hash of something else",
        ],
        [
            "one with another before it",
            { before: at(13) },
            "the pulse before pulse 15 is not the one to which that links",
        ],
        [
            "one that has itself before it",
            { before: at(15) },
            "the pulse before pulse 15 is not the one to which that links",
        ],
        [
            "one before which the time is another",
            { before: altered(at(14), { timeStamp: at(14).timeStamp - period }) },
            "the pulse before pulse 15 is not the one to which that links",
        ],
        [
            "one before which the precommitment is another",
            { before: altered(at(14), { precommitmentValue: localValue(7) }) },
            "the pulse before pulse 15 is not the one to which that links",
        ],
    ])("are broken: %s", (_, change, reason) => {
        const check = checkLinkedPulses(pulse, previous, [year, { ...hour, ...change }])
        expect(check).toEqual({ name: "linked-pulses", verdict: "broken", reason })
    })

    test("are broken where they are of another hour, or not its first one", () => {
        const ofAnother = checkLinkedPulses(pulse, previous + 6 * period, [hour])
        expect(ofAnother.reason).toBe("pulse 15 is not of the hour of the pulse before")
        const second = altered(pulse, { links: { ...pulse.links, hour: at(16).outputValue } })
        const linked: LinkedPulse = { unit: "hour", found: at(16), before: at(15) }
        const notTheFirst = checkLinkedPulses(second, previous, [linked])
        expect(notTheFirst.reason).toBe("pulse 16 is not the first of its hour")
        for (const { verdict } of [ofAnother, notTheFirst]) expect(verdict).toBe("broken")
    })

    test("are unchecked where they are missing", () => {
        expect(checkLinkedPulses(pulse, undefined, [hour]).verdict).toBe("unchecked")
        expect(verdictOf([])).toBe("unchecked")
        expect(verdictOf([{ ...hour, found: undefined }])).toBe("unchecked")
        expect(verdictOf([{ ...hour, before: undefined }])).toBe("unchecked")
    })
})
