/**
 * The verification of a pulse of a NIST Randomness Beacon 2.0, whosever it is: everything that the pulse itself, its
 * certificate and the pulse before allow to check.
 */
import { equalBytes, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { broken, holds, unchecked } from "./check.ts"
import type { Check, CheckName } from "./check.ts"
import { chainChecks } from "./chain-checks.ts"
import type { ParsedPulse } from "./json.ts"
import { checkLinkedPulses } from "./linked-pulses.ts"
import type { LinkedPulse } from "./linked-pulses.ts"
import { noValue } from "./pulse.ts"
import type { Pulse } from "./pulse.ts"
import { signerChecks } from "./signer-checks.ts"
import type { PulseCertificate } from "./signer-checks.ts"
import type { PulseTrail } from "./trail.ts"
import { checkUris } from "./uri-check.ts"

export type PulseContext = {
    /** The trail after the pulse before; undefined where that was not seen, and before the first of a chain. */
    readonly before: PulseTrail | undefined
    /** The one with the pulse's certificate id, or that is said to have it. */
    readonly certificate: PulseCertificate | undefined
    /** The text behind the external source id, as far as somebody has it. */
    readonly sourceText?: string | undefined
    /** The pulses that this one links to, where they were looked up; absent where the trail knows them. */
    readonly linked?: readonly LinkedPulse[]
}

export function verifyPulse(parsed: ParsedPulse, context: PulseContext): readonly Check[] {
    switch (parsed.kind) {
        case "malformed":
            return [broken("form", `${parsed.path === "" ? "" : `${parsed.path}: `}${parsed.problem}`)]
        case "unsupported":
            return [unchecked("form", parsed.reason)]
        case "pulse": {
            const { pulse, unknownFields } = parsed
            const { before, certificate, sourceText, linked } = context
            return [
                holds("form", remark(unknownFields)),
                checkUris(pulse),
                ...signerChecks(pulse, certificate),
                ...chainChecks(pulse, before),
                ...(linked === undefined ? [] : [checkLinkedPulses(pulse, before?.timeStamp, linked)]),
                checkExternal(pulse, sourceText),
            ]
        }
    }
}

/** The names are somebody else's text: what is shown of them is short, and cannot move a terminal's cursor. */
function remark(unknownFields: readonly string[]): string {
    if (unknownFields.length === 0) return ""
    const shown = unknownFields.slice(0, 5).map((name) => name.replace(/[^\x20-\x7e]/g, "?").slice(0, 40))
    const more = unknownFields.length > shown.length ? ", …" : ""
    return `fields of its own, which are not signed: ${shown.join(", ")}${more}`
}

function checkExternal({ external }: Pulse, sourceText: string | undefined): Check {
    const name: CheckName = "external"
    const { sourceId, value } = external
    if (equalBytes(sourceId, noValue)) {
        return equalBytes(value, noValue)
            ? holds(name, "none is used")
            : broken(name, "there is a value without a source")
    }
    if (sourceText === undefined) return unchecked(name, "the text that describes its source is not at hand")
    return equalBytes(sha512(utf8(sourceText)), sourceId)
        ? holds(name)
        : broken(name, "the text that describes its source has another hash")
}

/**
 * - verified: the signature was verified, and nothing is broken;
 * - unsupported: a pulse of another form than the one that can be verified here;
 * - signature-unverified: nothing else is wrong with it, but nobody can tell from it who made it;
 * - broken: something about it is not as it must be.
 */
export type PulseClass = "verified" | "unsupported" | "signature-unverified" | "broken"

/** They are about who signs, not about what was signed: where they fail, no signature counts, and no link is broken. */
const aboutSigner: readonly CheckName[] = ["certificate", "validity", "key-size"]

export function classify(checks: readonly Check[]): PulseClass {
    const failed = checks.filter(({ verdict }) => verdict === "broken").map(({ name }) => name)
    if (failed.some((name) => !aboutSigner.includes(name))) return "broken"
    if (checks.some(({ name, verdict }) => name === "form" && verdict === "unchecked")) return "unsupported"
    const signed = checks.some(({ name, verdict }) => name === "signature" && verdict === "holds")
    return signed && failed.length === 0 ? "verified" : "signature-unverified"
}
