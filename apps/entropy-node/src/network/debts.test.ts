import { emptyRegistry, nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, EntropyNode, Genesis, SignableBeacon } from "@tallylight/protocol/ledger/state.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { Set as PersistentSet } from "immutable"
import { describe, expect, test } from "vitest"
import { debtOf, whyNothingIsOwed, widerMargin } from "./debts.ts"
import type { Attempts, OwnPlan } from "./debts.ts"

const identity = new Uint8Array(32).fill(7)
const own: OwnPlan = {
    ...{ identity, pulseChain: 2, hardware: true },
    ...{ modulus: new Uint8Array(512).fill(3), certificateId: new Uint8Array(64).fill(4) },
}
const untried: Attempts = { lost: new Set(), margin: 0, last: undefined, made: undefined }

/** It has committed to 24 beacons ahead of the 100 that there were, and has signed those. */
const paid: EntropyNode = {
    ...own,
    ...{ sequence: 5, lastRound: 1000, revoked: false, trail: undefined },
    ...{ commitments: new Map(), nextCommitment: 125, signed: 100 },
}
const beacon = (ordinal: number): SignableBeacon => ({
    ...{ ordinal, round: 2 * ordinal, ticketIndex: 7 * ordinal, output: new Uint8Array(32) },
})
const { genesis, ...sample } = new SampleLedger("debts").state

function stateOf(node: EntropyNode | undefined, changes: Partial<ChainState> = {}): ChainState {
    const name = nameOf(identity)
    return {
        ...{ ...sample, genesis, admitted: PersistentSet([name]) },
        nodes: node === undefined ? emptyRegistry() : emptyRegistry<EntropyNode>().set(name, node),
        // Half of a registration's hundred rounds are left, and one more.
        ...{ beacons: 100, rounds: 1000 - 51, signable: [98, 99, 100].map(beacon) },
        ...changes,
    }
}

const withParameters = (parameters: Partial<Genesis["parameters"]>): Genesis => ({
    ...genesis,
    parameters: { ...genesis.parameters, ...parameters },
})

describe("nothing is owed", () => {
    test("by a node that has registered, committed and signed", () => {
        expect(whyNothingIsOwed(stateOf(paid), identity)).toBeUndefined()
        expect(debtOf(stateOf(paid), own, untried)).toBeUndefined()
    })

    test("to a chain of version 1", () => {
        const first = { genesis: { ...genesis, version: 1 } }
        expect(whyNothingIsOwed(stateOf(paid, first), identity)).toMatch(/^this chain is of version 1/)
        const second = { genesis: { ...genesis, version: 2 } }
        expect(whyNothingIsOwed(stateOf(paid, second), identity)).toBeUndefined()
    })

    test("by a node that was revoked", () => {
        const revoked = { ...paid, revoked: true }
        expect(whyNothingIsOwed(stateOf(revoked), identity)).toMatch(/ was revoked$/)
        expect(whyNothingIsOwed(stateOf(revoked, { admitted: PersistentSet() }), identity)).toMatch(
            / was revoked$/,
        )
    })

    test.for([
        ["listed", "this node", true],
        ["listed", "another one", false],
        ["open", "another one", true],
    ] as const)("on a chain whose admission is %s, and %s is admitted: %s", ([admission, who, mayJoin]) => {
        expect(genesis.parameters.admission).toBe("listed")
        const admitted = PersistentSet([who === "this node" ? nameOf(identity) : "07".repeat(31)])
        const state = stateOf(undefined, { genesis: withParameters({ admission }), admitted })
        const reason = `this chain admits listed nodes only: give this identity to its operator: ${nameOf(identity)}`
        expect(whyNothingIsOwed(state, identity)).toBe(mayJoin ? undefined : reason)
    })
})

describe("a registration is owed before all else", () => {
    const next = { what: "registration", plan: { ...own, sequence: 6 } }
    const urgent = { signable: [beacon(101)], beacons: 124 }

    test("by a node that has none", () => {
        const first = { what: "registration", plan: { ...own, sequence: 0 } }
        expect(debtOf(stateOf(undefined, urgent), own, untried)).toStrictEqual(first)
    })

    test.for([
        ["the key", { modulus: new Uint8Array(512).fill(5) }],
        ["the certificate", { certificateId: new Uint8Array(64).fill(5) }],
        ["what is hardware", { hardware: false }],
        ["the chain of pulses", { pulseChain: 1 }],
    ] as const)("where %s is not what the ledger was told", ([, change]) => {
        expect(debtOf(stateOf({ ...paid, ...change }, urgent), own, untried)).toStrictEqual(next)
    })

    test.for([
        [100, 51, undefined],
        [100, 50, next],
        [100, -1, next],
        [101, 51, undefined],
        [101, 50, next],
        [102, 51, next],
    ] as const)("where of %i rounds %i are left", ([registrationRounds, left, debt]) => {
        const changes = { genesis: withParameters({ registrationRounds }), rounds: 1000 - left }
        expect(debtOf(stateOf(paid, changes), own, untried)).toStrictEqual(debt)
    })
})

describe("a pulse that is made and not logged", () => {
    const changed = { ...paid, certificateId: new Uint8Array(64).fill(5), signed: 98 }
    const made = { slot: 100, certificateId: changed.certificateId }
    const [pulse, registration] = ["pulse", "registration"]

    test.for([
        ["names what is still registered", changed, made, untried, pulse],
        [
            "names what is not registered yet",
            changed,
            { ...made, certificateId: own.certificateId },
            untried,
            registration,
        ],
        ["is logged", { ...changed, signed: 100 }, made, untried, registration],
        [
            "is of a beacon that can no longer be signed",
            changed,
            { ...made, slot: 97 },
            untried,
            registration,
        ],
        ["cannot open what was promised", changed, made, { ...untried, lost: new Set([100]) }, registration],
        ["is of the next chain of pulses", { ...changed, pulseChain: 1 }, made, untried, registration],
        ["comes after the registration's end", { ...changed, lastRound: 900 }, made, untried, registration],
        ["is none", changed, undefined, untried, registration],
    ] as const)("which %s", ([, node, last, attempts, what]) => {
        const debt = debtOf(stateOf(node), own, { ...attempts, made: last })
        expect(debt?.what).toBe(what)
        if (debt?.what === "pulse") expect([debt.node, debt.beacon]).toStrictEqual([node, beacon(100)])
    })

    test("comes in its turn where nothing else has to be registered", () => {
        const node = { ...paid, signed: 98, nextCommitment: 101 }
        const named = { slot: 100, certificateId: own.certificateId }
        expect(debtOf(stateOf(node), own, { ...untried, made: named })?.what).toBe("commitments")
    })
})

describe("commitments are owed", () => {
    const from = (first: number) => ({ what: "commitments", first, count: 8 })

    test.for([
        [24, undefined],
        [23, from(124)],
        [1, from(102)],
        [0, from(101)],
    ] as const)("with %i beacons ahead committed to", ([ahead, debt]) => {
        const node = { ...paid, nextCommitment: 101 + ahead }
        expect(debtOf(stateOf(node), own, untried)).toStrictEqual(debt)
    })

    test.for([
        ["behind the latest beacon", 90, 0, 101],
        ["behind the latest beacon", 90, 1, 102],
        ["behind the latest beacon", 90, 64, 165],
        ["as far as the margin", 105, 4, 105],
        ["not as far as the margin", 105, 5, 106],
    ] as const)("where those there are end %s: %i, %i", ([, nextCommitment, margin, first]) => {
        const state = stateOf({ ...paid, nextCommitment })
        expect(debtOf(state, own, { ...untried, margin })).toStrictEqual(from(first))
    })

    test("with a margin that doubles each time they come too late", () => {
        const margins = [0]
        for (let i = 0; i < 8; i++) margins.push(widerMargin(margins.at(-1) ?? 0))
        expect(margins).toStrictEqual([0, 1, 2, 4, 8, 16, 32, 64, 64])
    })
})

describe("a pulse is owed", () => {
    const behind = { ...paid, signed: 98 }
    const pulse = (ordinal: number, node: EntropyNode) => ({ what: "pulse", node, beacon: beacon(ordinal) })

    test.for([
        ["none is lost", [], 99],
        ["those that were signed are lost", [97, 98], 99],
        ["the next one is lost", [99], 100],
        ["a later one is lost", [100], 99],
        ["all are lost", [99, 100], undefined],
    ] as const)("for the oldest beacon that has none, where %s", ([, lost, ordinal]) => {
        const debt = debtOf(stateOf(behind), own, { ...untried, lost: new Set(lost) })
        expect(debt).toStrictEqual(ordinal === undefined ? undefined : pulse(ordinal, behind))
    })

    test.for([
        [2, undefined, "pulse"],
        [2, "pulse", "pulse"],
        [2, "commitments", "pulse"],
        [1, undefined, "commitments"],
        [1, "registration", "commitments"],
        [1, "pulse", "commitments"],
        [1, "commitments", "pulse"],
        [-9, "pulse", "commitments"],
        [-9, "commitments", "pulse"],
    ] as const)("in turns with commitments, %i ahead and %s last: %s", ([ahead, last, what]) => {
        const node = { ...behind, nextCommitment: 101 + ahead }
        expect(debtOf(stateOf(node), own, { ...untried, last })?.what).toBe(what)
    })
})
