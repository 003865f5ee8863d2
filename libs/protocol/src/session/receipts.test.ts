import { sha256 } from "@tallylight/crypto/hash.js"
import { fromHex } from "@tallylight/crypto/bytes.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { describe, expect, test } from "vitest"
import { seedSigner } from "../chain/signer.ts"
import { encodeEntry } from "../ledger/entry.ts"
import { makeReceipt } from "../ledger/receipt.ts"
import { sampleLedger } from "../sample/scenario.ts"
import { Refusal } from "../wire/refusal.ts"
import { describeBrokenPromise, ReceiptBook } from "./receipts.ts"

const sample = sampleLedger()
const { chain, genesis } = sample.state
const messageKey = seedSigner(sample.keys.messageSeed)
const steps = sample.entries.map((entry, index) => ({ index, leaf: leafHash(encodeEntry(entry)) }))

/** The PDL's signed word that entry 5 is what entry `of` is. */
function receipt(of: number) {
    const entry = sample.entries[of]
    if (entry === undefined) throw new Error("the sample is longer than that")
    return makeReceipt(chain, messageKey, 5, entry)
}

describe("a receipt", () => {
    test("that the ledger keeps is no news, whichever comes first", () => {
        const before = new ReceiptBook(chain)
        expect(before.add(receipt(5), genesis.messageKey)).toBeUndefined()
        expect(before.compare(steps)).toEqual([])
        expect(before.add(receipt(5), genesis.messageKey)).toBeUndefined()
    })

    test("that the ledger breaks is found when the entry comes", () => {
        const book = new ReceiptBook(chain)
        expect(book.add(receipt(6), genesis.messageKey)).toBeUndefined()
        expect(book.compare(steps)).toMatchObject([{ receipt: { index: 5 }, leaf: steps[5]?.leaf }])
    })

    test("that the ledger has broken already is found when the receipt comes", () => {
        const book = new ReceiptBook(chain)
        expect(book.compare(steps)).toEqual([])
        expect(book.add(receipt(6), genesis.messageKey)).toMatchObject({ leaf: steps[5]?.leaf })
    })

    test("for an index that was promised twice is not forgotten for the other one", () => {
        const book = new ReceiptBook(chain)
        book.add(receipt(6), genesis.messageKey)
        book.add(receipt(5), genesis.messageKey)
        expect(book.compare(steps)).toHaveLength(1)
    })

    test("of an earlier process is held against the ledger as well", () => {
        const book = new ReceiptBook(chain)
        book.expect(receipt(6))
        expect(book.compare(steps)).toHaveLength(1)
    })

    test("that the PDL did not sign is refused", () => {
        const book = new ReceiptBook(chain)
        const forged = { ...receipt(6), time: 0 }
        expect(() => book.add(forged, genesis.messageKey)).toThrow(Refusal)
        expect(book.compare(steps)).toEqual([])
    })
})

test("the evidence carries the keys that convict, under the hash that names the chain", () => {
    const book = new ReceiptBook(chain)
    book.add(receipt(6), genesis.messageKey)
    const [broken] = book.compare(steps)
    if (broken === undefined) throw new Error("nothing was broken")
    const evidence = describeBrokenPromise(genesis, chain, broken, {
        checkpoint: "note",
        inclusion: undefined,
    })
    expect(sha256(fromHex(evidence.genesis))).toEqual(fromHex(evidence.chain))
    expect(evidence.found).not.toBe(evidence.receipt.leaf)
    expect(evidence.inclusion).toBeNull()
})
