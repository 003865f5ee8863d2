import { SampleLedger } from "./sample-ledger.ts"

/** Where in the sample each round stands, and what it shows. */
export const sampleRounds = {
    first: 1,
    elected: 2,
    committee: 3,
    belowMinimum: 4,
    retried: 5,
    withheld: 6,
    wrongShare: 7,
    unfinished: 8,
} as const

/** The ledger of PROTOCOL.md §11: eight rounds, the last one unfinished. */
export function sampleLedger(seed = "tallylight sample 5"): SampleLedger {
    const ledger = new SampleLedger(seed)
    const { parties, solo, committee } = ledger.keys
    const [alone] = solo.members
    const [lying, second, third] = committee.members
    const [one, two, three, four] = parties
    if (!one || !two || !three || !four || !alone || !lying || !second || !third)
        throw new Error("the sample is short of actors")
    const staying = [one, two, three]

    for (const { signer } of parties) ledger.admit(signer.publicKey, true)
    for (const party of parties) ledger.registerParty(party)
    ledger.registerRequester(solo)
    ledger.registerRequester(committee)
    ledger.revoke(four.signer, 1)
    ledger.admit(ledger.node.signer.publicKey, true)
    ledger.registerNode()
    ledger.commit(1, 3)

    // Round 1 has no seed: everybody is elected. Round 2 is requested before the ticket of round 1 is known.
    ledger.request(solo)
    ledger.request(solo)
    ledger.answerAll(staying)
    ledger.request(committee)
    ledger.due()
    ledger.openAlone(alone)
    ledger.pulse()

    // Round 2 is a lottery; a party's renewal counts for later requests only.
    ledger.due()
    ledger.registerParty(one, 1)
    ledger.log(ledger.answer(one, "node"))
    ledger.log(ledger.answer(two, "party"))
    ledger.log(ledger.answer(three, "node"))
    sealElected(ledger)
    ledger.openAlone(alone)
    ledger.pulse()

    // Round 3 is opened by two of three; one of them lies first and is convicted.
    ledger.answerAll(staying)
    sealElected(ledger)
    const opened = ledger.sealed()
    ledger.logShare(opened, lying, false)
    ledger.logShare(opened, second)
    ledger.logShare(opened, third)
    ledger.due()
    // The entropy node is away, and passes this beacon over.
    ledger.registerNode(1)

    // Round 4 fails for want of contributors, so round 5 elects everybody.
    ledger.request(solo)
    ledger.due()
    ledger.log(ledger.answer(one))
    ledger.time += 20_000
    ledger.due()
    ledger.answerAll(staying)
    ledger.due()
    ledger.openAlone(alone)
    // It had committed to no value for this one; the pulse commits to the next.
    ledger.pulse()

    // Round 6 is withheld, and opened late.
    ledger.request(solo)
    ledger.answerAll(staying)
    ledger.due()
    const late = ledger.sealed()
    ledger.extend()
    ledger.time += 20_000
    ledger.due()
    ledger.logShare(late, alone)
    ledger.due()

    // Round 7's only member lies.
    ledger.request(solo)
    ledger.answerAll(staying)
    ledger.due()
    ledger.logShare(ledger.sealed(), alone, false)
    ledger.due()

    ledger.request(solo)
    ledger.due()
    ledger.log(ledger.answer(two))
    ledger.admit(three.signer.publicKey, false)
    return ledger
}

/** Seals the round in progress; the seed was chosen so that its lottery elects enough. */
function sealElected(ledger: SampleLedger): void {
    ledger.due()
    if (ledger.state.current?.phase !== "sealed")
        throw new Error("the sample's lottery elected too few: try another seed")
}
