/** A round, and an entry, for people. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { toJson } from "@tallylight/protocol/ledger/json.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import { amount } from "./amount.ts"
import { pulseRows, statementRows } from "./entropy-text.ts"
import { shortId } from "./short-id.ts"
import type { RoundRecord } from "./round-record.ts"
import type { Colors } from "./terminal.ts"

export function roundText(record: RoundRecord, colors: Colors): string {
    const { opened, ticket, state } = record
    const { request, round, index, k, roster } = opened
    const attempt = request.retry ? ", second attempt" : ""
    const lines: [string, string][] = [
        ["chain", `${toHex(state.chain)} (${state.genesis.name})`],
        ["requested", `entry ${request.index}, by requester ${shortId(request.identity)}${attempt}`],
        ["ticket", `entry ${index}, ${new Date(ticket.time).toISOString()}`],
        ["", toHex(ticket.ticket)],
        ["seed", seedText(ticket.seed)],
        [
            "elected",
            `k ${k} of n ${roster.size} on the roster${k >= roster.size ? ": everybody" : " expected"}`,
        ],
        ...answerLines(record),
        ...endLines(record, colors),
        ...record.pulses.flatMap((logged) => pulseRows(logged, since(record), colors)),
    ]
    const shown = lines.map(([name, text]) => `${name.padEnd(nameWidth)}  ${text}`)
    return [colors.bold(`round ${round}`), ...shown, "", colors.dim(reminder), ""].join("\n")
}

export const reminder = "inspect shows what the ledger says; `observer verify` checks it"

const nameWidth = "contribution".length

function seedText(seed: Uint8Array): string {
    return seed.every((byte) => byte === 0) ? "none, so everybody is elected" : toHex(seed)
}

function answerLines(record: RoundRecord): [string, string][] {
    const { opened, answers, extensions, tally, ended, state } = record
    const after = since(record)
    const given = answers.flatMap(({ index, entry }): [string, string][] => [
        [entry.kind, `${shortId(entry.identity)}  ${after(entry.time)}, entry ${index}`],
        ...(entry.kind === "contribution" ? statementRows(state, entry.statement) : []),
    ])
    const extended = extensions.map(({ index, entry }): [string, string] => [
        "extension",
        `${after(entry.time)}, entry ${index}: the window now ends ${after(entry.closesAt)}`,
    ])
    const answered = new Set(answers.map(({ entry }) => nameOf(entry.identity)))
    const silent = [...opened.roster].filter(([name]) => !answered.has(name)).map(([, party]) => party)
    const all = state.genesis.parameters.everyoneAnswers || opened.k >= opened.roster.size
    // Where only the elected answer, silence is no fault, and who was elected only the silent ones know.
    const word = tally === undefined && ended === undefined ? "waiting for" : all ? "absent" : "silent"
    const names = silent.map(({ identity }) => shortId(identity)).join(" ")
    return [...given, ...extended, [word, silent.length === 0 ? "nobody" : names]]
}

function endLines(record: RoundRecord, { green, yellow, red }: Colors): [string, string][] {
    const { opened, tally, shares, beacon, ended, state } = record
    const after = since(record)
    const lines: [string, string][] = []
    if (tally !== undefined) {
        const { count, from, to, time, C, D } = tally.entry
        const range = `entries ${from} to ${to - 1}`
        lines.push(
            ["tally", `${after(time)}, entry ${tally.index}: ${amount(count, "contribution")}, ${range}`],
            ["  C*", toHex(C)],
            ["  D*", toHex(D)],
        )
    }
    for (const { index, entry } of shares) {
        const { time, valid, share, identity } = entry
        const late = ended !== undefined && index > ended.index ? ", late" : ""
        const verdict = valid ? late : `${late}${red(", on record as wrong")}`
        lines.push([
            "share",
            `member ${share.member} (${shortId(identity)})  ${after(time)}, entry ${index}${verdict}`,
        ])
    }
    const holders = opened.request.requester.members
    const silent = holders.filter((_, at) => shares.every(({ entry }) => entry.share.member !== at + 1))
    // A committee goes on without them, and its ledger says so only by what it lacks.
    if (tally !== undefined && holders.length > 1 && silent.length > 0) {
        const names = silent.map(
            (identity) => `member ${holders.indexOf(identity) + 1} (${shortId(identity)})`,
        )
        lines.push(["no share", names.join(", ")])
    }
    if (ended !== undefined) {
        const { reason, missing, time } = ended.entry
        const who = missing.length === 0 ? "" : `, no share from member ${missing.join(", ")}`
        lines.push(["void", yellow(`${after(time)}, entry ${ended.index}: ${reason}${who}`)])
    }
    if (beacon !== undefined) {
        const late = ended === undefined ? "" : ", opened late: it elects nobody"
        lines.push(
            ["beacon", `${after(beacon.entry.time)}, entry ${beacon.index}${late}`],
            ["", green(toHex(beacon.entry.output))],
        )
    }
    const { current } = state
    if (current?.round === opened.round) {
        const deadline = current.phase === "open" ? current.closesAt : current.answerBy
        lines.push(["unfinished", yellow(`${current.phase}, until ${new Date(deadline).toISOString()}`)])
    }
    return lines
}

function since({ ticket }: RoundRecord): (time: number) => string {
    return (time) => `+${time - ticket.time} ms`
}

/** Field by field, as its layout has them. */
export function entryText(index: number, bytes: Uint8Array, { bold, dim }: Colors): string {
    const { kind, time, ...fields }: Entry = decodeEntry(bytes)
    const rows: [string, string][] = [
        ["time", `${time} (${new Date(time).toISOString()})`],
        ["leaf hash", toHex(leafHash(bytes))],
        ["bytes", String(bytes.length)],
        ...Object.entries(fields).map(([name, value]): [string, string] => {
            const json = toJson(value)
            return [name, typeof json === "string" ? json : JSON.stringify(json)]
        }),
    ]
    const width = Math.max(...rows.map(([name]) => name.length))
    const shown = rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`)
    return [bold(`entry ${index}: ${kind}`), ...shown, "", dim(reminder), ""].join("\n")
}
