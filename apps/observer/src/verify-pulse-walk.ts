/** Pulses one after the other, each verified with what came before it. */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import type { Check } from "@tallylight/protocol/pulse/check.js"
import { broken } from "@tallylight/protocol/pulse/check.js"
import type { ParsedPulse } from "@tallylight/protocol/pulse/json.js"
import type { LinkedPulse } from "@tallylight/protocol/pulse/linked-pulses.js"
import { noValue } from "@tallylight/protocol/pulse/pulse.js"
import type { Pulse } from "@tallylight/protocol/pulse/pulse.js"
import { hasOwnOutput } from "@tallylight/protocol/pulse/signer-checks.js"
import { extendTrail, joinTrail } from "@tallylight/protocol/pulse/trail.js"
import type { PulseTrail } from "@tallylight/protocol/pulse/trail.js"
import { linkIndex } from "@tallylight/protocol/pulse/uri-check.js"
import { utcUnits } from "@tallylight/protocol/pulse/utc.js"
import { verifyPulse } from "@tallylight/protocol/pulse/verify-pulse.js"
import type { NamedCertificate } from "./verify-pulse-certificates.ts"
import { beaconOf } from "./verify-pulse-files.ts"
import type { PulseSource, SignerSource } from "./verify-pulse-source.ts"

export type VerifiedPulse = {
    /** undefined where there is none of that index, or it is none. */
    readonly pulse: Pulse | undefined
    /** What to call it. */
    readonly name: string
    readonly checks: readonly Check[]
    /** The one that it was verified with. */
    readonly certificate?: NamedCertificate | undefined
}

export type PulseRange = { readonly chain: number; readonly from: number; readonly to: number }

/** How many answers are awaited at once: a beacon is somebody else's server. */
const ahead = 8

/**
 * The pulses of a range as a source has them, the first one with what it links to. Of the pulse before the range only
 * the output value is signed for, by the link to it: it is followed only if that is the hash of all that it says.
 */
export async function* walkRange(source: PulseSource, range: PulseRange): AsyncGenerator<VerifiedPulse> {
    const { chain, from, to } = range
    const before = from === 1 ? undefined : await pulseAt(source, chain, from - 1)
    const altered = before !== undefined && !hasOwnOutput(before)
    let trail = before === undefined || altered ? undefined : follow(undefined, before)
    const asked: Promise<ParsedPulse | undefined>[] = []
    for (let index = from; index <= to; index += 1) {
        for (let next = index + asked.length; next <= to && asked.length < ahead; next += 1) {
            const answer = source.pulse(chain, next)
            // A failure is reported when its turn comes; before that it is nobody's unhandled rejection.
            answer.catch(() => undefined)
            asked.push(answer)
        }
        const parsed = await asked.shift()
        const linked = index === from ? await lookUp(source, parsed) : undefined
        const verified = await verify(parsed, index, trail, source.signer, linked)
        trail = verified.pulse && follow(trail, verified.pulse)
        const judged = altered && index === from ? afterAltered(verified) : verified
        yield misnamed(judged, chain, index)
    }
}

/** The pulses of files, in their order: where one is the next of the one before, it is verified as that. */
export async function* walkList(
    pulses: readonly ParsedPulse[],
    signer: SignerSource,
): AsyncGenerator<VerifiedPulse> {
    let before: Pulse | undefined
    let trail: PulseTrail | undefined
    for (const [at, parsed] of pulses.entries()) {
        const pulse = parsed.kind === "pulse" ? parsed.pulse : undefined
        const follows = pulse !== undefined && before !== undefined && isNext(before, pulse)
        trail = follows ? trail : undefined
        const verified = await verify(parsed, at + 1, trail, signer, follows ? undefined : [])
        before = pulse
        trail = pulse && follow(trail, pulse)
        yield verified
    }
}

/** The same index again too: two pulses of one index are no chain. */
function isNext(before: Pulse, pulse: Pulse): boolean {
    const { chainIndex, pulseIndex } = pulse
    return (
        beaconOf(before) === beaconOf(pulse) &&
        before.chainIndex === chainIndex &&
        pulseIndex - before.pulseIndex <= 1
    )
}

function follow(trail: PulseTrail | undefined, pulse: Pulse): PulseTrail {
    return trail === undefined && pulse.pulseIndex !== 1
        ? joinTrail(pulse, pulse.outputValue)
        : extendTrail(trail, pulse, pulse.outputValue)
}

async function pulseAt(source: PulseSource, chain: number, index: number): Promise<Pulse | undefined> {
    const found = await source.pulse(chain, index)
    return found?.kind === "pulse" ? found.pulse : undefined
}

async function verify(
    parsed: ParsedPulse | undefined,
    index: number,
    before: PulseTrail | undefined,
    signer: SignerSource,
    linked: readonly LinkedPulse[] | undefined,
): Promise<VerifiedPulse> {
    if (parsed === undefined) {
        const checks = [broken("index", "the source has no pulse of this index")]
        return { pulse: undefined, name: String(index), checks }
    }
    if (parsed.kind !== "pulse") {
        const name = parsed.kind === "unsupported" ? (parsed.name.uri ?? parsed.name.pulseIndex) : undefined
        const checks = verifyPulse(parsed, { before: undefined, certificate: undefined })
        return { pulse: undefined, name: String(name ?? index), checks }
    }
    const { pulse } = parsed
    const { sourceId } = pulse.external
    const certificate = await signer.certificate(pulse.certificateId)
    const context = {
        ...{ before, certificate },
        sourceText: equalBytes(sourceId, noValue) ? undefined : await signer.sourceText(sourceId),
        ...(linked && { linked }),
    }
    const name = `${pulse.chainIndex}/${pulse.pulseIndex}`
    return { pulse, name, certificate, checks: verifyPulse(parsed, context) }
}

/** Another pulse than the one that was asked for may be as good as that one, and still is not it. */
function misnamed(verified: VerifiedPulse, chain: number, index: number): VerifiedPulse {
    const { pulse } = verified
    if (pulse === undefined || (pulse.chainIndex === chain && pulse.pulseIndex === index)) return verified
    return withCheck(verified, broken("index", `it was asked for as pulse ${index} of chain ${chain}`))
}

function afterAltered(verified: VerifiedPulse): VerifiedPulse {
    const reason = "what was found as the pulse before has an output value that is the hash of something else"
    return withCheck(verified, broken("previous", reason))
}

function withCheck(verified: VerifiedPulse, other: Check): VerifiedPulse {
    return {
        ...verified,
        checks: verified.checks.map((check) => (check.name === other.name ? other : check)),
    }
}

async function lookUp(source: PulseSource, parsed: ParsedPulse | undefined): Promise<readonly LinkedPulse[]> {
    if (parsed?.kind !== "pulse") return []
    const { pulse } = parsed
    const at = async (index: number | undefined): Promise<Pulse | undefined> =>
        index === undefined || index < 1 ? undefined : await pulseAt(source, pulse.chainIndex, index)
    const linked: LinkedPulse[] = []
    for (const unit of utcUnits) {
        if (equalBytes(pulse.links[unit], noValue)) continue
        const index = linkIndex(pulse, unit)
        linked.push({ unit, found: await at(index), before: await at(index && index - 1) })
    }
    return linked
}
