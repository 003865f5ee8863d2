/** Who may register as an entropy node, with which keys and for how long, and who not. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { sha256 } from "@tallylight/crypto/hash.js"
import { describe, expect, test } from "vitest"
import { apply, begin } from "../ledger/apply.ts"
import type { Entry } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState } from "../ledger/state.ts"
import { verifyEntry } from "../ledger/verify.ts"
import { SampleLedger } from "../sample/sample-ledger.ts"
import { SampleNode } from "../sample/sample-node.ts"
import { Refusal } from "../wire/refusal.ts"
import { makeNodeRegistration } from "./entropy-node.ts"
import type { NodePlan } from "./entropy-node.ts"
import { makePartyRegistration } from "./party.ts"
import { makeSoloRegistration } from "./requester.ts"
import { makeRevocation } from "./revocation.ts"
import { seedSigner } from "./signer.ts"
import type { Signer } from "./signer.ts"

const accepted = "accepted"
const smallOrder = Uint8Array.of(1, ...new Uint8Array(31))
const own = new SampleNode("entropy nodes")
const stranger = seedSigner(new Uint8Array(32).fill(7))

const { genesis: listed } = new SampleLedger("entropy nodes").state
const parameters = { ...listed.parameters, admission: "open", operatorKey: new Uint8Array(32) } as const
/** A chain open to everybody. */
const state = begin({ ...listed, parameters })
const name = nameOf(own.signer.publicKey)

const { proof, signature: _, ...plan } = own.registration(state.chain, 0)

/** The node's registration with changes, or a stranger's. Its proof of possession is that of the unchanged one. */
function registration(change: Partial<NodePlan> = {}, signer: Signer = own.signer): Entry {
    const made = makeNodeRegistration(state.chain, signer, { ...plan, ...change }, proof)
    return { ...made, kind: "node-registration", time: state.time }
}

function commitment(first = 1): Entry {
    return { ...own.commitment(state.chain, first, 1), kind: "commitment", time: state.time }
}

function revocation(signer: Signer, sequence: number): Entry {
    return { ...makeRevocation(state.chain, signer, sequence), kind: "revocation", time: state.time }
}

/** "accepted", or the refusal's code and facts. */
function outcome(attempt: () => void): unknown {
    try {
        attempt()
        return accepted
    } catch (error) {
        if (error instanceof Refusal) return [error.code, error.facts]
        throw error
    }
}

/** What the chain says to it before any proof is looked at. */
const applied = (before: ChainState, entry: Entry) => outcome(() => void apply(before, entry))

function judged(before: ChainState, entry: Entry): unknown {
    const first = applied(before, entry)
    return first === accepted ? outcome(() => verifyEntry(before, entry)) : first
}

describe("an entropy node", () => {
    const registered = apply(state, registration({ sequence: 4 }))

    test("registers itself where the chain is open, and where it is listed once it is admitted", () => {
        expect(judged(state, registration())).toBe(accepted)
        const ledger = new SampleLedger("entropy nodes")
        const first = ledger.node.registration(ledger.state.chain, 0)
        const entry = { ...first, kind: "node-registration", time: ledger.time + 1 } as const
        expect(judged(ledger.state, entry)).toEqual(["not-admitted", {}])
        ledger.admit(ledger.node.signer.publicKey, true)
        expect(judged(ledger.state, entry)).toBe(accepted)
    })

    test("is removed by the operator with the rounds that there are, and no other node with it", () => {
        const ledger = new SampleLedger("entropy nodes")
        const { publicKey } = ledger.node.signer
        const lasts = () => [...ledger.state.nodes.values()].map(({ lastRound }) => lastRound)
        ledger.admit(publicKey, true)
        ledger.registerNode()
        ledger.admit(publicKey, true)
        ledger.admit(stranger.publicKey, false)
        expect(lasts()).toEqual([100])
        ledger.admit(publicKey, false)
        expect(lasts()).toEqual([0])
        expect(ledger.state.nodes.get(nameOf(publicKey))).toMatchObject({ sequence: 0, revoked: false })
        ledger.admit(publicKey, true)
        expect(lasts()).toEqual([0])
        ledger.registerNode(1)
        expect(lasts()).toEqual([100])
    })

    test("is registered for the chain's number of rounds from now, and neither commits nor signs after them", () => {
        const later = apply({ ...state, rounds: 7 }, registration())
        expect(later.nodes.get(name)).toMatchObject({ sequence: 0, lastRound: 107, revoked: false })
        expect(judged({ ...later, rounds: 107 }, commitment())).toBe(accepted)
        expect(judged({ ...later, rounds: 108 }, commitment())).toEqual(["not-registered", {}])
        expect(judged(state, commitment())).toEqual(["not-registered", {}])
    })

    test("renews with a higher number, until it is revoked", () => {
        for (const sequence of [3, 4])
            expect(applied(registered, registration({ sequence }))).toEqual(["stale-sequence", { last: 4 }])
        expect(applied(registered, registration({ sequence: 5 }))).toBe(accepted)
        const ended = apply(registered, revocation(own.signer, 4))
        expect(applied(ended, registration({ sequence: 5 }))).toEqual(["revoked", {}])
        expect(applied(ended, commitment())).toEqual(["not-registered", {}])
    })

    test("keeps, when it renews, what it committed to and what it signed", () => {
        const committed = apply(registered, commitment())
        const before = committed.nodes.get(name)!
        const trail = { pulseIndex: 3 } as NonNullable<typeof before.trail>
        const node = { ...before, signed: 9, trail }
        const signing = { ...committed, beacons: 12, nodes: committed.nodes.set(name, node) }
        const { commitments } = before
        expect(commitments.size).toBe(1)
        const kept = { commitments, nextCommitment: 2, signed: 9 }
        const renewed = apply(signing, registration({ sequence: 5 })).nodes.get(name)
        expect(renewed).toMatchObject({ ...kept, trail })
        const other = registration({ sequence: 5, pulseChain: plan.pulseChain + 1 })
        const moved = apply(signing, other).nodes.get(name)
        expect(moved).toMatchObject(kept)
        expect(moved?.trail).toBeUndefined()
    })

    test("begins chains of pulses in ascending order, and never goes back to one that it has left", () => {
        const renewal = (pulseChain: number, sequence = 5) => registration({ sequence, pulseChain })
        const last = plan.pulseChain
        for (const pulseChain of [last, last + 1])
            expect(applied(registered, renewal(pulseChain))).toBe(accepted)
        const refused = ["stale-sequence", { lastPulseChain: last }]
        expect(applied(registered, renewal(last - 1))).toEqual(refused)
        const moved = apply(registered, renewal(last + 1))
        expect(applied(moved, renewal(last + 1, 6))).toBe(accepted)
        expect(applied(moved, renewal(last, 6))).toEqual(["stale-sequence", { lastPulseChain: last + 1 }])
    })

    test("owes nothing for the beacons before it registered", () => {
        const late = apply({ ...state, beacons: 12 }, registration()).nodes.get(name)
        expect(late).toMatchObject({ signed: 12, nextCommitment: 0 })
        expect(late?.commitments.size).toBe(0)
    })

    test("is no party and no requester, and no party or requester is a node", () => {
        const holding = { signer: own.signer, vrfSeed: new Uint8Array(32).fill(3) }
        const party: Entry = {
            ...makePartyRegistration(state.chain, holding, 0),
            kind: "party-registration",
            time: state.time,
        }
        const member = { signer: own.signer, secret: 5n }
        const requester: Entry = {
            ...makeSoloRegistration(state.chain, member, 0, new Uint8Array(32)),
            kind: "requester-registration",
            time: state.time,
        }
        const taken = ["key-taken", { key: name }]
        for (const entry of [party, requester]) {
            expect(judged(state, entry)).toBe(accepted)
            expect(applied(registered, entry)).toEqual(taken)
            expect(applied(apply(state, entry), registration())).toEqual(taken)
        }
    })

    test("is neither registered nor heard on a chain of version 1, whatever else is wrong", () => {
        const old = (before: ChainState): ChainState => ({
            ...before,
            genesis: { ...before.genesis, version: 1 },
        })
        const pulse: Entry = {
            ...{ kind: "pulse", time: state.time, identity: own.signer.publicKey, round: 1 },
            ...{ message: new Uint8Array(8), proof: new Uint8Array(512) },
        }
        expect(applied(registered, commitment())).toBe(accepted)
        for (const entry of [registration({ sequence: 5 }), commitment(), pulse]) {
            for (const wrong of [entry, { ...entry, time: state.time - 1 }]) {
                for (const before of [registered, state])
                    expect(applied(old(before), wrong)).toEqual(["malformed-entry", { version: 1 }])
            }
        }
    })
})

describe("the keys of an entropy node", () => {
    test("are sound, and it shows that it holds them", () => {
        expect(judged(state, registration())).toBe(accepted)
        expect(judged(state, registration({ identity: smallOrder }))).toEqual(["bad-key", {}])
        expect(judged(state, registration({}, stranger))).toEqual(["bad-signature", {}])
    })

    test.each<[keyof NodePlan, Partial<NodePlan>]>([
        ["sequence", { sequence: 1 }],
        ["pulseChain", { pulseChain: plan.pulseChain + 1 }],
        ["hardware", { hardware: true }],
        ["certificateId", { certificateId: new Uint8Array(64) }],
        ["identity", { identity: stranger.publicKey }],
    ])("are shown for that %s alone", (field, change) => {
        const signer = field === "identity" ? stranger : own.signer
        expect(judged(state, registration(change, signer))).toEqual(["bad-possession", {}])
        expect(judged(state, { ...registration(), ...change })).toEqual(["bad-signature", {}])
    })

    test("for its pulses have 4096 bits and are odd", () => {
        const modulus = (first: number, last: number) =>
            plan.modulus.map((byte, at) => (at === 0 ? first : at === 511 ? last : byte))
        // These are keys by their form; nobody has signed with them.
        for (const [first, last] of [
            [0x80, 1],
            [0xff, 0xff],
        ] as const)
            expect(applied(state, registration({ modulus: modulus(first, last) }))).toBe(accepted)
        for (const [first, last] of [
            [0x7f, 1],
            [0, 1],
            [0x80, 2],
            [0xff, 0],
        ] as const)
            expect(applied(state, registration({ modulus: modulus(first, last) }))).toEqual(["bad-key", {}])
    })

    test("for its pulses are nobody else's to register", () => {
        const registered = apply(state, registration())
        const key = toHex(sha256(plan.modulus))
        const copied = registration({ identity: stranger.publicKey }, stranger)
        expect(applied(state, copied)).toBe(accepted)
        expect(applied(registered, copied)).toEqual(["key-taken", { key }])
    })
})
