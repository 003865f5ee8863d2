/** Which bytes of a contribution say something of its entropy, and for which contribution alone they are signed. */
import { utf8 } from "@tallylight/crypto/bytes.js"
import { describe, expect, test } from "vitest"
import { apply } from "../ledger/apply.ts"
import type { Entry, EntryOf } from "../ledger/entry.ts"
import { judge } from "../ledger/judge.ts"
import type { ChainState } from "../ledger/state.ts"
import { verifyEntry } from "../ledger/verify.ts"
import { SampleLedger } from "../sample/sample-ledger.ts"
import { SampleNode } from "../sample/sample-node.ts"
import { Refusal } from "../wire/refusal.ts"
import type { RoundContext } from "./context.ts"
import { contributionClaims, drawPoint, makeContribution } from "./contribution.ts"
import { drawLot } from "./eligibility.ts"
import {
    isSimulated,
    lockStates,
    makeAbsence,
    makeStatement,
    parseStatement,
    sourceKinds,
    sourceStates,
    statementClaims,
} from "./statement.ts"
import type { StatedSource } from "./statement.ts"

const { signer } = new SampleNode("statements")
const bytesOf = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const [identity, other] = [bytesOf(1), bytesOf(2)]
const context: RoundContext = {
    ...{ chain: bytesOf(3), round: 7, ticket: bytesOf(4), leaf: bytesOf(5), Y: bytesOf(6) },
}
const chip: StatedSource = {
    ...({ name: "chip", kind: "atecc608a", simulated: false, state: "healthy" } as const),
    ...({ lock: "locked", bytes: 4096, failures: 2 } as const),
}

function stated(sources: readonly StatedSource[] = [chip]): Uint8Array {
    return makeStatement(context, identity, signer, { time: 1_800_000_000_000, reseeds: 3, sources })
}

function parsed(bytes: Uint8Array): unknown {
    try {
        return parseStatement(bytes)
    } catch (error) {
        if (error instanceof Refusal) return [error.code, error.facts]
        throw error
    }
}

/** The bytes with that one changed; negative places count from the end. */
function withByte(bytes: Uint8Array, at: number, byte: number): Uint8Array {
    return bytes.with(at, byte)
}

/** What a byte string is refused with. */
function refused({ length }: Uint8Array): unknown {
    return ["bad-statement", { bytes: length }]
}

describe("a node's account", () => {
    test("is read as it was written, whatever its sources are", () => {
        const account = { node: signer.publicKey, time: 1_800_000_000_000, reseeds: 3, sources: [chip] }
        expect(parsed(stated())).toMatchObject({ of: "node", account })
        const sources = [
            ...sourceKinds.map((kind) => ({ ...chip, kind })),
            ...sourceStates.map((state) => ({ ...chip, state, simulated: true })),
            ...lockStates.map((lock) => ({ ...chip, lock, bytes: 0, failures: 2 ** 32 - 1 })),
        ]
        expect(parsed(stated(sources))).toMatchObject({ of: "node", account: { ...account, sources } })
    })

    test("has one to sixteen sources", () => {
        const many = (length: number) => stated(Array.from({ length }, () => chip))
        expect(parsed(many(16))).toMatchObject({ of: "node" })
        expect(() => many(0)).toThrow(RangeError)
        expect(() => many(17)).toThrow(RangeError)
    })

    test("names each source by letters, digits and, behind the first, dots, dashes and underscores", () => {
        const bytes = stated([{ ...chip, name: "a-chip" }])
        const at = bytes.findIndex((_, i) =>
            bytes.subarray(i, i + 6).every((b, j) => b === utf8("a-chip")[j]),
        )
        for (const good of ["A", "z", "0", "9"])
            expect(parsed(withByte(bytes, at, good.charCodeAt(0)))).toMatchObject({ of: "node" })
        for (const good of [".", "_", "-", "Z", "5"])
            expect(parsed(withByte(bytes, at + 5, good.charCodeAt(0)))).toMatchObject({ of: "node" })
        for (const bad of [".", "_", "-", " ", "/"])
            expect(parsed(withByte(bytes, at, bad.charCodeAt(0)))).toEqual(refused(bytes))
        for (const bad of [" ", "/", "\n", "\u007f"])
            for (const place of [at + 2, at + 5])
                expect(parsed(withByte(bytes, place, bad.charCodeAt(0)))).toEqual(refused(bytes))
        expect(parsed(stated([{ ...chip, name: "c".repeat(32) }]))).toMatchObject({ of: "node" })
        for (const name of ["", "c".repeat(33)]) expect(() => stated([{ ...chip, name }])).toThrow(RangeError)
    })
})

describe("a party's word that it had no node", () => {
    test("gives its reason, in printable ASCII", () => {
        const bytes = makeAbsence(" ok~")
        expect(parsed(bytes)).toEqual({ of: "party", reason: " ok~" })
        for (const at of [-4, -2, -1])
            for (const byte of [0x1f, 0x7f, 0x0a])
                expect(parsed(withByte(bytes, at, byte))).toEqual(refused(bytes))
        expect(parsed(makeAbsence("x".repeat(200)))).toMatchObject({ of: "party" })
        for (const reason of ["", "x".repeat(201), "no\nnode", "\u00e9"])
            expect(() => makeAbsence(reason)).toThrow(RangeError)
    })

    test("is signed by nobody but the party, as its contribution is", () => {
        expect(statementClaims(context, identity, makeAbsence("no node"))).toEqual([])
        expect(statementClaims(context, identity, stated())).toHaveLength(2)
    })
})

describe("a statement", () => {
    test("says nothing where there are no bytes", () => {
        expect(parsed(new Uint8Array())).toBeUndefined()
        expect(statementClaims(context, identity, new Uint8Array())).toEqual([])
    })

    test.each([
        ["an account", stated(), "node"],
        ["an absence", makeAbsence("no node"), "party"],
    ])("that is %s begins with its own number, and ends where it ends", (_, bytes, of) => {
        expect(parsed(bytes)).toMatchObject({ of })
        const [own] = bytes
        for (const first of [0, 1, 2, 255].filter((byte) => byte !== own))
            expect(parsed(withByte(bytes, 0, first))).toEqual(refused(bytes))
        for (const wrong of [bytes.subarray(0, -1), bytes.subarray(0, 1), Uint8Array.of(...bytes, 0)])
            expect(parsed(wrong)).toEqual(refused(wrong))
    })

    test("is its node's for one contribution, and for no other party's, round's or chain's", () => {
        const bytes = stated()
        const verdict = (of: RoundContext, whose: Uint8Array, said = bytes) =>
            judge(statementClaims(of, whose, said))
        expect(verdict(context, identity)).toBeUndefined()
        const refusal = { code: "bad-signature", facts: {} }
        expect(verdict(context, other)).toEqual(refusal)
        const changes = [
            { chain: other },
            { round: 8 },
            { ticket: other },
            { leaf: other },
            { Y: other },
        ] satisfies Partial<RoundContext>[]
        for (const change of changes) expect(verdict({ ...context, ...change }, identity)).toEqual(refusal)
        // The last byte before the signature is of how often the source failed.
        expect(verdict(context, identity, withByte(bytes, -65, 1))).toEqual(refusal)
    })

    test("is not signed with a key under which anybody can sign", () => {
        const forged = stated().slice()
        forged.set(Uint8Array.of(1, ...new Uint8Array(31)), 1)
        expect(judge(statementClaims(context, identity, forged))).toEqual({ code: "bad-key", facts: {} })
    })
})

describe("a contribution", () => {
    const ledger = new SampleLedger("statements")
    const [party] = ledger.keys.parties
    for (const { signer: own } of ledger.keys.parties) ledger.admit(own.publicKey, true)
    for (const one of ledger.keys.parties) ledger.registerParty(one)
    ledger.registerRequester(ledger.keys.solo)
    ledger.request(ledger.keys.solo)
    ledger.due()
    const { state, time } = ledger
    const old: ChainState = { ...state, genesis: { ...state.genesis, version: 1 } }

    function saying(statement: Uint8Array): Entry & EntryOf<"contribution"> {
        const current = ledger.open()
        const lot = drawLot(party!.vrfSeed, current)
        const point = drawPoint(new Uint8Array(), ledger.random(64))
        const own = { signer: party!.signer, lot, point, statement }
        return { ...makeContribution(state.chain, current, own, ledger.random), kind: "contribution", time }
    }

    test("that says something else is refused before any proof is looked at", () => {
        const told = saying(makeAbsence("no node"))
        const garbled = saying(Uint8Array.of(9, 9))
        expect(() => apply(state, told)).not.toThrow()
        expect(() => {
            verifyEntry(state, told)
        }).not.toThrow()
        const refusal = { code: "bad-statement", facts: { bytes: 2 } }
        expect(() => apply(state, garbled)).toThrow(expect.objectContaining(refusal))
    })

    test("says nothing on a chain of version 1, whatever bytes are there", () => {
        const claims = (before: ChainState, entry: EntryOf<"contribution">) =>
            contributionClaims(before, entry).map(({ claim }) => claim)
        const silent = claims(state, saying(new Uint8Array()))
        expect(claims(state, saying(stated()))).toEqual([...silent, "key", "signature"])
        for (const statement of [Uint8Array.of(9, 9), stated()]) {
            const entry = saying(statement)
            expect(() => apply(old, entry)).not.toThrow()
            expect(claims(old, entry)).toEqual(silent)
            expect(() => {
                verifyEntry(old, entry)
            }).not.toThrow()
        }
    })
})

test("an account is of simulated hardware where one of its devices is, which the system's generator is not", () => {
    const account = (...sources: StatedSource[]) => ({
        ...{ node: signer.publicKey, time: 0, reseeds: 0, sources },
    })
    const simulated = { ...chip, simulated: true }
    expect(isSimulated(account(chip))).toBe(false)
    expect(isSimulated(account(chip, simulated))).toBe(true)
    expect(isSimulated(account(chip, { ...simulated, kind: "system" }))).toBe(false)
    for (const kind of sourceKinds.filter((one) => one !== "system"))
        expect(isSimulated(account({ ...simulated, kind }))).toBe(true)
})
