/** What a round's contributions say of their entropy, and the pulses about its beacon, for people. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { hasEntropyNodes } from "@tallylight/protocol/chain/genesis.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { isSimulated, parseStatement } from "@tallylight/protocol/round/statement.js"
import type { StatedSource } from "@tallylight/protocol/round/statement.js"
import { amount } from "./amount.ts"
import type { LoggedPulse } from "./round-record.ts"
import { shortId } from "./short-id.ts"
import type { Colors } from "./terminal.ts"

/** Of a contribution that the ledger took; none where it says nothing. */
export function statementRows({ genesis }: ChainState, statement: Uint8Array): [string, string][] {
    const told = hasEntropyNodes(genesis) ? parseStatement(statement) : undefined
    if (told === undefined) return []
    if (told.of === "party") return [["  says", `no bytes of an entropy node: ${told.reason}`]]
    const { node, time, sources } = told.account
    const simulated = isSimulated(told.account) ? ", SIMULATED" : ""
    return [
        ["  says", `entropy node ${shortId(node)}${simulated}, at ${timeText(time)}`],
        ...sources.map((source): [string, string] => ["", sourceText(source)]),
    ]
}

/** A node may state any time; not each has a date. */
function timeText(time: number): string {
    const date = new Date(time)
    return Number.isNaN(date.getTime()) ? `${time} ms` : date.toISOString()
}

function sourceText({ name, kind, simulated, state, lock, bytes, failures }: StatedSource): string {
    const facts = [
        kind,
        ...(simulated ? ["simulated"] : []),
        state,
        ...(lock === "none" ? [] : [lock]),
        amount(bytes, "byte"),
        amount(failures, "failure"),
    ]
    return `${name}: ${facts.join(", ")}`
}

export function pulseRows(
    { index, entry, pulse }: LoggedPulse,
    after: (time: number) => string,
    { green, yellow }: Colors,
): [string, string][] {
    const { isBound, Z, missed, hardware } = pulse
    const key = hardware ? "hardware, as it says" : "simulated"
    const gap = missed === 0 ? "" : `, ${amount(missed, "beacon")} passed over before`
    return [
        ["pulse", `node ${shortId(entry.identity)}  ${after(entry.time)}, entry ${index}: ${key}${gap}`],
        ["  Z", isBound ? green(toHex(Z)) : yellow("void: not bound to its value before the ticket")],
    ]
}
