/** How a pulse follows the one before, in words. */
import { broken, holds, unchecked } from "./check.ts"
import type { Check, CheckName } from "./check.ts"
import { linkNames } from "./pulse.ts"
import type { LinkName, Pulse, statusBits } from "./pulse.ts"
import { checkSuccessor, hasStatus, nextLinks, opensPrecommitment } from "./trail.ts"
import type { PulseTrail, TrailProblem } from "./trail.ts"
import { formatUtc } from "./utc.ts"

/** `before` is undefined where the pulse before was not seen, or is none. */
export function chainChecks(pulse: Pulse, before: PulseTrail | undefined): readonly Check[] {
    if (before === undefined && pulse.pulseIndex !== 1) {
        const names = ["index", "time", "period", ...linkNames, "precommitment", "status"] as const
        return names.map((name) => unchecked(name, "the pulse before was not seen"))
    }
    const problems = checkSuccessor(before, pulse)
    return [
        indexCheck(pulse, before, problems),
        timeCheck(pulse, before, problems),
        periodCheck(pulse, before, problems),
        ...linkNames.map((name) => linkCheck(name, before, problems)),
        precommitmentCheck(pulse, before, problems),
        statusCheck(pulse, problems),
    ]
}

type Problems = readonly TrailProblem[]

function indexCheck(pulse: Pulse, before: PulseTrail | undefined, problems: Problems): Check {
    if (problems.includes("after-last"))
        return broken("index", "the pulse before said that it was the last of the chain")
    if (before === undefined) return holds("index", "it is the first of its chain")
    return problems.includes("chain-index") || problems.includes("pulse-index")
        ? broken(
              "index",
              `pulse ${pulse.pulseIndex} of chain ${pulse.chainIndex} comes after pulse ${before.pulseIndex} of chain ${before.chainIndex}`,
          )
        : holds("index")
}

function timeCheck(pulse: Pulse, before: PulseTrail | undefined, problems: Problems): Check {
    return before !== undefined && problems.includes("time-order")
        ? broken(
              "time",
              `it is of ${formatUtc(pulse.timeStamp)}, the one before of ${formatUtc(before.timeStamp)}`,
          )
        : holds("time")
}

function periodCheck(pulse: Pulse, before: PulseTrail | undefined, problems: Problems): Check {
    if (before === undefined) return holds("period")
    if (problems.includes("time-order")) return unchecked("period", "it is not later than the one before")
    if (pulse.period === 0) return holds("period", "it comes when it comes: its period is 0")
    const apart = pulse.timeStamp - before.timeStamp
    if (problems.includes("period"))
        return broken(
            "period",
            `they are ${apart} ms apart, the period is ${pulse.period} ms, and no gap is declared`,
        )
    return holds("period", apart === pulse.period ? "" : `it declares a gap, of ${apart} ms`)
}

function linkCheck(name: LinkName, before: PulseTrail | undefined, problems: Problems): Check {
    if (nextLinks(before)[name] === undefined)
        return unchecked(name, `the chain was not seen from the first pulse of that ${name} on`)
    return problems.includes(name) ? broken(name, "it is the output value of another pulse") : holds(name)
}

function precommitmentCheck(pulse: Pulse, before: PulseTrail | undefined, problems: Problems): Check {
    const name: CheckName = "precommitment"
    if (before === undefined) return holds(name, "nothing was committed to before the first pulse")
    if (problems.includes(name)) return broken(name, "it is another value, and the pulse does not say so")
    const opens = opensPrecommitment(before, pulse.localRandomValue)
    if (opens === undefined) return unchecked(name, "the pulse before commits to nothing")
    return opens ? holds(name) : unchecked(name, "the pulse says that its precommitment was lost")
}

const meanings: readonly (readonly [keyof typeof statusBits, string])[] = [
    ["lostPrecommitment", "precommitment lost"],
    ["gap", "gap"],
    ["certificateChanged", "certificate changed"],
    ["lastPulse", "last pulse"],
]

function statusCheck(pulse: Pulse, problems: Problems): Check {
    const { statusCode } = pulse
    const said = meanings.filter(([bit]) => hasStatus(pulse, bit)).map(([, meaning]) => meaning)
    const remark = statusCode === 0 ? "" : `${statusCode}: ${said.join(", ")}`
    return problems.includes("status-code")
        ? broken("status", `it is ${statusCode}, and that is not what happened`)
        : holds("status", remark)
}
