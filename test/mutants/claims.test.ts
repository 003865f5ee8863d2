/** A claim is judged without the ledger: as a copy, by somebody who has seen nothing else. */
import { verifyClaim } from "@tallylight/protocol/ledger/judge.js"
import { claimsOf } from "@tallylight/protocol/ledger/verify.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { expect, test } from "vitest"
import { refusalOf, sentOf, unprovenOf } from "../samples/unproven.ts"
import type { Sent } from "../samples/unproven.ts"

const sample = sampleLedger()

function judge({ state, entry }: Sent): void {
    for (const claim of claimsOf(state, entry)) verifyClaim(structuredClone(claim))
}

test("all claims of honest entries hold, of every kind that others send", () => {
    const sent = sentOf(sample)
    for (const each of sent) judge(each)
    expect(new Set(sent.map(({ entry }) => entry.kind)).size).toBe(11)
})

const unproven = unprovenOf(sample)

test.each(unproven)("refuses $breaks with the entry's code and facts", (sent) => {
    const refusal = refusalOf(() => judge(sent))
    expect([refusal?.code, refusal?.facts]).toEqual([sent.refusal.code, sent.refusal.facts])
})

test("the mutants fail in every way in which a claim can", () => {
    expect([...new Set(unproven.map(({ refusal }) => refusal.code))].sort()).toEqual([
        "bad-eligibility",
        "bad-key",
        "bad-knowledge",
        "bad-point",
        "bad-possession",
        "bad-share",
        "bad-signature",
    ])
})
