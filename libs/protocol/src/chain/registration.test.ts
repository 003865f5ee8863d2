/** Who may register, renew and revoke, with which keys, and who not. */
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { encodeScalar, order } from "@tallylight/crypto/scalar.js"
import { commitPolynomial } from "@tallylight/crypto/threshold.js"
import { describe, expect, test } from "vitest"
import { apply, begin } from "../ledger/apply.ts"
import type { Entry } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState } from "../ledger/state.ts"
import { verifyEntry } from "../ledger/verify.ts"
import { SampleLedger } from "../sample/sample-ledger.ts"
import type { SampleMember } from "../sample/sample-keys.ts"
import { Refusal } from "../wire/refusal.ts"
import { makeAdmission } from "./admission.ts"
import { makePartyRegistration, signPartyRegistration } from "./party.ts"
import {
    joinCommittee,
    makeRequesterRegistration,
    makeSoloRegistration,
    requesterRegistrationClaims,
    verifyPossession,
} from "./requester.ts"
import { makeRevocation } from "./revocation.ts"
import { seedSigner } from "./signer.ts"
import type { Signer } from "./signer.ts"

const accepted = "accepted"
const smallOrder = Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 1 : 0))
const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const person = (byte: number) => ({ signer: seedSigner(seed(byte)), vrfSeed: seed(byte + 100) })

/** A chain open to everybody, and what is asked of its state. */
function open() {
    const { genesis } = new SampleLedger("registration").state
    const parameters = { ...genesis.parameters, admission: "open", operatorKey: new Uint8Array(32) } as const
    return begin({ ...genesis, parameters })
}

/** "accepted", or the refusal's code and facts. */
function judge(state: ChainState, entry: Entry): unknown {
    try {
        apply(state, entry)
        verifyEntry(state, entry)
        return accepted
    } catch (error) {
        if (error instanceof Refusal) return [error.code, error.facts]
        throw error
    }
}

function admission(sample: SampleLedger, identity: Uint8Array, admitted: boolean, sequence: number): Entry {
    const made = makeAdmission(sample.state.chain, sample.operator, { identity, admitted, sequence })
    return { ...made, kind: "admission", time: sample.state.time }
}

type Person = ReturnType<typeof person>

function party(state: ChainState, keys: Person, sequence = 0): Entry {
    const made = makePartyRegistration(state.chain, keys, sequence)
    return { ...made, kind: "party-registration", time: state.time }
}

function solo(state: ChainState, signer: Signer, secret: bigint, sequence = 0): Entry {
    const made = makeSoloRegistration(state.chain, { signer, secret }, sequence, seed(0))
    return { ...made, kind: "requester-registration", time: state.time }
}

function revocation(state: ChainState, signer: Signer, sequence: number): Entry {
    return { ...makeRevocation(state.chain, signer, sequence), kind: "revocation", time: state.time }
}

/** A committee under that polynomial, whose members hold the shares that they are given. */
function committee(state: ChainState, polynomial: bigint[], members: SampleMember[]): Entry {
    const signer = seedSigner(seed(50))
    const plan = {
        identity: signer.publicKey,
        dealt: true,
        commitments: commitPolynomial(polynomial).map(encodePoint),
        identities: members.map((member) => member.signer.publicKey),
    }
    const joined = members.map((own) => joinCommittee(state.chain, plan, { ...own, random: seed(0) }))
    const made = makeRequesterRegistration(state.chain, plan, 0, signer, joined)
    return { ...made, kind: "requester-registration", time: state.time }
}

function member(index: number, secret: bigint, byte = 60 + index): SampleMember {
    return { index, signer: seedSigner(seed(byte)), secret }
}

describe("the operator", () => {
    test("admits and removes in sequence, and nobody does it instead", () => {
        const sample = new SampleLedger("operator")
        const { publicKey } = person(1).signer
        const first = admission(sample, publicKey, true, 1)
        expect(judge(sample.state, admission(sample, publicKey, true, 0))).toEqual([
            "stale-sequence",
            { last: 0 },
        ])
        expect(judge(sample.state, first)).toBe(accepted)
        expect(judge(apply(sample.state, first), first)).toEqual(["stale-sequence", { last: 1 }])
        expect(judge(sample.state, { ...first, admitted: false } as Entry)).toEqual(["bad-signature", {}])
        expect(judge(sample.state, admission(sample, smallOrder, true, 1))).toEqual(["bad-key", {}])
    })

    test("decides who registers, and may change its mind", () => {
        const sample = new SampleLedger("operator")
        const keys = person(1)
        const { publicKey } = keys.signer
        const registers = (sequence: number) => judge(sample.state, party(sample.state, keys, sequence))
        expect(registers(0)).toEqual(["not-admitted", {}])
        sample.admit(publicKey, true)
        expect(registers(0)).toBe(accepted)
        sample.registerParty(keys)
        sample.admit(publicKey, false)
        expect(registers(1)).toEqual(["not-admitted", {}])
        sample.admit(publicKey, true)
        expect(registers(1)).toBe(accepted)
    })

    test("ends the registration of whom it removes, after the rounds that there are, and of nobody else", () => {
        const sample = new SampleLedger("operator")
        const people = [person(1), person(2)]
        for (const { signer } of people) sample.admit(signer.publicKey, true)
        for (const keys of people) sample.registerParty(keys)
        const [one, two] = people.map(({ signer }) => signer.publicKey) as [Uint8Array, Uint8Array]
        const lasts = (state: ChainState) =>
            [one, two].map((identity) => state.parties.get(nameOf(identity))?.lastRound)
        const later = { ...sample.state, rounds: 7 }
        expect(lasts(apply(later, admission(sample, one, true, 3)))).toEqual([100, 100])
        expect(lasts(apply(later, admission(sample, one, false, 3)))).toEqual([7, 100])
        // Whoever never registered is removed from the list alone.
        const unknown = apply(later, admission(sample, seed(9), false, 3))
        expect([lasts(unknown), unknown.parties.size]).toEqual([[100, 100], 2])
    })
})

describe("a party", () => {
    test("is registered for the chain's number of rounds from now", () => {
        const state = { ...open(), rounds: 7 }
        const keys = person(1)
        const after = apply(state, party(state, keys))
        expect(after.parties.get(nameOf(keys.signer.publicKey))).toMatchObject({
            ...{ sequence: 0, lastRound: 107, revoked: false },
        })
    })

    test("renews with a higher number, until it is revoked", () => {
        const keys = person(1)
        const state = apply(open(), party(open(), keys, 4))
        for (const sequence of [3, 4])
            expect(judge(state, party(state, keys, sequence))).toEqual(["stale-sequence", { last: 4 }])
        expect(judge(state, party(state, keys, 5))).toBe(accepted)
        const ended = apply(state, revocation(state, keys.signer, 4))
        expect(judge(ended, party(ended, keys, 5))).toEqual(["revoked", {}])
    })

    test("has sound keys, and proves that it holds them", () => {
        const state = open()
        const keys = person(1)
        const honest = makePartyRegistration(state.chain, keys, 0)
        const signed = (changed: Partial<typeof honest>) => {
            const made = signPartyRegistration(state.chain, keys.signer, { ...honest, ...changed })
            return judge(state, { ...made, kind: "party-registration", time: state.time })
        }
        const others = makePartyRegistration(state.chain, person(2), 0)
        expect(signed({})).toBe(accepted)
        expect(signed({ vrfKey: smallOrder })).toEqual(["bad-key", {}])
        expect(signed({ vrfKey: others.vrfKey, possession: others.possession })).toEqual([
            "bad-possession",
            {},
        ])
        expect(signed({ sequence: 1 })).toEqual(["bad-possession", {}])
        const forged = { ...honest, kind: "party-registration", time: state.time } as const
        expect(judge(state, { ...forged, sequence: 1 })).toEqual(["bad-signature", {}])
        expect(judge(state, { ...forged, identity: smallOrder })).toEqual(["bad-key", {}])
    })
})

describe("one key", () => {
    const [one, two] = [person(1), person(2)]
    const state = apply(open(), party(open(), one))
    const identity = nameOf(one.signer.publicKey)
    const { vrfKey } = state.parties.get(identity)!

    test("is one identity's, and stays so when that one changes it", () => {
        const taken = { ...two, vrfSeed: one.vrfSeed }
        expect(judge(state, party(state, taken))).toEqual(["key-taken", { key: nameOf(vrfKey) }])
        const changed = apply(state, party(state, { ...one, vrfSeed: seed(7) }, 1))
        expect(judge(changed, party(changed, taken))).toEqual(["key-taken", { key: nameOf(vrfKey) }])
        expect(judge(changed, party(changed, one, 2))).toBe(accepted)
        expect(judge(state, party(state, two))).toBe(accepted)
    })

    test("is not an identity and a VRF key, of one or of two", () => {
        // Ed25519 and the VRF make the same public key of a seed.
        const both = { signer: two.signer, vrfSeed: seed(2) }
        expect(judge(state, party(state, both))).toEqual(["key-taken", { key: nameOf(two.signer.publicKey) }])
        expect(judge(state, party(state, { ...two, vrfSeed: seed(1) }))).toEqual([
            "key-taken",
            { key: identity },
        ])
        const named = { signer: seedSigner(one.vrfSeed), vrfSeed: seed(3) }
        expect(judge(state, party(state, named))).toEqual(["key-taken", { key: nameOf(vrfKey) }])
    })

    test("does not register its owner as a party and as a requester", () => {
        expect(judge(state, solo(state, one.signer, 5n))).toEqual(["key-taken", { key: identity }])
        const asking = apply(open(), solo(open(), one.signer, 5n))
        expect(judge(asking, party(asking, one))).toEqual(["key-taken", { key: identity }])
        expect(judge(asking, party(asking, two))).toBe(accepted)
    })

    test("does not open the rounds of two requesters", () => {
        const asking = apply(state, solo(state, seedSigner(seed(4)), 5n))
        const Y = nameOf(encodePoint(ristretto255.multiplyBase(5n)))
        expect(judge(asking, solo(asking, seedSigner(seed(5)), 5n))).toEqual(["key-taken", { key: Y }])
        expect(judge(asking, solo(asking, seedSigner(seed(5)), 6n))).toBe(accepted)
    })
})

describe("a requester", () => {
    const { signer } = person(4)

    test("renews with a higher number, until it is revoked, and keeps the numbers of its requests", () => {
        const begun = open()
        const state = apply(begun, solo(begun, signer, 5n, 4))
        const name = nameOf(signer.publicKey)
        const own = state.requesters.get(name)!
        expect(own).toMatchObject({ sequence: 4, lastRound: 100, revoked: false, requestSequence: -1 })
        for (const sequence of [3, 4])
            expect(judge(state, solo(state, signer, 5n, sequence))).toEqual(["stale-sequence", { last: 4 }])
        const asked = { ...state, requesters: state.requesters.set(name, { ...own, requestSequence: 8 }) }
        const renewed = apply({ ...asked, rounds: 7 }, solo(asked, signer, 5n, 5))
        expect(renewed.requesters.get(name)).toMatchObject({ lastRound: 107, requestSequence: 8 })
        const ended = apply(state, revocation(state, signer, 4))
        expect(judge(ended, solo(ended, signer, 5n, 5))).toEqual(["revoked", {}])
    })

    test("opens with more than half of its members, and with no more than there are", () => {
        const state = open()
        const three = [member(1, 3n), member(2, 5n), member(3, 7n)]
        expect(judge(state, committee(state, [1n, 2n], three))).toBe(accepted)
        const single = [1, 2].map((index) => member(index, 1n))
        expect(judge(state, committee(state, [1n], single))).toEqual(["bad-committee", { t: 1, n: 2 }])
        const missing = committee(state, [1n, 2n], [member(1, 3n)])
        expect(judge(state, missing)).toEqual(["bad-committee", { t: 2, n: 1 }])
        const whole = committee(state, [1n, 2n], [member(1, 3n), member(2, 5n)])
        expect(judge(state, whole)).toBe(accepted)
    })

    test("has each member once, with a sound key and the share that is its own", () => {
        const state = open()
        const twice = committee(state, [1n, 2n], [member(1, 3n, 61), member(2, 5n, 61)])
        expect(judge(state, twice)).toEqual(["bad-committee", { problem: "member twice" }])
        const wrong = committee(state, [1n, 2n], [member(1, 3n), member(2, 6n)])
        expect(judge(state, wrong)).toEqual(["bad-possession", { member: 2 }])
        const good = committee(state, [1n, 2n], [member(1, 3n), member(2, 5n)])
        if (good.kind !== "requester-registration") throw new Error("a requester was registered")
        const [first, second] = good.members
        const unsound = [first!, { ...second!, identity: smallOrder }]
        expect(judge(state, { ...good, members: unsound })).toEqual(["bad-key", {}])
        expect(judge(state, { ...good, identity: smallOrder })).toEqual(["bad-key", {}])
        expect(judge(state, { ...good, dealt: false })).toEqual(["bad-signature", {}])
    })

    test("has no member whose share everybody knows, since it is zero", () => {
        const state = open()
        // Its key would be the identity: anybody proves that they hold it, with A = sB for an s of their own.
        const proof = { A: encodePoint(ristretto255.multiplyBase(5n)), s: encodeScalar(5n) }
        const possession = (polynomial: bigint[], secret: bigint) => {
            const entry = committee(state, polynomial, [member(1, secret)])
            if (entry.kind !== "requester-registration") throw new Error("a requester was registered")
            const claims = requesterRegistrationClaims(state, entry)
            return claims.find((claim) => claim.claim === "possession")!
        }
        const good = possession([1n, 2n], 3n)
        expect(() => verifyPossession(good)).not.toThrow()
        expect(() => verifyPossession({ ...good, ...proof })).toThrow(
            expect.objectContaining({ code: "bad-possession", facts: { member: 1 } }),
        )
        // f(1) = 1 + (q - 1) = 0.
        expect(() => verifyPossession({ ...possession([1n, order - 1n], 3n), ...proof })).toThrow(
            expect.objectContaining({ code: "bad-committee", facts: { member: 1 } }),
        )
    })

    test("has commitments that are group elements, and not the identity", () => {
        const state = open()
        const good = committee(state, [1n, 2n], [member(1, 3n), member(2, 5n)])
        if (good.kind !== "requester-registration") throw new Error("a requester was registered")
        const signing = seedSigner(seed(50))
        for (const bytes of [new Uint8Array(32), new Uint8Array(32).fill(0xff)]) {
            const plan = {
                ...{ identity: signing.publicKey, dealt: true, commitments: [good.commitments[0]!, bytes] },
                identities: good.members.map(({ identity }) => identity),
            }
            const joined = [member(1, 3n), member(2, 5n)].map((own) =>
                joinCommittee(state.chain, plan, { ...own, random: seed(0) }),
            )
            const made = makeRequesterRegistration(state.chain, plan, 0, signing, joined)
            const entry = { ...made, kind: "requester-registration", time: state.time } as const
            expect(judge(state, entry)).toEqual(["bad-point", {}])
        }
    })
})

describe("a revocation", () => {
    const [one, four] = [person(1), person(4)]
    const registered = apply(open(), party(open(), one, 3))
    const state = apply(registered, solo(registered, four.signer, 5n, 3))

    test.each([
        ["party", one.signer],
        ["requester", four.signer],
    ] as const)("of a %s takes its last number or a higher one, once", (_, signer) => {
        expect(judge(state, revocation(state, signer, 2))).toEqual(["stale-sequence", { last: 3 }])
        expect(judge(state, revocation(state, signer, 3))).toBe(accepted)
        expect(judge(state, revocation(state, signer, 9))).toBe(accepted)
        const ended = apply(state, revocation(state, signer, 9))
        expect(judge(ended, revocation(ended, signer, 9))).toEqual(["not-registered", {}])
        const signed = revocation(state, signer, 3)
        expect(judge(state, { ...signed, sequence: 4 } as Entry)).toEqual(["bad-signature", {}])
    })

    test("ends the registration that it names and no other", () => {
        const names = [one, four].map(({ signer }) => nameOf(signer.publicKey)) as [string, string]
        const ended = (signer: Signer) => {
            const after = apply(state, revocation(state, signer, 9))
            const [party, requester] = [after.parties.get(names[0]), after.requesters.get(names[1])]
            return [party, requester].map((found) => [found?.revoked, found?.sequence])
        }
        expect(ended(one.signer)).toEqual([[true, 9], [false, 3]]) // prettier-ignore
        expect(ended(four.signer)).toEqual([[false, 3], [true, 9]]) // prettier-ignore
        const after = apply(state, revocation(state, one.signer, 9))
        expect([after.parties.size, after.requesters.size]).toEqual([1, 1])
    })

    test("is not for whoever has no registration", () => {
        expect(judge(state, revocation(state, person(8).signer, 0))).toEqual(["not-registered", {}])
    })
})
