import { toHex } from "@tallylight/crypto/bytes.js"
import { expect, test } from "vitest"
import { apply } from "../ledger/apply.ts"
import { SampleLedger } from "../sample/sample-ledger.ts"
import { makeRequest } from "./request.ts"
import { dueEntry, wakeAt } from "./schedule.ts"

const nobody = toHex(new Uint8Array(64))

/** A chain with three parties and two requesters, the first round asked for by the first of them. */
function start(): SampleLedger {
    const ledger = new SampleLedger("seeds")
    const parties = ledger.keys.parties.slice(0, 3)
    for (const { signer } of parties) ledger.admit(signer.publicKey, true)
    for (const party of parties) ledger.registerParty(party)
    ledger.registerRequester(ledger.keys.solo)
    ledger.registerRequester(ledger.keys.committee)
    return ledger
}

/** A request of the solo requester for later, with a nonce that is the same in every branch. */
function requestFor(ledger: SampleLedger, notBefore: number): void {
    const { solo } = ledger.keys
    const registered = [...ledger.state.requesters.values()].find(({ dealt }) => !dealt)
    const Y = registered?.commitments[0]
    if (registered === undefined || Y === undefined) throw new Error("not registered")
    const fields = { Y, nonce: new Uint8Array(32), sequence: registered.requestSequence + 1, notBefore }
    const request = makeRequest(ledger.state.chain, solo.signer, fields)
    ledger.log({ ...request, kind: "request", time: ledger.now() })
}

function finish(ledger: SampleLedger, members: SampleLedger["keys"]["solo"]["members"]): void {
    ledger.due()
    for (const member of members) ledger.logShare(ledger.sealed(), member)
    ledger.due()
}

/** Round 1 runs while a request for a minute later waits; returns what that request's ticket becomes. */
function ticketAfter(interlude: (ledger: SampleLedger) => void): { ticket: string; seed: string; k: number } {
    const ledger = start()
    const { solo, parties } = ledger.keys
    const later = ledger.time + 60_000
    ledger.request(solo)
    requestFor(ledger, later)
    ledger.answerAll(parties.slice(0, 3))
    finish(ledger, solo.members)
    interlude(ledger)
    ledger.time = Math.max(ledger.time, later)
    ledger.due()
    const entry = ledger.entries.at(-1)
    if (entry?.kind !== "ticket") throw new Error("no ticket was due")
    return { ticket: toHex(entry.ticket), seed: toHex(entry.seed), k: entry.k }
}

const undisturbed = ticketAfter(() => undefined)

test("a request that waited through a round gets that round's output as its seed", () => {
    expect(undisturbed.seed).not.toBe(nobody)
    expect(undisturbed.k).toBe(2)
})

test("a round of somebody else's in between changes nothing about a request's ticket", () => {
    const disturbed = ticketAfter((ledger) => {
        ledger.request(ledger.keys.committee)
        ledger.answerAll(ledger.keys.parties.slice(0, 3))
        finish(ledger, ledger.keys.committee.members.slice(0, 2))
    })
    expect(disturbed).toEqual(undisturbed)
})

test("a round in between that is made to fail changes nothing either", () => {
    const disturbed = ticketAfter((ledger) => {
        ledger.request(ledger.keys.committee)
        ledger.answerAll(ledger.keys.parties.slice(0, 3))
        ledger.due()
        ledger.time += 20_000
        ledger.due()
        expect(ledger.entries.at(-1)).toMatchObject({ kind: "void", reason: "withheld" })
    })
    expect(disturbed).toEqual(undisturbed)
})

test("a request whose first round fails has no seed, and elects everybody", () => {
    const ledger = start()
    const { solo, committee, parties } = ledger.keys
    ledger.request(solo)
    ledger.request(committee)
    ledger.answerAll(parties.slice(0, 3))
    ledger.due()
    ledger.time += 20_000
    ledger.due()
    ledger.due()
    const entry = ledger.entries.at(-1)
    expect(entry).toMatchObject({ kind: "ticket", k: 3, n: 3 })
    expect(entry?.kind === "ticket" && toHex(entry.seed)).toBe(nobody)
})

test("the queue is served by when requests are due, whatever the time of the ticket", () => {
    const ledger = start()
    requestFor(ledger, ledger.time + 5000)
    ledger.request(ledger.keys.committee)
    const [first, second] = ledger.state.queue
    expect(first?.due).toBeLessThan(second?.due ?? 0)
    ledger.time += 60_000
    ledger.due()
    // Both are due by now, and the first in the ledger is not the first in the queue.
    expect(ledger.entries.at(-1)).toMatchObject({ kind: "ticket", request: first?.index })
    expect(first?.index).toBeGreaterThan(second?.index ?? 0)
})

test("rounds in between do not thin out the roster of a request", () => {
    const ledger = start()
    const { committee, parties } = ledger.keys
    const honest = parties.slice(0, 3)
    requestFor(ledger, ledger.time + 3_600_000)
    const waiting = ledger.state.queue[0]
    expect(waiting?.roster.size).toBe(3)
    // As many rounds as a registration lives, each of them void at once: nobody answers, and the next is asked for.
    const { registrationRounds } = ledger.state.genesis.parameters
    for (let round = 0; round < registrationRounds; round += 2) {
        ledger.request(committee)
        for (const _ of ["first attempt", "retry"]) {
            ledger.due()
            ledger.time += 11_000
            ledger.due()
        }
        if (round === registrationRounds / 2) for (const party of honest) ledger.registerParty(party, 1)
    }
    ledger.time += 3_600_000
    ledger.due()
    expect(ledger.entries.at(-1)).toMatchObject({ kind: "ticket", n: 3 })
    for (const party of honest) ledger.log(ledger.answer(party))
})

test("a request that is not due gets no ticket, neither from the server nor in a ledger", () => {
    const ledger = start()
    const due = ledger.time + 60_000
    requestFor(ledger, due)
    const { state } = ledger
    const { vrfSeed } = ledger.keys
    expect(dueEntry(state, vrfSeed, due - 1)).toBeUndefined()
    expect(wakeAt(state)).toBe(due)
    const ticket = dueEntry(state, vrfSeed, due)
    if (ticket?.kind !== "ticket") throw new Error("the ticket was due")
    expect(() => apply(state, ticket)).not.toThrow()
    const early = { ...ticket, time: due - 1, closesAt: ticket.closesAt - 1 }
    expect(() => apply(state, early)).toThrow(expect.objectContaining({ code: "out-of-turn" }))
})
