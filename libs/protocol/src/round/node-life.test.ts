/** What an entropy node cannot get by being removed or committing with gaps, and how its pulses end. */
import { describe, expect, test } from "vitest"
import { registeredNode } from "../chain/entropy-node.ts"
import { apply } from "../ledger/apply.ts"
import type { EntropyNode } from "../ledger/state.ts"
import { nameOf } from "../ledger/state.ts"
import { noValue, precommitmentOf, statusBits } from "../pulse/pulse.ts"
import type { SampleLedger } from "../sample/sample-ledger.ts"
import { sampleLedger } from "../sample/scenario.ts"
import { Refusal } from "../wire/refusal.ts"

function refusalOf(action: () => unknown): string {
    try {
        action()
        return "accepted"
    } catch (error) {
        if (error instanceof Refusal) return error.code
        throw error
    }
}

/** The sample up to the node's first pulse, which it still owes. */
function owing(): SampleLedger {
    const ledger = sampleLedger()
    const at = ledger.entries.findIndex(({ kind }) => kind === "pulse")
    ledger.entries.splice(at)
    ledger.states.splice(at)
    return ledger
}

function nodeOf({ state, node }: SampleLedger): EntropyNode {
    const found = state.nodes.get(nameOf(node.signer.publicKey))
    if (found === undefined) throw new Error("the sample's entropy node is registered")
    return found
}

function change(ledger: SampleLedger, edit: Partial<EntropyNode>): void {
    const { state, node } = ledger
    const nodes = state.nodes.set(nameOf(node.signer.publicKey), { ...nodeOf(ledger), ...edit })
    ledger.states.push({ ...state, nodes })
}

describe("an entropy node", () => {
    test("that lapsed is not brought back by being removed", () => {
        const ledger = sampleLedger()
        const { publicKey } = ledger.node.signer
        const sign = (): string => refusalOf(() => registeredNode(ledger.state, publicKey))
        expect(sign()).toBe("accepted")
        change(ledger, { lastRound: ledger.state.rounds - 1 })
        expect(sign()).toBe("not-registered")
        ledger.admit(publicKey, false)
        expect(sign()).toBe("not-registered")
    })

    test("may sign until the next ticket once it is removed", () => {
        const ledger = sampleLedger()
        const { publicKey } = ledger.node.signer
        ledger.admit(publicKey, false)
        expect(refusalOf(() => registeredNode(ledger.state, publicKey))).toBe("accepted")
        ledger.states.push({ ...ledger.state, rounds: ledger.state.rounds + 1 })
        expect(refusalOf(() => registeredNode(ledger.state, publicKey))).toBe("not-registered")
    })

    test("is bound by its pulse to the next value also where it has committed to later ones", () => {
        const ledger = owing()
        const one = nodeOf(ledger).commitments.get(1)!
        change(ledger, { commitments: new Map([[1, one]]), nextCommitment: 2 })
        ledger.commit(10, 1)
        const index = ledger.state.range.size
        ledger.pulse()
        const { commitments, nextCommitment } = nodeOf(ledger)
        expect(commitments.get(2)).toEqual({ value: precommitmentOf(ledger.node.value(2)), index })
        expect(nextCommitment).toBe(11)
    })

    test("ends its chain of pulses with one that promises nothing", () => {
        const ledger = owing()
        const { state, node } = ledger
        const beacon = state.signable.at(-1)!
        const sign = (statusCode: number): string => {
            const pulse = node.pulse(state, beacon, state.time, { precommitmentValue: noValue, statusCode })
            return refusalOf(() => {
                ledger.states.push(apply(state, { ...pulse, kind: "pulse", time: state.time }))
            })
        }
        const { commitments } = nodeOf(ledger)
        expect(sign(0)).toBe("bad-opening")
        expect(sign(statusBits.lastPulse)).toBe("accepted")
        expect(nodeOf(ledger).commitments.get(2)).toEqual(commitments.get(2))
    })
})
