/**
 * What a chain of pulses leaves behind for the next one: enough to say how that must follow, and no more. A node makes
 * its pulses from it, the ledger and the observer check them against it.
 *
 * `hour`, `day`, `month` and `year` link to the first pulse of that UTC unit of the *previous* pulse: one of 21:08
 * after one of 20:57 still links to that of 20:00.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import type { UnixMs } from "../ports/clock.ts"
import { linkNames, noLinks, noValue, precommitmentOf, statusBits } from "./pulse.ts"
import type { LinkName, PulseLinks, PulseMessage } from "./pulse.ts"
import { sameUnit } from "./utc.ts"
import type { UtcUnit } from "./utc.ts"

export type PulseTrail = {
    readonly chainIndex: number
    readonly pulseIndex: number
    readonly timeStamp: UnixMs
    readonly period: number
    readonly certificateId: Uint8Array
    readonly statusCode: number
    readonly precommitmentValue: Uint8Array
    readonly output: Uint8Array
    /** Outputs of the first pulses of the last one's units; undefined where the chain was joined on its way. */
    readonly firsts: Readonly<Record<UtcUnit, Uint8Array | undefined>>
}

export type TrailProblem =
    | "chain-index"
    | "pulse-index"
    | "time-order"
    /** It comes within a period of the one before, or later than that without saying that there is a gap. */
    | "period"
    | "after-last"
    | LinkName
    /** It opens nothing, and does not say that it does not. */
    | "precommitment"
    /** A status bit is set or missing that the pulse before says otherwise about, or it is unknown. */
    | "status-code"

/** The trail after a pulse with that output; `before` is undefined where it is the first of its chain. */
export function extendTrail(
    before: PulseTrail | undefined,
    message: PulseMessage,
    output: Uint8Array,
): PulseTrail {
    const first = (unit: UtcUnit): Uint8Array | undefined =>
        before !== undefined && sameUnit(unit, before.timeStamp, message.timeStamp)
            ? before.firsts[unit]
            : output
    return trailAt(message, output, firstsBy(first))
}

/**
 * The trail after a pulse of whose chain the earlier ones were not seen. What it says of the pulse before it, whose
 * time a period without a gap tells, is taken for true.
 */
export function joinTrail(message: PulseMessage, output: Uint8Array): PulseTrail {
    const { pulseIndex, period, timeStamp, links } = message
    const timeBefore = period > 0 && !hasStatus(message, "gap") ? timeStamp - period : undefined
    const first = (unit: UtcUnit): Uint8Array | undefined => {
        if (pulseIndex === 1) return output
        if (timeBefore === undefined || timeBefore < 0) return undefined
        return sameUnit(unit, timeBefore, timeStamp) ? links[unit] : output
    }
    return trailAt(message, output, firstsBy(first))
}

function firstsBy(first: (unit: UtcUnit) => Uint8Array | undefined): PulseTrail["firsts"] {
    return { hour: first("hour"), day: first("day"), month: first("month"), year: first("year") }
}

function trailAt(message: PulseMessage, output: Uint8Array, firsts: PulseTrail["firsts"]): PulseTrail {
    const { chainIndex, pulseIndex, timeStamp, period, certificateId, statusCode, precommitmentValue } =
        message
    return {
        ...{ chainIndex, pulseIndex, timeStamp, period, certificateId, statusCode },
        ...{ precommitmentValue, output, firsts },
    }
}

/** The links that the next pulse must carry; undefined where too little of the chain was seen. */
export function nextLinks(trail: PulseTrail | undefined): Readonly<Record<LinkName, Uint8Array | undefined>> {
    return trail === undefined ? noLinks : { previous: trail.output, ...trail.firsts }
}

/** The same for who has seen the chain from its first pulse on, and so for its signer. */
export function requireLinks(trail: PulseTrail | undefined): PulseLinks {
    const { previous, hour, day, month, year } = nextLinks(trail)
    if (!previous || !hour || !day || !month || !year)
        throw new Error("these pulses were not followed from the first of their year")
    return { previous, hour, day, month, year }
}

/** undefined where the pulse before commits to nothing. */
export function opensPrecommitment(trail: PulseTrail, localRandomValue: Uint8Array): boolean | undefined {
    if (equalBytes(trail.precommitmentValue, noValue)) return undefined
    return equalBytes(trail.precommitmentValue, precommitmentOf(localRandomValue))
}

/** Between pulses of a period there is one period; without one (0), time says nothing about what is missing. */
export function isGap(trail: PulseTrail, { timeStamp, period }: PulseMessage): boolean | undefined {
    return period === 0 ? undefined : timeStamp - trail.timeStamp > period
}

/** How `message` fails to follow; none where it does. `trail` is undefined before a chain's first pulse. */
export function checkSuccessor(
    trail: PulseTrail | undefined,
    message: PulseMessage,
): readonly TrailProblem[] {
    const links = nextLinks(trail)
    const wrongLinks = linkNames.filter((name) => {
        const expected = links[name]
        return expected !== undefined && !equalBytes(message.links[name], expected)
    })
    if (trail === undefined) {
        // A chain's first pulse opens nothing, and the schema's text marks it by that very bit.
        const known = statusBits.lostPrecommitment | statusBits.lastPulse
        return [
            ...(message.pulseIndex === 1 ? [] : (["pulse-index"] as const)),
            ...wrongLinks,
            ...((message.statusCode & ~known) === 0 ? [] : (["status-code"] as const)),
        ]
    }
    const lost = hasStatus(message, "lostPrecommitment")
    const elapsed = message.timeStamp - trail.timeStamp
    const periodFits = elapsed === message.period || (elapsed > message.period && hasStatus(message, "gap"))
    const problems: readonly (readonly [TrailProblem, boolean])[] = [
        ["chain-index", message.chainIndex !== trail.chainIndex],
        ["pulse-index", message.pulseIndex !== trail.pulseIndex + 1],
        ["time-order", elapsed <= 0],
        ["period", elapsed > 0 && message.period > 0 && !periodFits],
        ["after-last", hasStatus(trail, "lastPulse")],
        ["precommitment", !lost && opensPrecommitment(trail, message.localRandomValue) === false],
        ["status-code", !statusFollows(trail, message)],
    ]
    return [...problems.filter(([, found]) => found).map(([problem]) => problem), ...wrongLinks]
}

export function hasStatus({ statusCode }: { statusCode: number }, bit: keyof typeof statusBits): boolean {
    return (statusCode & statusBits[bit]) !== 0
}

function statusFollows(trail: PulseTrail, message: PulseMessage): boolean {
    const changed = !equalBytes(message.certificateId, trail.certificateId)
    const gap = isGap(trail, message)
    return (
        message.statusCode <= 15 &&
        hasStatus(message, "certificateChanged") === changed &&
        // The other halves, a gap and a lost precommitment that are not declared, have names of their own.
        !(hasStatus(message, "gap") && gap === false) &&
        !(
            hasStatus(message, "lostPrecommitment") &&
            opensPrecommitment(trail, message.localRandomValue) === true
        )
    )
}
