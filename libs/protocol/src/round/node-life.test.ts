/** What an entropy node cannot get by registering anew, being removed, or committing with gaps. */
import { describe, expect, test } from "vitest"
import { registeredNode } from "../chain/entropy-node.ts"
import { apply, begin } from "../ledger/apply.ts"
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

    test("never goes back to a chain of pulses that it has left", () => {
        const ledger = owing()
        const register = (pulseChain: number, sequence: number): string => {
            const plan = ledger.node.registration(ledger.state.chain, sequence)
            const time = ledger.state.time
            return refusalOf(() => {
                const entry = { ...plan, pulseChain, kind: "node-registration", time } as const
                ledger.states.push(apply(ledger.state, entry))
            })
        }
        expect(register(3, 1)).toBe("accepted")
        expect(register(3, 2)).toBe("accepted")
        expect(register(2, 3)).toBe("stale-sequence")
    })

    test("keeps what it committed to and signed when it registers anew", () => {
        const ledger = owing()
        ledger.pulse()
        const before = nodeOf(ledger)
        expect(before.commitments.size).toBeGreaterThan(0)
        ledger.registerNode(1)
        const { commitments, nextCommitment, signed, trail } = nodeOf(ledger)
        expect({ commitments, nextCommitment, signed, trail }).toEqual({
            ...{ commitments: before.commitments, nextCommitment: before.nextCommitment },
            ...{ signed: before.signed, trail: before.trail },
        })
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

    test("is nothing that a chain of version 1 has, whatever else is wrong with its entries", () => {
        const { entries } = sampleLedger()
        const [genesis] = entries
        if (genesis?.kind !== "genesis") throw new Error("the sample begins with its genesis")
        const old = begin({ ...genesis, version: 1 })
        const kinds = ["node-registration", "commitment", "pulse"]
        const refused = entries
            .filter(({ kind }) => kinds.includes(kind))
            .map((entry) => refusalOf(() => apply(old, { ...entry, time: 0 })))
        expect(refused.length).toBeGreaterThan(3)
        expect(new Set(refused)).toEqual(new Set(["malformed-entry"]))
    })
})
