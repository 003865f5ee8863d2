import { ed25519PublicKey } from "@tallylight/crypto/ed25519.js"
import { describe, expect, test } from "vitest"
import { apply, begin } from "../ledger/apply.ts"
import type { Parameters } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { Genesis } from "../ledger/state.ts"
import { verifyEntry } from "../ledger/verify.ts"
import { SampleLedger } from "../sample/sample-ledger.ts"
import { Refusal } from "../wire/refusal.ts"
import { makePartyRegistration } from "./party.ts"
import { seedSigner } from "./signer.ts"

const sample = new SampleLedger("genesis")
const { genesis } = sample.state
const listed = genesis.parameters
const open = { admission: "open", operatorKey: new Uint8Array(32) } as const
const smallOrder = Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0))

function keyOf(byte: number): Uint8Array {
    return ed25519PublicKey(new Uint8Array(32).fill(byte))
}

function witness(name: string, key: Uint8Array) {
    return { name, key }
}

function judge(changed: Genesis): unknown {
    try {
        verifyEntry(begin(changed), changed)
        return "accepted"
    } catch (error) {
        if (error instanceof Refusal) return [error.code, error.facts]
        throw error
    }
}

describe("a chain's parameters", () => {
    const set = (parameters: Partial<Parameters>) =>
        judge({ ...genesis, parameters: { ...listed, ...parameters } })

    test.each([
        ["expectedContributors", 1],
        ["minimumContributors", 1],
        ["contributionWindowMs", 1],
        ["decryptionWindowMs", 1],
        ["queueLength", 1],
        ["registrationRounds", 2],
    ] as const)("have a %s of at least %d", (name, least) => {
        expect(set({ [name]: least })).toBe("accepted")
        expect(set({ [name]: least - 1 })).toEqual(["bad-genesis", { problem: name }])
    })

    test("name an operator where parties are listed, and none where everybody is let in", () => {
        expect(set({})).toBe("accepted")
        expect(set(open)).toBe("accepted")
        const refused = ["bad-genesis", { problem: "operatorKey" }]
        expect(set({ operatorKey: open.operatorKey })).toEqual(refused)
        expect(set({ admission: open.admission })).toEqual(refused)
        expect(set({ ...open, operatorKey: new Uint8Array(32).fill(1, 31) })).toEqual(refused)
    })
})

test("a genesis is of this version and asks for no quorum, which nothing here would check", () => {
    expect(judge(genesis)).toBe("accepted")
    for (const version of [0, 3])
        expect(judge({ ...genesis, version })).toEqual(["bad-genesis", { problem: "version" }])
    const witnesses = [witness("one", keyOf(1))]
    expect(judge({ ...genesis, witnesses })).toBe("accepted")
    expect(judge({ ...genesis, witnesses, quorum: 1 })).toEqual(["bad-genesis", { problem: "quorum" }])
})

test("witnesses have a name each", () => {
    const [one, two] = [witness("one", keyOf(1)), witness("two", keyOf(2))]
    expect(judge({ ...genesis, witnesses: [one, two] })).toBe("accepted")
    expect(judge({ ...genesis, witnesses: [one, { ...two, name: "one" }] })).toEqual([
        "bad-genesis",
        { problem: "witnesses" },
    ])
})

describe("the keys of a genesis", () => {
    const twice = ["bad-genesis", { problem: "one key in two places" }]

    test("are different ones", () => {
        const { ledgerKey, messageKey, vrfKey } = genesis
        expect(judge({ ...genesis, messageKey: ledgerKey })).toEqual(twice)
        expect(judge({ ...genesis, vrfKey: messageKey })).toEqual(twice)
        expect(judge({ ...genesis, vrfKey: ledgerKey })).toEqual(twice)
        for (const operatorKey of [ledgerKey, messageKey, vrfKey])
            expect(judge({ ...genesis, parameters: { ...listed, operatorKey } })).toEqual(twice)
        const witnesses = [witness("one", messageKey)]
        expect(judge({ ...genesis, witnesses })).toEqual(twice)
        const same = [witness("one", keyOf(1)), witness("two", keyOf(1))]
        expect(judge({ ...genesis, witnesses: same })).toEqual(twice)
    })

    test("are sound, each of them", () => {
        const refused = ["bad-key", {}]
        for (const name of ["ledgerKey", "messageKey", "vrfKey"] as const)
            expect(judge({ ...genesis, [name]: smallOrder })).toEqual(refused)
        expect(judge({ ...genesis, parameters: { ...listed, operatorKey: smallOrder } })).toEqual(refused)
        const witnesses = [witness("one", keyOf(1)), witness("two", smallOrder)]
        expect(judge({ ...genesis, witnesses })).toEqual(refused)
    })

    test("are nobody else's to register", () => {
        const vrfSeed = new Uint8Array(32).fill(1)
        const witnesses = [witness("one", keyOf(1))]
        const signer = seedSigner(new Uint8Array(32).fill(2))
        for (const [chosen, code] of [
            [{ ...genesis, parameters: { ...listed, ...open } }, "accepted"],
            [{ ...genesis, parameters: { ...listed, ...open }, witnesses }, "key-taken"],
            [{ ...genesis, parameters: { ...listed, ...open }, vrfKey: keyOf(1) }, "key-taken"],
            [{ ...genesis, parameters: { ...listed, ...open }, messageKey: keyOf(1) }, "key-taken"],
            [{ ...genesis, parameters: { ...listed, ...open }, ledgerKey: keyOf(1) }, "key-taken"],
        ] as const) {
            const state = begin(chosen)
            const made = makePartyRegistration(state.chain, { signer, vrfSeed }, 0)
            const entry = { ...made, kind: "party-registration", time: state.time } as const
            const register = () => apply(state, entry)
            if (code === "accepted") expect(register).not.toThrow()
            else {
                const key = nameOf(keyOf(1))
                expect(register).toThrow(expect.objectContaining({ code, facts: { key } }))
            }
        }
        const operatorKey = keyOf(1)
        expect(
            begin({ ...genesis, parameters: { ...listed, operatorKey } }).keys.get(nameOf(operatorKey)),
        ).toBe("pdl")
    })
})

test("a chain begins with nobody admitted, registered or waiting, and with no round", () => {
    const state = begin(genesis)
    expect(state).toMatchObject({ admissionSequence: 0, queue: [], rounds: 0, time: genesis.time })
    expect(state.current).toBeUndefined()
    expect([state.admitted, state.parties, state.requesters, state.withheld].map(({ size }) => size)).toEqual(
        [0, 0, 0, 0],
    )
    expect(state.range.size).toBe(1)
    expect(state.keys.size).toBe(4)
    expect(begin({ ...genesis, parameters: { ...listed, ...open } }).keys.size).toBe(3)
})
