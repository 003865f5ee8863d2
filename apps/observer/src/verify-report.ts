/** What `verify` found, for people and for programs. */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import type { Report, Verdict } from "@tallylight/protocol/verify/audit.js"
import { refusals } from "@tallylight/protocol/wire/refusal.js"
import type { LedgerSource } from "./ledger-source.ts"
import { amount } from "./amount.ts"
import { entropyJson, entropyLines } from "./entropy-report.ts"
import type { EntropyJson } from "./entropy-report.ts"
import type { Colors } from "./terminal.ts"

type Unfinished = {
    readonly round: number
    readonly phase: "open" | "sealed"
    readonly contributions: number
    readonly answered: number
    readonly roster: number
    readonly shares: number
    /** ISO 8601. */
    readonly deadline: string
}

/** A key holder that signed wrong shares, or that was missed in withheld rounds. */
type Blamed = {
    readonly member: number
    /** Hexadecimal, as those of the ledger's entries. */
    readonly identity: string
    readonly requester: string
    readonly wrongShares: number
    /** The entry that convicts it. */
    readonly firstWrong: number | null
    readonly missing: number
    /** The first round that was withheld without its share. */
    readonly firstMissing: number | null
}

export type VerifyJson = EntropyJson & {
    readonly holds: boolean
    readonly source: string
    readonly chain: string | null
    readonly name: string | null
    /** Entries that the checkpoint covers, and how many of them were verified. */
    readonly size: number
    readonly verified: number
    readonly beacons: number
    readonly voids: number
    readonly unfinished: Unfinished | null
    readonly keyHolders: readonly Blamed[]
    readonly rules: readonly Verdict[]
}

export function reportJson(report: Report, { where, size }: LedgerSource): VerifyJson {
    const { holds, state, verified, beacons, voids, verdicts } = report
    return {
        holds,
        source: where,
        chain: state === undefined ? null : toHex(state.chain),
        name: state?.genesis.name ?? null,
        ...{ size, verified, beacons, voids },
        unfinished: unfinishedRound(state) ?? null,
        keyHolders: report.keyHolders.map(blamed),
        ...entropyJson(report),
        rules: verdicts,
    }
}

function blamed({ identity, requester, member, wrong, missing }: Report["keyHolders"][number]): Blamed {
    return {
        ...{ member, identity: toHex(identity), requester: toHex(requester) },
        ...{ wrongShares: wrong.count, firstWrong: wrong.first?.index ?? null },
        ...{ missing: missing.count, firstMissing: missing.first?.round ?? null },
    }
}

export function unfinishedRound(state: ChainState | undefined): Unfinished | undefined {
    const current = state?.current
    if (current === undefined) return undefined
    const { round, phase, contributions, answered, roster } = current
    const deadline = current.phase === "open" ? current.closesAt : current.answerBy
    return {
        ...{ round, phase },
        contributions: contributions.length,
        answered: answered.size,
        roster: roster.size,
        shares: current.phase === "sealed" ? current.shares.length : 0,
        deadline: new Date(deadline).toISOString(),
    }
}

/** The sentence of the rule that was broken, for standard error; undefined where all hold. */
export function brokenRule({ verdicts }: Pick<Report, "verdicts">): string | undefined {
    const broken = verdicts.find(({ verdict }) => verdict === "broken")
    return (
        broken?.first && `rule ${broken.rule} is broken at entry ${broken.first.index}: ${broken.first.code}`
    )
}

export function reportText(json: VerifyJson, colors: Colors): string {
    const { chain, name, source, rules, verified, size, beacons, voids, unfinished, holds } = json
    const { keyHolders } = json
    const ledger = chain === null ? [] : [`chain   ${chain} (${name ?? ""})`]
    const counts = `${amount(beacons, "beacon")}, ${amount(voids, "void round")}`
    return [
        `ledger  ${source}`,
        ...ledger,
        "",
        ...rules.flatMap((rule) => ruleLines(rule, holds, colors)),
        "",
        ...keyHolders.slice(0, mostBlamed).flatMap((one) => blameLines(one, colors)),
        ...(keyHolders.length > mostBlamed
            ? [`… and ${keyHolders.length - mostBlamed} more; --json names them`]
            : []),
        ...(keyHolders.length > 0 ? [""] : []),
        ...entropyLines(json, colors),
        `${verified} of ${amount(size, "entry", "entries")} verified: ${counts}`,
        ...(unfinished === null ? [] : [progressOf(unfinished)]),
        holds
            ? colors.green("everything holds, up to here")
            : colors.red(colors.bold("THIS LEDGER DOES NOT HOLD")),
        "",
    ].join("\n")
}

const ruleWidth = "registration".length
const countWidth = 7

function ruleLines(
    { rule, verdict, checked, says, first }: Verdict,
    holds: boolean,
    colors: Colors,
): string[] {
    const head = `${rule.padEnd(ruleWidth)} ${String(checked).padStart(countWidth)}  ${says}`
    switch (verdict) {
        case "holds":
            return [`${colors.green("holds ")}  ${head}`]
        case "broken":
            return [`${colors.red(colors.bold("BROKEN"))}  ${head}`, ...offenceLines(first, colors)]
        case "not-reached":
            return [colors.dim(`${holds ? "none  " : "  ?   "}  ${head}`)]
        case "not-applicable":
            return [colors.dim(`  -     ${head}`)]
    }
}

function offenceLines(first: Verdict["first"], colors: Colors): string[] {
    if (first === undefined) return []
    const { index, code, facts } = first
    const shown = Object.entries(facts).map(([name, value]) => `${name} ${value}`)
    const line = `${colors.red(code)} at entry ${index}: ${refusals[code][1]}`
    return [`        ${line}`, ...(shown.length === 0 ? [] : [`        ${shown.join(", ")}`])]
}

/** Anybody may register committees and let them fail. */
const mostBlamed = 20

function blameLines(one: Blamed, { red, yellow, bold }: Colors): string[] {
    const { wrongShares, firstWrong, missing, firstMissing } = one
    const who = `member ${one.member} (${one.identity.slice(0, 8)}) of requester ${one.requester.slice(0, 8)}`
    const convicted = `signed ${amount(wrongShares, "wrong share")}, the first in entry ${firstWrong ?? ""}`
    const missed = `no share in ${amount(missing, "withheld round")}, the first one ${firstMissing ?? ""}`
    return [
        ...(wrongShares > 0 ? [`${red(bold("CONVICTED"))}  ${who}: ${convicted}`] : []),
        ...(missing > 0 ? [`${yellow("missing")}    ${who}: ${missed}`] : []),
    ]
}

function progressOf(unfinished: Unfinished): string {
    const { round, phase, contributions, answered, roster, shares, deadline } = unfinished
    const so =
        phase === "open"
            ? `open until ${deadline}, ${amount(contributions, "contribution")} so far, ${answered} of ${roster} parties have answered`
            : `sealed with ${amount(contributions, "contribution")}, ${amount(shares, "share")} so far, due by ${deadline}`
    return `round ${round} is unfinished: ${so}`
}
