/** For which beacons an entropy node may commit to a value, and for how long that is remembered. */
import { describe, expect, test } from "vitest"
import { apply } from "../ledger/apply.ts"
import type { Entry } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState } from "../ledger/state.ts"
import { verifyEntry } from "../ledger/verify.ts"
import { precommitmentOf } from "../pulse/pulse.ts"
import { SampleLedger } from "../sample/sample-ledger.ts"
import { Refusal } from "../wire/refusal.ts"
import { farthestCommitment } from "./commitment.ts"

const ledger = new SampleLedger("commitments")
const { node, state: empty } = ledger
ledger.admit(node.signer.publicKey, true)
ledger.registerNode()
const { state } = ledger
const name = nameOf(node.signer.publicKey)

const accepted = "accepted"

function commitment(first: number, count = 1): Entry {
    return { ...node.commitment(state.chain, first, count), kind: "commitment", time: state.time }
}

/** "accepted", or the refusal's code and facts. */
function judge(before: ChainState, entry: Entry): unknown {
    try {
        apply(before, entry)
        verifyEntry(before, entry)
        return accepted
    } catch (error) {
        if (error instanceof Refusal) return [error.code, error.facts]
        throw error
    }
}

/** The ordinals to whose values the node is bound then. */
function bound({ nodes }: ChainState): readonly number[] {
    return [...(nodes.get(name)?.commitments.keys() ?? [])]
}

describe("an entropy node commits", () => {
    test("to values of beacons that are not out", () => {
        const later = { ...state, beacons: 3 }
        expect(judge(later, commitment(4))).toBe(accepted)
        for (const first of [1, 3])
            expect(judge(later, commitment(first))).toEqual(["wrong-commitment", { next: 4, beacons: 3 }])
    })

    test("to one value for each, and not to an earlier one afterwards", () => {
        const committed = apply(state, commitment(2, 3))
        expect(bound(committed)).toEqual([2, 3, 4])
        expect(judge(committed, commitment(5))).toBe(accepted)
        for (const first of [1, 2, 4])
            expect(judge(committed, commitment(first))).toEqual(["wrong-commitment", { next: 5, beacons: 0 }])
        // What is out counts where it is beyond what was committed to.
        const later = { ...committed, beacons: 7 }
        expect(judge(later, commitment(8))).toBe(accepted)
        expect(judge(later, commitment(7))).toEqual(["wrong-commitment", { next: 8, beacons: 7 }])
    })

    test("as far ahead as everybody has to remember, and no farther", () => {
        expect(farthestCommitment).toBe(128)
        const later = { ...state, beacons: 3 }
        const refused = ["wrong-commitment", { next: 4, beacons: 3 }]
        expect(judge(later, commitment(131))).toBe(accepted)
        expect(judge(later, commitment(132))).toEqual(refused)
        expect(judge(later, commitment(124, 8))).toBe(accepted)
        expect(judge(later, commitment(125, 8))).toEqual(refused)
    })

    test("once it is registered, and under its own signature", () => {
        const entry = commitment(1)
        expect(judge(state, entry)).toBe(accepted)
        expect(judge({ ...empty, time: state.time }, entry)).toEqual(["not-registered", {}])
        expect(judge(state, { ...entry, first: 2 } as Entry)).toEqual(["bad-signature", {}])
    })
})

describe("a commitment", () => {
    test("is kept with the place of its entry, beside those before it", () => {
        const first = apply(state, commitment(1, 2))
        const second = apply(first, commitment(3))
        const kept = second.nodes.get(name)
        expect(kept?.nextCommitment).toBe(4)
        const { size } = state.range
        expect([...(kept?.commitments ?? [])]).toEqual([
            [1, { value: precommitmentOf(node.value(1)), index: size }],
            [2, { value: precommitmentOf(node.value(2)), index: size }],
            [3, { value: precommitmentOf(node.value(3)), index: size + 1 }],
        ])
    })

    test("is forgotten once no pulse can open it any more", () => {
        const committed = apply(state, commitment(1, 4))
        const beacon = { round: 1, output: new Uint8Array(64), ticketIndex: 0 }
        const signable = [2, 3].map((ordinal) => ({ ...beacon, ordinal }))
        const later = { ...committed, beacons: 3, signable }
        expect(bound(apply(later, commitment(5)))).toEqual([2, 3, 4, 5])
    })
})
