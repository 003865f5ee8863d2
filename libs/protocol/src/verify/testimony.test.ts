import { describe, expect, test } from "vitest"
import { seedSigner } from "../chain/signer.ts"
import { makeRevocation } from "../chain/revocation.ts"
import { apply } from "../ledger/apply.ts"
import type { Entry, EntryOf } from "../ledger/entry.ts"
import type { ChainState } from "../ledger/state.ts"
import { nameOf } from "../ledger/state.ts"
import { contextOf } from "../round/context.ts"
import { makeAbsence, makeStatement } from "../round/statement.ts"
import type { StatedSource } from "../round/statement.ts"
import { sampleLedger } from "../sample/scenario.ts"
import { decodePulseMessage, encodePulseMessage } from "../pulse/pulse.ts"
import { clockTolerance, PulseRecords } from "./pulse-record.ts"
import { Testimony } from "./testimony.ts"

const sample = sampleLedger()
const stranger = seedSigner(new Uint8Array(32).fill(7))
const chip: StatedSource = {
    ...({ name: "chip", kind: "atecc608a", simulated: false, state: "healthy" } as const),
    ...({ lock: "locked", bytes: 64, failures: 0 } as const),
}

function stated(statements: readonly ((before: ChainState, entry: EntryOf<"contribution">) => Uint8Array)[]) {
    const at = sample.entries.findIndex(({ kind }) => kind === "contribution")
    const before = sample.states[at - 1]!
    const entry = sample.entries[at] as EntryOf<"contribution">
    const testimony = new Testimony()
    for (const statement of statements)
        testimony.take(before, { ...entry, statement: statement(before, entry) })
    return testimony.record
}

const by =
    (signer: typeof stranger, ...sources: StatedSource[]) =>
    ({ chain, current }: ChainState, { identity }: EntryOf<"contribution">) =>
        makeStatement(contextOf(chain, current!), identity, signer, { time: 1, reseeds: 1, sources })

describe("what contributions state", () => {
    test("is counted by the node that they name, registered or not", () => {
        const os = { ...chip, name: "os", kind: "system", simulated: true } as const
        const { node } = sample
        expect(
            stated([
                by(stranger, chip, os),
                by(stranger, { ...chip, simulated: true }),
                by(stranger, { ...chip, state: "failed" }),
                by(stranger, { ...chip, failures: 1 }, { ...chip, name: "other", simulated: true }),
                by(node.signer, chip),
                () => makeAbsence("no node"),
                () => new Uint8Array(),
                () => new Uint8Array(),
            ]),
        ).toEqual({
            nodes: [
                {
                    identity: stranger.publicKey,
                    registered: false,
                    contributions: 4,
                    simulated: 2,
                    failed: 2,
                },
                {
                    ...{ identity: node.signer.publicKey, registered: true },
                    ...{ contributions: 1, simulated: 0, failed: 0 },
                },
            ],
            absences: 1,
            silent: 2,
        })
    })

    test("names a node whose registration was removed or has lapsed as not registered", () => {
        const at = sample.entries.findIndex(({ kind }) => kind === "contribution")
        const before = sample.states[at - 1]!
        const entry = sample.entries[at] as EntryOf<"contribution">
        const statement = by(sample.node.signer, chip)(before, entry)
        const name = nameOf(sample.node.signer.publicKey)
        const lapsed = { ...before.nodes.get(name)!, lastRound: before.rounds - 1 }
        for (const [nodes, registered] of [
            [before.nodes, true] as const,
            [before.nodes.set(name, lapsed), false] as const,
        ]) {
            const testimony = new Testimony()
            testimony.take({ ...before, nodes }, { ...entry, statement })
            expect(testimony.record.nodes).toMatchObject([{ registered }])
        }
    })

    test("is nothing on a chain of version 1, whatever bytes are there", () => {
        const at = sample.entries.findIndex(({ kind }) => kind === "contribution")
        const { genesis, ...rest } = sample.states[at - 1]!
        const testimony = new Testimony()
        const statement = Uint8Array.of(9, 9)
        const entry: Entry = { ...(sample.entries[at] as EntryOf<"contribution">), statement }
        testimony.take({ ...rest, genesis: { ...genesis, version: 1 } }, entry)
        expect(testimony.record).toEqual({ nodes: [], absences: 0, silent: 1 })
    })
})

describe("what an entropy node made of its beacons", () => {
    /** Up to that many entries. */
    function recorded(size: number): PulseRecords {
        const records = new PulseRecords()
        for (const [index, entry] of sample.entries.slice(0, size).entries())
            if (index > 0) records.take(sample.states[index - 1]!, entry)
        return records
    }
    const pulseAt = sample.entries.flatMap(({ kind }, index) => (kind === "pulse" ? [index] : []))
    const [, , third] = pulseAt

    test("is counted, with the first pulse that is not as it should be", () => {
        const [record] = recorded(sample.entries.length).records(sample.state)
        const first = { round: 5, index: third }
        expect(record).toEqual({
            ...{ identity: sample.node.signer.publicKey, hardware: false, registered: true },
            ...{
                pulses: 3,
                bound: 2,
                unbound: { count: 1, first },
                missed: { count: 1, first },
                misdated: { count: 0 },
                unsigned: 0,
            },
        })
    })

    test("is open while it can still sign, and stays on record of whoever leaves without having signed", () => {
        const before = sample.states[third! - 1]!
        const records = recorded(third!)
        const clean = { pulses: 2, bound: 2, unbound: { count: 0 }, missed: { count: 0 } }
        expect(records.records(before)).toMatchObject([{ ...clean, registered: true, unsigned: 2 }])
        const name = nameOf(sample.node.signer.publicKey)
        const node = before.nodes.get(name)!
        // Of rounds 3 and 5, both with a beacon, it owed the first one.
        const lapsed = before.nodes.set(name, { ...node, lastRound: 4 })
        expect(records.records({ ...before, nodes: lapsed })).toMatchObject([
            { ...clean, registered: false, unsigned: 1 },
        ])
        const { signer } = sample.node
        const revocation = makeRevocation(before.chain, signer, node.sequence)
        const entry = { ...revocation, kind: "revocation", time: before.time } as const
        const after = apply(before, entry)
        records.take(before, entry)
        expect(records.records({ ...after, beacons: after.beacons + 5 })).toMatchObject([
            { ...clean, registered: false, unsigned: 2 },
        ])
    })

    test("says which pulses have a time at which they cannot have been made", () => {
        const before = sample.states[third! - 1]!
        const entry = sample.entries[third!] as EntryOf<"pulse">
        const beacon = sample.entries.find(
            ({ kind, ...at }) => kind === "beacon" && "round" in at && at.round === 5,
        )!
        const misdated = (timeStamp: number): number => {
            const records = recorded(third!)
            const message = encodePulseMessage({ ...decodePulseMessage(entry.message)!, timeStamp })
            records.take(before, { ...entry, message })
            return records.records(before)[0]!.misdated.count
        }
        expect(misdated(beacon.time - clockTolerance)).toBe(0)
        expect(misdated(beacon.time - clockTolerance - 1)).toBe(1)
        expect(misdated(entry.time + clockTolerance)).toBe(0)
        expect(misdated(entry.time + clockTolerance + 1)).toBe(1)
    })

    test("is nothing yet where it has only registered", () => {
        const at = sample.entries.findIndex(({ kind }) => kind === "node-registration")
        expect(recorded(at + 1).records(sample.states[at]!)).toMatchObject([
            { pulses: 0, bound: 0, unsigned: 0 },
        ])
        expect(recorded(at).records(sample.states[at - 1]!)).toEqual([])
    })
})
