import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"

/** The first round of a chain, in which everybody is elected. */
export function openRoundOfAll(): SampleLedger {
    const ledger = new SampleLedger("tallylight bench")
    const { parties, solo } = ledger.keys
    for (const { signer } of parties) ledger.admit(signer.publicKey, true)
    for (const party of parties) ledger.registerParty(party)
    ledger.registerRequester(solo)
    ledger.request(solo)
    ledger.due()
    return ledger
}
