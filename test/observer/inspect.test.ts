import { toHex } from "@tallylight/crypto/bytes.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { statementRows } from "@tallylight/observer/entropy-text.js"
import { runInspect } from "@tallylight/observer/inspect-command.js"
import type { InspectOptions } from "@tallylight/observer/inspect-command.js"
import { shortId } from "@tallylight/observer/short-id.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { EntryOf } from "@tallylight/protocol/ledger/entry.js"
import { beaconPulseOf } from "@tallylight/protocol/round/beacon-pulse.js"
import { makeAbsence, parseStatement } from "@tallylight/protocol/round/statement.js"
import { find, pick } from "@tallylight/protocol/sample/mutant.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { sampleLedger, sampleRounds } from "@tallylight/protocol/sample/scenario.js"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { cleanUp, never, paper, served } from "./fixtures.ts"

const sample = sampleLedger()
let url = ""

beforeAll(async () => {
    url = await served(sample)
})
afterAll(cleanUp)

async function inspect(what: string | number, options: InspectOptions = {}): Promise<string> {
    const to = paper()
    await runInspect(String(what), { url, ...options }, never, to)
    return to.printed()
}

const inRound =
    (round: number) =>
    (entry: { readonly round: number }): boolean =>
        entry.round === round

describe("a round", () => {
    test("is shown with its ticket, everybody's answer and when it came, its sum and its output", async () => {
        const { elected } = sampleRounds
        const text = await inspect(elected)
        const { entry: ticket, index } = pick(sample, "ticket", inRound(elected))
        expect(text).toContain(`ticket        entry ${index}, ${new Date(ticket.time).toISOString()}`)
        expect(text).toContain(toHex(ticket.ticket))
        expect(text).toContain(`seed          ${toHex(ticket.seed)}`)
        expect(text).toContain(`elected       k ${ticket.k} of n ${ticket.n} on the roster expected`)
        const answers = sample.entries
            .map((entry, at) => ({ entry, at }))
            .filter(
                (each): each is { entry: EntryOf<"contribution"> | EntryOf<"abstention">; at: number } =>
                    (each.entry.kind === "contribution" || each.entry.kind === "abstention") &&
                    each.entry.round === elected,
            )
        expect(answers).toHaveLength(3)
        for (const { entry, at } of answers) {
            const line = `${entry.kind.padEnd(12)}  ${shortId(entry.identity)}  +${entry.time - ticket.time} ms, entry ${at}`
            expect(text).toContain(line)
        }
        expect(text).toContain("absent        nobody")
        const { entry: tally } = pick(sample, "tally", inRound(elected))
        expect(text).toContain(toHex(tally.C))
        expect(text).toContain(`${tally.count} contributions, entries ${tally.from} to ${tally.to - 1}`)
        const { entry: beacon } = pick(sample, "beacon", inRound(elected))
        expect(text).toContain(toHex(beacon.output))
        expect(text).toContain("inspect shows what the ledger says; `observer verify` checks it")
        expect(text).not.toContain("unfinished")
    })

    test("names who did not answer, and the second attempt that follows", async () => {
        const failed = await inspect(sampleRounds.belowMinimum)
        const [, two, three] = sample.keys.parties.map(({ signer }) => shortId(signer.publicKey))
        expect(failed).toMatch(new RegExp(`^absent +(${two} ${three}|${three} ${two})$`, "m"))
        expect(failed).toMatch(/^void .*: below-minimum$/m)
        const retried = await inspect(sampleRounds.retried)
        expect(retried).toContain(", second attempt")
        expect(retried).toContain("on the roster: everybody")
    })

    test("shows wrong shares, and a tally that was opened too late to elect anybody", async () => {
        const wrong = await inspect(sampleRounds.wrongShare)
        expect(wrong).toMatch(/^share +member 1 .*, on record as wrong$/m)
        expect(wrong).toMatch(/^void .*: wrong-share/m)
        const late = await inspect(sampleRounds.withheld)
        expect(late).toMatch(/^share +member 1 .*, late$/m)
        expect(late).toMatch(/^extension .*: the window now ends \+\d+ ms$/m)
        expect(late).toMatch(/^void .*: withheld, no share from member 1$/m)
        expect(late).toMatch(/^beacon .*, opened late: it elects nobody$/m)
    })

    test("of a committee shows whose shares opened it, and whose was wrong", async () => {
        const lines = (await inspect(sampleRounds.committee)).split("\n")
        const shares = lines.filter((line) => line.startsWith("share "))
        expect(shares.map((line) => /member \d/.exec(line)?.[0])).toEqual([
            "member 1",
            "member 2",
            "member 3",
        ])
        expect(shares.map((line) => line.endsWith(", on record as wrong"))).toEqual([true, false, false])
        expect(lines.some((line) => line.startsWith("no share"))).toBe(false)
    })

    test("in progress says who is waited for, and until when", async () => {
        const text = await inspect(sampleRounds.unfinished)
        expect(text).toMatch(/^waiting for +[0-9a-f]{8} [0-9a-f]{8}$/m)
        expect(text).toMatch(/^unfinished +open, until 2027-/m)
        expect(text).not.toContain("absent")
    })

    test("latest is the last one with a beacon in time", async () => {
        const late = new Set<number>([sampleRounds.withheld])
        const last = sample.entries.findLast((entry) => entry.kind === "beacon" && !late.has(entry.round))
        expect(await inspect("latest")).toContain(toHex((last as EntryOf<"beacon">).output))
    })

    test("is, as JSON, what the server says", async () => {
        const printed = await inspect(2, { json: true })
        const id = toHex(sample.state.chain)
        const response = await fetch(`${url}/v1/chains/${id}/rounds/2`)
        expect(printed).toBe(`${await response.text()}\n`)
        expect(JSON.parse(printed)).toMatchObject({ chain: id, round: 2, status: "beacon" })
    })
})

describe("the entropy of a round", () => {
    const node = shortId(sample.node.signer.publicKey)

    test("is shown as its contributions state it, source by source", async () => {
        const text = await inspect(sampleRounds.elected)
        const statements = sample.entries.flatMap((entry) =>
            entry.kind === "contribution" && entry.round === sampleRounds.elected
                ? [parseStatement(entry.statement)?.of]
                : [],
        )
        const count = (says: string) => text.split("\n").filter((line) => line.includes(says)).length
        expect(statements).toContain("node")
        expect(count(`says        entropy node ${node}, SIMULATED, at 2027-`)).toBe(
            statements.filter((of) => of === "node").length,
        )
        expect(count("chip: atecc608a, simulated, healthy, locked, 4096 bytes, 0 failures")).toBe(
            statements.filter((of) => of === "node").length,
        )
        expect(count("no bytes of an entropy node: the entropy node does not answer")).toBe(
            statements.filter((of) => of === "party").length,
        )
        expect(await inspect(sampleRounds.retried)).not.toContain("entropy node")
    })

    test("of a party without its node is its own word", () => {
        const { state } = sample
        expect(statementRows(state, makeAbsence("no node"))).toEqual([
            ["  says", "no bytes of an entropy node: no node"],
        ])
        expect(statementRows(state, new Uint8Array())).toEqual([])
        const old = { ...state, genesis: { ...state.genesis, version: 1 } }
        expect(statementRows(old, makeAbsence("means nothing there"))).toEqual([])
    })

    test("ends with the pulses about its beacon: Z where the node was bound, void where it was not", async () => {
        const bound = await inspect(sampleRounds.first)
        const { entry, index } = pick(sample, "pulse", inRound(sampleRounds.first))
        const { Z, isBound } = beaconPulseOf(sample.states[index - 1]!, entry)
        expect(isBound).toBe(true)
        expect(bound).toMatch(new RegExp(`^pulse +node ${node}  \\+\\d+ ms, entry ${index}: simulated$`, "m"))
        expect(bound).toMatch(new RegExp(`^  Z +${toHex(Z)}$`, "m"))
        const loose = await inspect(sampleRounds.retried)
        expect(loose).toMatch(/^pulse .*: simulated, 1 beacon passed over before$/m)
        expect(loose).toMatch(/^ {2}Z +void: not bound to its value before the ticket$/m)
        expect(await inspect(sampleRounds.committee)).not.toMatch(/^pulse/m)
    })
})

describe("an entry", () => {
    test("is shown field by field", async () => {
        const at = find(sample, "request")
        const { entry } = pick(sample, "request")
        const text = await inspect(at, { index: true })
        expect(text).toContain(`entry ${at}: request`)
        expect(text).toContain(toHex(leafHash(encodeEntry(entry))))
        expect(text).toContain(toHex(entry.nonce))
        expect(await inspect("latest", { index: true })).toContain(`entry ${sample.entries.length - 1}: `)
    })

    test("is, as JSON, what the server says", async () => {
        const json = JSON.parse(await inspect(0, { index: true, json: true })) as Record<string, unknown>
        expect(json).toMatchObject({ index: 0, entry: { kind: "genesis", name: "sample" } })
        expect(json.bytes).toBe(toHex(encodeEntry(sample.entries[0]!)))
    })
})

describe("what is not there", () => {
    test.each([
        ["99", {}, "there is no round 99"],
        ["0", {}, "there is no round 0"],
        ["99", { json: true }, "there is no round 99"],
        [String(sample.entries.length), { index: true }, `there is no entry ${sample.entries.length}`],
        ["999", { index: true, json: true }, "there is no entry 999"],
    ] as const)("%s (%j) is said to be missing", async (what, options, sentence) => {
        await expect(inspect(what, options)).rejects.toThrow(sentence)
    })

    test("latest, where there is no beacon yet", async () => {
        const young = await served(new SampleLedger("young"))
        await expect(inspect("latest", { url: young })).rejects.toThrow("has no beacon yet")
        expect(await inspect("latest", { url: young, index: true })).toContain("entry 0: genesis")
    })
})
