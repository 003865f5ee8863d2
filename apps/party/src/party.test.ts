import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { expect, test } from "vitest"
import { Party } from "./party.ts"

test("a party that is asked twice at once gives one answer", async () => {
    const ledger = new SampleLedger("two connections")
    const { parties, solo } = ledger.keys
    for (const { signer } of parties) ledger.admit(signer.publicKey, true)
    for (const party of parties) ledger.registerParty(party)
    ledger.registerRequester(solo)
    ledger.request(solo)
    ledger.due()
    const party = new Party(parties[0]!, new MemoryNotebook(), seededRandom("party"))
    const ask = () => party.answer(ledger.state, ledger.open())
    const [one, other] = await Promise.all([ask(), ask()])
    expect(one?.kind).toBe("contribution")
    expect(one).toEqual(other)
    expect(await ask()).toEqual(one)
})
