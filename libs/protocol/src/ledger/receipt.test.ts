import { expect, test } from "vitest"
import { seedSigner } from "../chain/signer.ts"
import { sampleLedger } from "../sample/scenario.ts"
import type { Entry } from "./entry.ts"
import { makeReceipt, requireReceiptFor, WrongReceipt } from "./receipt.ts"

const sample = sampleLedger()
const messageKey = seedSigner(sample.keys.messageSeed)
const size = sample.entries.length

function entry(index: number): Entry {
    const found = sample.entries[index]
    if (found === undefined) throw new Error("the sample is longer than that")
    return found
}

test.each(sample.entries.map(({ kind }, index) => [index, kind] as const))(
    "a receipt for entry %i, a %s, is for what was sent, whatever its time",
    (index) => {
        const receipt = makeReceipt(sample.state.chain, messageKey, index, entry(index))
        expect(() => requireReceiptFor(receipt, { ...entry(index), time: 0 }, size)).not.toThrow()
    },
)

test("a receipt for a share is one whatever the server thinks of its proof", () => {
    const index = sample.entries.findIndex(({ kind }) => kind === "share")
    const sent = entry(index)
    if (sent.kind !== "share") throw new Error("the sample has shares")
    const receipt = makeReceipt(sample.state.chain, messageKey, index, { ...sent, valid: false })
    expect(() => requireReceiptFor(receipt, { ...sent, valid: true }, size)).not.toThrow()
})

test("a receipt for something else than what was sent is none", () => {
    const index = sample.entries.findIndex(({ kind }) => kind === "contribution")
    const dropped = { ...entry(index), time: 0 }
    for (const other of [index - 1, index + 1]) {
        const receipt = makeReceipt(sample.state.chain, messageKey, other, entry(other))
        expect(() => requireReceiptFor(receipt, dropped, size)).toThrow(WrongReceipt)
    }
})

test("a receipt for an index that no ledger has soon is none", () => {
    const receipt = makeReceipt(sample.state.chain, messageKey, 2 ** 40, entry(5))
    expect(() => requireReceiptFor(receipt, entry(5), size)).toThrow(WrongReceipt)
})
