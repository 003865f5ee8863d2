import { toHex, uint32 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { describe, expect, test } from "vitest"
import { realPulse } from "../../../../test/samples/pulses.ts"
import { linkNames, noLinks, noValue, precommitmentOf } from "./pulse.ts"
import type { PulseMessage } from "./pulse.ts"
import { checkSuccessor, extendTrail, isGap, joinTrail, nextLinks, requireLinks } from "./trail.ts"
import type { PulseTrail, TrailProblem } from "./trail.ts"
import { utcUnits } from "./utc.ts"

function some(label: number): Uint8Array {
    return sha512(uint32(label))
}

const start = Date.UTC(2026, 11, 31, 23, 57)
const minute = 60_000

/** Pulse number `index` of a chain that begins three minutes before a new year, after that trail. */
function follow(trail: PulseTrail | undefined, change: Partial<PulseMessage> = {}): PulseMessage {
    const pulseIndex = (trail?.pulseIndex ?? 0) + 1
    return {
        uri: `https://node.example/chain/1/pulse/${pulseIndex}`,
        version: "2.0",
        cipherSuite: 0,
        period: minute,
        certificateId: some(1_000),
        chainIndex: 1,
        pulseIndex,
        timeStamp: trail === undefined ? start : trail.timeStamp + minute,
        localRandomValue: some(pulseIndex),
        external: { sourceId: noValue, statusCode: 0, value: noValue },
        links: requireLinks(trail),
        precommitmentValue: precommitmentOf(some(pulseIndex + 1)),
        statusCode: 0,
        ...change,
    }
}

function output(pulseIndex: number): Uint8Array {
    return some(2_000 + pulseIndex)
}

function trailOf(length: number): PulseTrail {
    let trail: PulseTrail | undefined
    for (let index = 1; index <= length; index++) {
        const message = follow(trail)
        expect(checkSuccessor(trail, message)).toEqual([])
        trail = extendTrail(trail, message, output(index))
    }
    return trail!
}

/** The number of the pulse that each link is of. */
function linked(trail: PulseTrail | undefined): Record<string, number | undefined> {
    const links = nextLinks(trail)
    const numberOf = (value: Uint8Array | undefined): number | undefined =>
        value && Array.from({ length: 200 }, (_, i) => i).find((i) => toHex(output(i)) === toHex(value))
    return Object.fromEntries(linkNames.map((name) => [name, numberOf(links[name])]))
}

describe("links", () => {
    test("of the first pulse are zeros, and of the second all to the first", () => {
        expect(nextLinks(undefined)).toEqual(noLinks)
        expect(linked(trailOf(1))).toEqual({ previous: 1, hour: 1, day: 1, month: 1, year: 1 })
    })

    test("follow the units of the pulse before, not the pulse's own", () => {
        // Pulse 3 is of 23:59; pulse 4, of the new year, still links to the old year's first.
        expect(linked(trailOf(3))).toEqual({ previous: 3, hour: 1, day: 1, month: 1, year: 1 })
        expect(linked(trailOf(4))).toEqual({ previous: 4, hour: 4, day: 4, month: 4, year: 4 })
        expect(linked(trailOf(63))).toEqual({ previous: 63, hour: 4, day: 4, month: 4, year: 4 })
        expect(linked(trailOf(64))).toEqual({ previous: 64, hour: 64, day: 4, month: 4, year: 4 })
    })

    test("of a chain joined on its way are told by the pulse where it was joined, but not after a gap", () => {
        const before = trailOf(3)
        const message = follow(before)
        expect(linked(joinTrail(message, output(4)))).toEqual(linked(extendTrail(before, message, output(4))))
        const within = trailOf(70)
        const later = follow(within)
        expect(linked(joinTrail(later, output(71)))).toEqual(linked(extendTrail(within, later, output(71))))
        const gap = joinTrail({ ...later, statusCode: 2 }, output(71))
        expect(nextLinks(gap)).toMatchObject({ hour: undefined, day: undefined, month: undefined })
        expect(linked(gap).previous).toBe(71)
        expect(() => requireLinks(gap)).toThrow()
        expect(linked(joinTrail({ ...later, period: 0 }, output(71))).year).toBeUndefined()
        expect(linked(joinTrail(follow(undefined), output(1)))).toEqual(linked(trailOf(1)))
    })

    test("of a chain joined within a period of 1970 are unknown: no pulse was before it", () => {
        const later = follow(trailOf(70))
        const joined = (timeStamp: number) => nextLinks(joinTrail({ ...later, timeStamp }, output(71)))
        expect(joined(minute)).toMatchObject({ hour: later.links.hour })
        expect(joined(minute - 1)).toMatchObject({ hour: undefined, year: undefined })
    })

    test("of a chain joined in a gap are known unit by unit, and its signer needs all of them", () => {
        const message = follow(trailOf(70), { statusCode: 2 })
        let trail = joinTrail(message, output(71))
        const known = () => utcUnits.filter((unit) => nextLinks(trail)[unit] !== undefined)
        expect(known()).toEqual([])
        for (const [time, units] of [
            [Date.UTC(2027, 0, 1, 2), ["hour"]],
            [Date.UTC(2027, 0, 2), ["hour", "day"]],
            [Date.UTC(2027, 1, 1), ["hour", "day", "month"]],
        ] as const) {
            trail = extendTrail(trail, { ...message, timeStamp: time }, output(72))
            expect(known()).toEqual(units)
            expect(() => requireLinks(trail)).toThrow()
        }
        trail = extendTrail(trail, { ...message, timeStamp: Date.UTC(2028, 0) }, output(73))
        expect(requireLinks(trail).year).toEqual(output(73))
        for (const unit of utcUnits)
            expect(() => requireLinks({ ...trail, firsts: { ...trail.firsts, [unit]: undefined } })).toThrow()
    })

    test("of real pulses are those", () => {
        const pairs = [
            ["nist-c2-1921299", "nist-c2-1921300"],
            ["nist-c2-1925733", "nist-c2-1925734"],
        ] as const
        for (const [prev, next] of pairs) {
            const before = realPulse(prev)
            const trail = joinTrail(before, before.outputValue)
            expect(nextLinks(trail)).toEqual(realPulse(next).links)
            expect(checkSuccessor(trail, realPulse(next))).toEqual([])
        }
    })
})

describe("a successor", () => {
    const trail = trailOf(70)
    const declared = (statusCode: number, change: Partial<PulseMessage>): PulseMessage =>
        follow(trail, { statusCode, ...change })

    test.each<[string, PulseMessage]>([
        ["as it should be", follow(trail)],
        ["that is the last", declared(8, {})],
        ["after a gap that it declares", declared(2, { timeStamp: trail.timeStamp + 11 * minute })],
        ["with another certificate that it declares", declared(4, { certificateId: some(7) })],
        ["with a lost precommitment that it declares", declared(1, { localRandomValue: some(7) })],
        [
            "with all of it",
            declared(15, {
                timeStamp: trail.timeStamp + minute + 1,
                certificateId: some(7),
                localRandomValue: some(7),
            }),
        ],
        [
            "without a period, a millisecond later",
            follow(trail, { period: 0, timeStamp: trail.timeStamp + 1 }),
        ],
        ["without a period, with a gap of another kind", declared(2, { period: 0 })],
    ])("%s has no problem", (_, message) => expect(checkSuccessor(trail, message)).toEqual([]))

    test.each<[TrailProblem, string, PulseMessage]>([
        ["chain-index", "another chain", follow(trail, { chainIndex: 2 })],
        ["pulse-index", "the same index again", follow(trail, { pulseIndex: 70 })],
        ["pulse-index", "an index left out", follow(trail, { pulseIndex: 72 })],
        ["time-order", "the same time", follow(trail, { timeStamp: trail.timeStamp })],
        ["time-order", "an earlier time", follow(trail, { timeStamp: trail.timeStamp - 1 })],
        [
            "time-order",
            "the same time without a period",
            follow(trail, { period: 0, timeStamp: trail.timeStamp }),
        ],
        ["period", "a millisecond early", follow(trail, { timeStamp: trail.timeStamp + minute - 1 })],
        ["period", "a millisecond late", follow(trail, { timeStamp: trail.timeStamp + minute + 1 })],
        ["period", "another period", follow(trail, { period: 1 })],
        ["precommitment", "another value", follow(trail, { localRandomValue: some(7) })],
        ["status-code", "a precommitment called lost that it opens", declared(1, {})],
        ["status-code", "a gap that is none", declared(2, {})],
        ["status-code", "a change of certificate that is none", declared(4, {})],
        [
            "status-code",
            "a change of certificate that is not declared",
            follow(trail, { certificateId: some(7) }),
        ],
        ["status-code", "a bit that nobody knows", declared(16, {})],
        ...linkNames.map((name): [TrailProblem, string, PulseMessage] => [
            name,
            "another pulse's output",
            follow(trail, { links: { ...follow(trail).links, [name]: some(7) } }),
        ]),
    ])("has the problem %s: %s", (problem, _, message) => {
        expect(checkSuccessor(trail, message)).toEqual([problem])
    })

    test("within a period that calls itself late has two problems", () => {
        const early = declared(2, { timeStamp: trail.timeStamp + minute - 1 })
        expect(checkSuccessor(trail, early)).toEqual(["period", "status-code"])
    })

    test("has no gap in front of it that time tells, where there is no period", () => {
        const gap = (change: Partial<PulseMessage>) => isGap(trail, follow(trail, change))
        expect(gap({})).toBe(false)
        expect(gap({ timeStamp: trail.timeStamp + minute + 1 })).toBe(true)
        expect(gap({ period: 0 })).toBeUndefined()
    })

    test("is not judged by pulses that were not seen", () => {
        const { links } = follow(trail)
        const joined = joinTrail(follow(trailOf(69), { statusCode: 2 }), trail.output)
        const others = { hour: some(7), day: some(7), month: some(7), year: some(7) }
        const next = follow(trail, { links: { ...links, ...others } })
        expect(checkSuccessor(joined, next)).toEqual([])
        expect(checkSuccessor(trail, next)).toEqual([...utcUnits])
        expect(checkSuccessor(joined, { ...next, links: { ...links, previous: some(7) } })).toEqual([
            "previous",
        ])
    })

    test("comes not after a last one", () => {
        expect(checkSuccessor({ ...trail, statusCode: 8 }, follow(trail))).toEqual(["after-last"])
    })

    test("opens nothing where nothing was committed to", () => {
        const free = { ...trail, precommitmentValue: noValue }
        expect(checkSuccessor(free, follow(trail, { localRandomValue: some(7) }))).toEqual([])
        expect(checkSuccessor(free, declared(1, { localRandomValue: some(7) }))).toEqual([])
    })
})

describe("a first pulse", () => {
    const first = follow(undefined)

    test.each([0, 1, 8, 9])("may have status %s", (statusCode) => {
        expect(checkSuccessor(undefined, { ...first, statusCode })).toEqual([])
    })

    test.each([2, 4, 16])("cannot have status %s", (statusCode) => {
        expect(checkSuccessor(undefined, { ...first, statusCode })).toEqual(["status-code"])
    })

    test("is number 1 and links to nothing", () => {
        expect(checkSuccessor(undefined, { ...first, pulseIndex: 2 })).toEqual(["pulse-index"])
        for (const name of ["previous", ...utcUnits] as const)
            expect(checkSuccessor(undefined, { ...first, links: { ...noLinks, [name]: some(7) } })).toEqual([
                name,
            ])
    })
})
