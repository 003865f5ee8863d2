import { MemoryNotebook } from "@tallylight/protocol/ports/notebook.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { expect, test } from "vitest"
import { Party } from "./party.ts"

test("a party knows why it cannot register, and that a revocation outlasts the operator's list", () => {
    const ledger = new SampleLedger("barred")
    const keys = ledger.keys.parties[0]!
    const { publicKey } = keys.signer
    const party = new Party(keys, new MemoryNotebook(), seededRandom("barred"))
    const bars = [party.barredBy(ledger.state)]
    const look = (change: () => void): void => {
        change()
        bars.push(party.barredBy(ledger.state))
    }
    look(() => ledger.admit(publicKey, true))
    look(() => ledger.registerParty(keys))
    look(() => ledger.admit(publicKey, false))
    look(() => ledger.revoke(keys.signer, Number.MAX_SAFE_INTEGER))
    look(() => ledger.admit(publicKey, true))
    expect(bars).toEqual(["not admitted", undefined, undefined, "removed", "revoked", "revoked"])
})
