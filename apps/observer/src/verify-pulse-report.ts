/** What `verify-pulse` found, for people and for programs: of each check how often it held, and where it first did not. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { checkNames } from "@tallylight/protocol/pulse/check.js"
import type { Check, CheckName, Verdict } from "@tallylight/protocol/pulse/check.js"
import { formatUtc } from "@tallylight/protocol/pulse/utc.js"
import { classify } from "@tallylight/protocol/pulse/verify-pulse.js"
import type { PulseClass } from "@tallylight/protocol/pulse/verify-pulse.js"
import { amount } from "./amount.ts"
import type { Colors } from "./terminal.ts"
import type { VerifiedPulse } from "./verify-pulse-walk.ts"

type Found = { readonly pulse: string; readonly reason: string }

type CheckCounts = {
    readonly check: CheckName
    readonly says: string
    /** The worst of all pulses. */
    readonly verdict: Verdict
    readonly holds: number
    readonly broken: number
    readonly unchecked: number
    readonly firstBroken: Found | null
    readonly firstUnchecked: Found | null
    /** What is remarkable where it holds, the first time. */
    readonly firstRemark: Found | null
}

type PulseJson = { readonly uri: string; readonly timeStamp: string; readonly outputValue: string }

type SignerJson = { readonly certificateId: string; readonly subject: string }

export type PulseReportJson = {
    /** Everything that can be checked holds, and every signature was verified. */
    readonly holds: boolean
    readonly class: PulseClass
    readonly source: string
    readonly pulses: number
    readonly first: PulseJson | null
    readonly last: PulseJson | null
    readonly classes: Readonly<Record<PulseClass, number>>
    /** Those that the pulses were verified with: the first sixteen. */
    readonly certificates: readonly SignerJson[]
    readonly checks: readonly CheckCounts[]
}

type Counted = { -readonly [Key in keyof CheckCounts]: CheckCounts[Key] }

/** From the best to the worst: that of several pulses is the worst of theirs. */
const classes: readonly PulseClass[] = ["verified", "unsupported", "signature-unverified", "broken"]

/** A beacon changes its certificate about once a year. */
const mostCertificates = 16

export class PulseReport {
    readonly #source: string
    readonly #checks = new Map<CheckName, Counted>()
    readonly #classes = { verified: 0, unsupported: 0, "signature-unverified": 0, broken: 0 }
    readonly #certificates = new Map<string, string>()
    #pulses = 0
    #first: PulseJson | null = null
    #last: PulseJson | null = null

    constructor(source: string) {
        this.#source = source
    }

    add({ pulse, name, checks, certificate }: VerifiedPulse): void {
        this.#pulses += 1
        this.#classes[classify(checks)] += 1
        for (const check of checks) this.#count(name, check)
        if (pulse === undefined) return
        const { uri, timeStamp, outputValue, certificateId } = pulse
        if (certificate !== undefined && this.#certificates.size < mostCertificates)
            this.#certificates.set(toHex(certificateId), certificate.subject)
        this.#last = { uri, timeStamp: formatUtc(timeStamp), outputValue: toHex(outputValue) }
        this.#first ??= this.#last
    }

    #count(pulse: string, { name, verdict, reason }: Check): void {
        const counted = this.#checks.get(name) ?? noneYet(name)
        this.#checks.set(name, counted)
        counted[verdict] += 1
        const found = { pulse, reason }
        if (verdict === "broken") counted.firstBroken ??= found
        else if (verdict === "unchecked") counted.firstUnchecked ??= found
        else if (reason !== "") counted.firstRemark ??= found
        counted.verdict = counted.broken > 0 ? "broken" : counted.unchecked > 0 ? "unchecked" : "holds"
    }

    toJson(): PulseReportJson {
        const worst = classes.findLast((one) => this.#classes[one] > 0) ?? "broken"
        const names = Object.keys(checkNames) as CheckName[]
        return {
            holds: worst === "verified",
            class: worst,
            ...{ source: this.#source, pulses: this.#pulses, first: this.#first, last: this.#last },
            classes: { ...this.#classes },
            certificates: [...this.#certificates].map(([certificateId, subject]) => ({
                certificateId,
                subject,
            })),
            checks: names.flatMap((name) => this.#checks.get(name) ?? []),
        }
    }
}

function noneYet(check: CheckName): Counted {
    return {
        ...{ check, says: checkNames[check], verdict: "holds", holds: 0, broken: 0, unchecked: 0 },
        ...{ firstBroken: null, firstUnchecked: null, firstRemark: null },
    }
}

const nameWidth = "linked-pulses".length
const countWidth = 7

export function pulseReportText(json: PulseReportJson, colors: Colors): string {
    const { source, pulses, first, last } = json
    const shown = first === null ? [] : first === last || pulses === 1 ? [first] : [first, last ?? first]
    return [
        `beacon  ${source}`,
        ...shown.map(({ uri, timeStamp }) => `pulse   ${uri}, ${timeStamp}`),
        ...(pulses === 1 && first !== null ? [`output  ${first.outputValue}`] : []),
        ...json.certificates.map(({ subject }) => `signer  ${subject}`),
        "",
        ...json.checks.flatMap((check) => checkLines(check, pulses, colors)),
        "",
        ...(pulses === 1 ? [] : [countsOf(json)]),
        conclusion(json, colors),
        "",
    ].join("\n")
}

function checkLines(check: CheckCounts, pulses: number, colors: Colors): string[] {
    const { verdict, firstBroken, firstUnchecked, firstRemark } = check
    const head = `${check.check.padEnd(nameWidth)} ${String(check[verdict]).padStart(countWidth)}  ${check.says}`
    const why = (found: Found | null): string[] => {
        if (found === null) return []
        return [`           ${pulses === 1 ? "" : `pulse ${found.pulse}: `}${found.reason}`]
    }
    switch (verdict) {
        case "holds":
            return [`${colors.green("holds    ")}  ${head}`, ...why(firstRemark).map(colors.dim)]
        case "broken":
            return [`${colors.red(colors.bold("BROKEN   "))}  ${head}`, ...why(firstBroken)]
        case "unchecked":
            return [`${colors.yellow("unchecked")}  ${head}`, ...why(firstUnchecked)]
    }
}

function countsOf({ pulses, classes: counts }: PulseReportJson): string {
    const parts = classes.filter((one) => counts[one] > 0).map((one) => `${counts[one]} ${one}`)
    return `${amount(pulses, "pulse")}: ${parts.join(", ")}`
}

function conclusion({ class: worst }: PulseReportJson, { green, red, yellow, bold }: Colors): string {
    switch (worst) {
        case "verified":
            return green("everything that can be checked holds, and the signatures are verified")
        case "unsupported":
            return yellow(
                bold("NOT VERIFIED: these are pulses of another kind than the one that is supported here"),
            )
        case "signature-unverified":
            return yellow(
                bold(
                    "SIGNATURES CANNOT BE VERIFIED: nothing else is broken, but nobody can tell who made these pulses",
                ),
            )
        case "broken":
            return red(bold("BROKEN: these pulses are not what a beacon of this kind publishes"))
    }
}

/** For standard error; the report has the rest. */
export function pulseProblem({ class: worst, checks }: PulseReportJson): string {
    const failed = checks.filter(({ verdict }) => verdict === "broken")
    switch (worst) {
        case "verified":
            return ""
        case "unsupported":
            return `pulses of this kind are not supported: ${formReason(checks)}`
        case "signature-unverified":
            return `the signature cannot be verified: ${signatureReason(checks)}`
        case "broken": {
            const [first] = failed
            return `${first?.check ?? ""} is broken at pulse ${first?.firstBroken?.pulse ?? ""}: ${first?.firstBroken?.reason ?? ""}`
        }
    }
}

function formReason(checks: readonly CheckCounts[]): string {
    return checks.find(({ check }) => check === "form")?.firstUnchecked?.reason ?? ""
}

function signatureReason(checks: readonly CheckCounts[]): string {
    const reasons = (["certificate", "validity", "key-size", "signature"] as const).map((name) => {
        const check = checks.find((one) => one.check === name)
        return (check?.firstBroken ?? check?.firstUnchecked)?.reason
    })
    return reasons.find((reason) => reason !== undefined) ?? ""
}
