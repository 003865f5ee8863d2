/** What a server makes of admissions, over real sockets: each time the honest one first, then what is wrong with it. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { makeAdmission } from "@tallylight/protocol/chain/admission.js"
import { makePartyRegistration } from "@tallylight/protocol/chain/party.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { SampleParty } from "@tallylight/protocol/sample/sample-keys.js"
import { Arena, newParty } from "../attacks/arena.ts"
import { afterAll, beforeAll, describe, expect, test } from "vitest"

const operator = seedSigner(new Uint8Array(32).fill(7))

describe("on a listed chain", () => {
    let arena: Arena

    beforeAll(async () => {
        const operatorKey = toHex(operator.publicKey)
        arena = await Arena.open({ parties: 0, chain: { admission: "listed", operatorKey } })
    })
    afterAll(() => arena.close())

    const next = (): number => arena.state.admissionSequence + 1

    function decision({ signer }: SampleParty, admitted: boolean, sequence = next(), by = operator) {
        return makeAdmission(arena.chain, by, { identity: signer.publicKey, admitted, sequence })
    }

    /** Its index in the ledger, which everybody then has. */
    async function decide(party: SampleParty, admitted: boolean): Promise<number> {
        const stranger = await arena.stranger()
        const { receipt } = await stranger.ask("ReqAdmission", decision(party, admitted))
        stranger.close()
        await arena.logged(receipt.index)
        return receipt.index
    }

    async function register(party: SampleParty, sequence: number): Promise<string> {
        const registration = makePartyRegistration(arena.chain, party, sequence)
        return arena.outcome("ReqRegister", { role: "party", ...registration })
    }

    async function newMember(): Promise<SampleParty> {
        const party = newParty()
        await decide(party, true)
        await arena.registerParty(party)
        return party
    }

    test("only the operator decides", async () => {
        const party = newParty()
        await decide(party, true)
        const impostor = decision(newParty(), true, next(), newParty().signer)
        expect(await arena.outcome("ReqAdmission", impostor)).toBe("bad-signature")
        const turned = { ...decision(party, true), admitted: false }
        expect(await arena.outcome("ReqAdmission", turned)).toBe("bad-signature")
        const identity = new Uint8Array(32)
        const unsound = makeAdmission(arena.chain, operator, { identity, admitted: true, sequence: next() })
        expect(await arena.outcome("ReqAdmission", unsound)).toBe("bad-key")
    })

    test("what was signed before is stale, and the same once more gets the same receipt", async () => {
        const [one, two] = [newParty(), newParty()]
        const held = decision(one, true)
        const stranger = await arena.stranger()
        const first = await stranger.ask("ReqAdmission", decision(two, true, next() + 1))
        expect(await stranger.outcome("ReqAdmission", held)).toBe("stale-sequence")
        await arena.logged(first.receipt.index)
        const again = decision(two, true, arena.state.admissionSequence)
        expect(await stranger.ask("ReqAdmission", again)).toEqual(first)
        stranger.close()
    })

    test("who is not on the list does not register", async () => {
        const party = newParty()
        expect(await register(party, 0)).toBe("not-admitted")
        await decide(party, true)
        expect(await register(party, 0)).toBe("accepted")
        await decide(party, false)
    })

    test("who is removed while elected answers that round, and is on no later roster until back", async () => {
        const [stays, goes] = [await newMember(), await newMember()]
        const current = await arena.openRound()
        const name = nameOf(goes.signer.publicKey)
        expect(current.roster.has(name)).toBe(true)
        await decide(goes, false)
        expect(await register(goes, 1)).toBe("not-admitted")
        await arena.contribute(goes, current)
        await arena.contribute(stays, current)
        expect(await arena.ledger.until("the tally", () => contributionsIn(current.round))).toBe(2)
        await arena.endOf(current.round)

        // Once more is no news, and is logged all the same.
        await decide(goes, false)
        const without = await arena.openRound()
        expect([...without.roster.keys()]).toEqual([nameOf(stays.signer.publicKey)])
        const stranger = await arena.stranger()
        const body = { ...arena.contribution(goes, without), ticket: without.ticket }
        expect(await stranger.outcome("ReqContribution", body)).toBe("not-on-roster")
        stranger.close()
        await arena.contribute(stays, without)
        await arena.endOf(without.round)

        await decide(goes, true)
        // Admitted is not registered. What it sent once gets its old receipt again, and does not bring it back.
        const { size } = arena.state.range
        expect(await register(goes, 0)).toBe("accepted")
        await arena.registerParty(goes, 1)
        expect(arena.state.range.size).toBe(size + 1)
        const back = await arena.openRound()
        expect(back.roster.has(name)).toBe(true)
        for (const party of [stays, goes]) await arena.contribute(party, back)
        await arena.endOf(back.round)
    })

    function contributionsIn(round: number): number | undefined {
        const tallies = arena.ledger.entries.filter((entry) => entry.kind === "tally")
        return tallies.find((tally) => tally.round === round)?.count
    }
})

test("on an open chain there is nothing to decide", async () => {
    const arena = await Arena.open({ parties: 1 })
    const identity = arena.party(0).signer.publicKey
    const removal = makeAdmission(arena.chain, operator, { identity, admitted: false, sequence: 1 })
    expect(await arena.outcome("ReqAdmission", removal)).toBe("not-operator")
    expect((await arena.openRound()).roster.size).toBe(1)
    await arena.finish()
    await arena.close()
})
