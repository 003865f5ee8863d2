import type { EntropyNode } from "@tallylight/protocol/ledger/state.js"
import { describe, expect, test } from "vitest"
import type { BeaconPulses } from "../pulses/pulses.ts"
import { canOpen } from "./payment.ts"

const hash = (ordinal: number): Uint8Array => new Uint8Array(64).fill(ordinal)

/** What it has committed to, by the ordinal of the beacon. */
function promising(promised: Record<number, number>): EntropyNode {
    const commitments = Object.entries(promised).map(
        ([ordinal, value]) => [Number(ordinal), { value: hash(value), index: 0 }] as const,
    )
    return {
        ...{ identity: hash(0), pulseChain: 2, hardware: false, sequence: 0, lastRound: 100 },
        ...{ modulus: hash(0), certificateId: hash(0), revoked: false },
        ...{ commitments: new Map(commitments), nextCommitment: 9, signed: 4, trail: undefined },
    }
}

describe("the pulse of a beacon can be made", () => {
    test.for([
        ["what was promised for it and the next one is here", { 5: 5, 6: 6, 7: 9 }, [4], true],
        ["nothing was promised", { 4: 9, 7: 9 }, [], true],
        ["nothing was promised for the next one", { 5: 5 }, [], true],
        ["nothing was promised for it", { 6: 6 }, [], true],
        ["what was promised for it is not here", { 5: 9, 6: 6 }, [], false],
        ["what was promised for the next one is not here", { 5: 5, 6: 9 }, [], false],
        ["it was passed over", { 5: 5, 6: 6 }, [5], false],
    ] as const)("where %s: %s, %s passed over: %s", async ([, promised, passed, can]) => {
        const chain: Pick<BeaconPulses, "isPassed" | "commitmentsAhead"> = {
            isPassed: (ordinal) => Promise.resolve(passed.some((one) => one === ordinal)),
            commitmentsAhead: (first, count) =>
                Promise.resolve(Array.from({ length: count }, (_, at) => hash(first + at))),
        }
        expect(await canOpen(promising(promised), 5, chain)).toBe(can)
    })
})
