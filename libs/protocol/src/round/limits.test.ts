/** Where a rule begins and ends: what stands on one side of each limit is taken, what stands on the other is not. */
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { encodeScalar, reduceScalar } from "@tallylight/crypto/scalar.js"
import type { Scalar } from "@tallylight/crypto/scalar.js"
import { proveLog } from "@tallylight/crypto/schnorr.js"
import { describe, expect, test } from "vitest"
import { makePartyRegistration } from "../chain/party.ts"
import { seedSigner, sign } from "../chain/signer.ts"
import { apply } from "../ledger/apply.ts"
import type { Entry, EntryKind, EntryOf, Parameters } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState } from "../ledger/state.ts"
import { verifyEntry } from "../ledger/verify.ts"
import { SampleLedger } from "../sample/sample-ledger.ts"
import type { SampleParty, SampleRequester } from "../sample/sample-keys.ts"
import { sampleLedger } from "../sample/scenario.ts"
import { tags } from "../tags.ts"
import { Refusal } from "../wire/refusal.ts"
import { contextOf, contextParts } from "./context.ts"
import { signContribution } from "./contribution.ts"
import { drawLot, rosterAt } from "./eligibility.ts"
import { endVoid, extendWindow, extensionsPerWindow, voidReason } from "./ending.ts"
import { farthestAheadMs, makeRequest } from "./request.ts"
import { dueEntry, tallies, wakeAt } from "./schedule.ts"
import { shareClaims } from "./share.ts"
import { sealTally } from "./tally.ts"
import { issueTicket } from "./ticket.ts"

/** A chain with everybody registered. */
function ready(): SampleLedger {
    const ledger = new SampleLedger("limits")
    for (const { signer } of ledger.keys.parties) ledger.admit(signer.publicKey, true)
    for (const party of ledger.keys.parties) ledger.registerParty(party)
    ledger.registerRequester(ledger.keys.solo)
    ledger.registerRequester(ledger.keys.committee)
    return ledger
}

/** The state of a chain whose genesis says otherwise in that. */
function under(state: ChainState, changed: Partial<Parameters>): ChainState {
    const parameters = { ...state.genesis.parameters, ...changed }
    return { ...state, genesis: { ...state.genesis, parameters } }
}

/** A chain with everybody registered and a round open. */
function opened(): SampleLedger {
    const ledger = ready()
    ledger.request(ledger.keys.solo)
    ledger.due()
    return ledger
}

type Points = { readonly C?: Uint8Array; readonly D?: Uint8Array; readonly A?: Uint8Array }

/** A contribution sealed with k. Whatever its party proves and signs is proved and signed with the changed points. */
function contribution(ledger: SampleLedger, party: SampleParty, k: Scalar, changed: Points = {}): Entry {
    const { chain, time } = ledger.state
    const current = ledger.open()
    const { y, pi } = drawLot(party.vrfSeed, current)
    const identity = party.signer.publicKey
    const C = changed.C ?? encodePoint(ristretto255.multiplyBase(k))
    const D = changed.D ?? encodePoint(ristretto255.base)
    const context = { tag: tags.knowledge, parts: contextParts(contextOf(chain, current), identity) }
    const proof = proveLog({ secret: k, context, bound: [D], random: new Uint8Array(32) })
    const A = changed.A ?? encodePoint(proof.commitment)
    const s = encodeScalar(proof.response)
    const fields = { round: current.round, identity, y, pi, C, D, A, s, statement: new Uint8Array() }
    return { ...signContribution(chain, current, party.signer, fields), kind: "contribution", time }
}

const accepted = "accepted"

/** "accepted", or the refusal's code and facts. */
function judge(state: ChainState, entry: Entry): unknown {
    try {
        apply(state, entry)
        verifyEntry(state, entry)
        return accepted
    } catch (error) {
        if (error instanceof Refusal) return [error.code, error.facts]
        throw error
    }
}

type Found<K extends EntryKind> = { readonly before: ChainState; readonly entry: Entry & EntryOf<K> }

/** The sample's first entry of that kind, and the state in front of it. */
function first<K extends EntryKind>(kind: K): Found<K> {
    const { entries, states } = sample
    const at = entries.findIndex((entry) => entry.kind === kind)
    return { before: states[at - 1]!, entry: entries[at] as Entry & EntryOf<K> }
}

const sample = sampleLedger()

describe("an answer", () => {
    test.each(["contribution", "abstention"] as const)("is a %s until the window ends", (kind) => {
        const { before, entry } = first(kind)
        const { closesAt } = before.current as { closesAt: number }
        expect(judge(before, { ...entry, time: closesAt - 1 })).toBe(accepted)
        expect(judge(before, { ...entry, time: closesAt })).toEqual(["round-closed", { closedAt: closesAt }])
    })

    test("of a party that has given one is refused, and of one that is not asked", () => {
        const { before, entry } = first("contribution")
        const { round } = entry
        expect(judge(apply(before, entry), entry)).toEqual(["already-contributed", { round }])
        const [, , , revoked] = sample.keys.parties
        const identity = revoked!.signer.publicKey
        expect(judge(before, { ...entry, identity })).toEqual(["not-on-roster", { round }])
    })

    test.each(["C", "D", "A"] as const)("has a group element for %s, and not the identity", (field) => {
        const ledger = opened()
        const [party] = ledger.keys.parties
        const wrong = (value: Uint8Array) =>
            judge(ledger.state, contribution(ledger, party!, 3n, { [field]: value }))
        expect(judge(ledger.state, contribution(ledger, party!, 3n))).toBe(accepted)
        expect(wrong(new Uint8Array(32).fill(0xff))).toEqual(["bad-point", {}])
        expect(wrong(new Uint8Array(32))).toEqual(["bad-point", {}])
    })
})

describe("an entry of a round", () => {
    test.each([
        ["contribution", "no-round"],
        ["abstention", "no-round"],
        ["tally", "no-round"],
        ["share", "no-tally"],
        ["beacon", "no-tally"],
        ["void", "no-round"],
        ["extension", "no-round"],
    ] as const)("that is a %s names the round in progress", (kind, code) => {
        const { before, entry } = first(kind)
        expect(judge(before, entry)).toBe(accepted)
        for (const round of [entry.round - 1, entry.round + 1])
            expect(judge(before, { ...entry, round })).toEqual([code, { round }])
    })

    test("is refused where no round is in progress, and none ends there", () => {
        const { state } = ready()
        const { entry } = first("void")
        expect(judge(state, { ...entry, time: state.time })).toEqual(["no-round", { round: entry.round }])
        expect(voidReason(state, state.time)).toBeUndefined()
    })
})

describe("a tally", () => {
    test("covers every entry since its round's ticket and no other", () => {
        const { before, entry } = first("tally")
        const to = before.range.size
        for (const range of [
            { from: entry.from - 1 },
            { from: entry.from + 1 },
            { to: to - 1 },
            { to: to + 1 },
        ])
            expect(judge(before, { ...entry, ...range })).toEqual(["wrong-range", { to }])
    })

    test("is not made of points that cancel out", () => {
        const ledger = opened()
        const [one, two] = ledger.keys.parties
        ledger.log(contribution(ledger, one!, 3n))
        const { closesAt } = ledger.open()
        ledger.log(contribution(ledger, two!, 5n))
        expect(judge(ledger.state, sealTally(ledger.state, ledger.open(), closesAt))).toBe(accepted)
        const cancelled = opened()
        cancelled.log(contribution(cancelled, one!, 3n))
        cancelled.log(contribution(cancelled, two!, reduceScalar(-3n)))
        expect(judge(cancelled.state, sealTally(cancelled.state, cancelled.open(), closesAt))).toEqual([
            "wrong-reason",
            { problem: "identity sum" },
        ])
    })
})

describe("a share", () => {
    const { before, entry } = first("share")

    test("is nobody's who is no member, not even under number 0", () => {
        const stranger = seedSigner(new Uint8Array(32).fill(9))
        for (const member of [0, 1]) {
            const share = { ...entry.share, member }
            expect(judge(before, { ...entry, identity: stranger.publicKey, share })).toEqual([
                "not-a-member",
                { member },
            ])
        }
    })

    test.each(["S", "c", "z"] as const)(
        "that has no %s is a wrong one, which convicts its member",
        (field) => {
            const [member] = sample.keys.solo.members
            const wrong = { ...entry, share: { ...entry.share, [field]: new Uint8Array(32).fill(0xff) } }
            const [claim] = shareClaims(before, wrong)
            if (claim?.claim !== "signature") throw new Error("a share is signed")
            const share = { ...wrong.share, signature: sign(member!.signer, claim.statement) }
            expect(judge(before, { ...wrong, share, valid: false })).toBe(accepted)
            expect(judge(before, { ...wrong, share, valid: true })).toEqual(["bad-share", { member: 1 }])
        },
    )

    test("comes once, and in time", () => {
        const { answerBy } = before.current as { answerBy: number }
        expect(judge(apply(before, entry), entry)).toEqual(["already-answered", { member: 1 }])
        expect(judge(before, { ...entry, time: answerBy })).toEqual(["round-closed", { closedAt: answerBy }])
    })
})

test("a beacon is refused with the number of shares that are on record, where that is too small", () => {
    const { before } = first("share")
    const { entry } = first("beacon")
    expect(judge(before, { ...entry, time: before.time })).toEqual(["wrong-shares", { valid: 0 }])
})

test("the server wakes when the window ends, or when the first request in the queue is due", () => {
    const ledger = ready()
    expect(wakeAt(ledger.state)).toBeUndefined()
    ledger.request(ledger.keys.solo)
    const asked = ledger.state.time
    expect(wakeAt(ledger.state)).toBe(asked)
    ledger.due()
    ledger.request(ledger.keys.solo)
    expect(wakeAt(ledger.state)).toBe(ledger.open().closesAt)
    expect(issueTicket(ledger.state, ledger.keys.vrfSeed, ledger.time)).toBeUndefined()
    for (const party of ledger.keys.parties) ledger.log(ledger.answer(party))
    ledger.due()
    expect(wakeAt(ledger.state)).toBe(ledger.sealed().answerBy)
})

test("tallies that wait for shares are the one in progress and those withheld", () => {
    const ledger = opened()
    const rounds = () => tallies(ledger.state).map(({ round }) => round)
    expect(rounds()).toEqual([])
    for (const party of ledger.keys.parties) ledger.log(ledger.answer(party))
    ledger.due()
    expect(rounds()).toEqual([1])
    ledger.time = ledger.sealed().answerBy
    ledger.due()
    expect(ledger.state.current).toBeUndefined()
    expect(rounds()).toEqual([1])
    ledger.request(ledger.keys.solo)
    ledger.answerAll(ledger.keys.parties)
    expect(rounds()).toEqual([1])
    ledger.due()
    expect(rounds()).toEqual([1, 2])
})

/** That requester's next request, not logged. */
function asked(ledger: SampleLedger, { signer }: SampleRequester, notBefore = 0): Entry {
    const { commitments, requestSequence } = ledger.state.requesters.get(nameOf(signer.publicKey))!
    const fields = { Y: commitments[0]!, nonce: new Uint8Array(32), sequence: requestSequence + 1, notBefore }
    return { ...makeRequest(ledger.state.chain, signer, fields), kind: "request", time: ledger.state.time }
}

describe("a request", () => {
    test("asks for a ticket at most a day ahead", () => {
        const ledger = ready()
        expect(farthestAheadMs).toBe(86_400_000)
        const farthest = ledger.state.time + farthestAheadMs
        expect(judge(ledger.state, asked(ledger, ledger.keys.solo, farthest))).toBe(accepted)
        expect(judge(ledger.state, asked(ledger, ledger.keys.solo, farthest + 1))).toEqual([
            "too-far-ahead",
            { now: ledger.state.time },
        ])
    })

    test("is one of its requester's two, however many of others wait", () => {
        const ledger = ready()
        const { solo, committee } = ledger.keys
        ledger.request(solo)
        ledger.request(solo)
        expect(judge(ledger.state, asked(ledger, solo))).toEqual(["queue-full", { waiting: 2, own: 2 }])
        expect(judge(ledger.state, asked(ledger, committee))).toBe(accepted)
    })

    test("finds the queue full once as many wait as the chain lets", () => {
        const ledger = ready()
        const { solo, committee } = ledger.keys
        ledger.request(solo)
        const entry = asked(ledger, committee)
        expect(judge(under(ledger.state, { queueLength: 2 }), entry)).toBe(accepted)
        expect(judge(under(ledger.state, { queueLength: 1 }), entry)).toEqual([
            "queue-full",
            { waiting: 1, own: 0 },
        ])
    })

    test("takes no room from those that are due, while it is for later", () => {
        const ledger = ready()
        const { solo, committee } = ledger.keys
        const later = ledger.time + 60_000
        ledger.log({ ...asked(ledger, solo, later), time: ledger.now() })
        const entry = asked(ledger, committee)
        const full = under(ledger.state, { queueLength: 1 })
        expect(judge(full, { ...entry, time: later - 1 })).toBe(accepted)
        expect(judge(full, { ...entry, time: later })).toEqual(["queue-full", { waiting: 1, own: 0 }])
    })

    test("waits behind those that are due as early, and in front of those that are due later", () => {
        const ledger = ready()
        const { solo, committee } = ledger.keys
        const { time } = ledger.state
        ledger.log(asked(ledger, solo, time + 100))
        ledger.log(asked(ledger, committee, time + 50))
        ledger.log(asked(ledger, solo, time + 50))
        const size = ledger.entries.length
        expect(ledger.state.queue.map(({ index, due }) => [index - size, due - time])).toEqual([
            [-2, 50],
            [-1, 50],
            [-3, 100],
        ])
    })

    test("is not kept out by a second attempt, which was let in before", () => {
        const ledger = ready()
        const { solo } = ledger.keys
        ledger.request(solo)
        ledger.due()
        ledger.time = ledger.open().closesAt
        ledger.due()
        expect(ledger.state.queue.map(({ retry }) => retry)).toEqual([true])
        const entry = asked(ledger, solo)
        expect(judge(under(ledger.state, { queueLength: 1 }), entry)).toBe(accepted)
        ledger.request(solo)
        ledger.request(solo)
        expect(judge(ledger.state, asked(ledger, solo))).toEqual(["queue-full", { waiting: 2, own: 2 }])
    })

    test("needs as many parties as the chain's minimum", () => {
        const ledger = ready()
        const entry = asked(ledger, ledger.keys.solo)
        expect(judge(under(ledger.state, { minimumContributors: 4 }), entry)).toBe(accepted)
        expect(judge(under(ledger.state, { minimumContributors: 5 }), entry)).toEqual([
            "roster-too-small",
            { roster: 4, minimum: 5 },
        ])
    })

    test("has a number above the one before", () => {
        const ledger = ready()
        const entry = asked(ledger, ledger.keys.solo)
        ledger.log(entry)
        expect(judge(ledger.state, entry)).toEqual(["stale-sequence", { last: 0 }])
    })

    test("comes from a requester whose registration is neither over nor revoked", () => {
        const ledger = ready()
        const entry = asked(ledger, ledger.keys.solo)
        const last = ledger.state.genesis.parameters.registrationRounds
        expect(judge({ ...ledger.state, rounds: last - 1 }, entry)).toBe(accepted)
        // The parties' registrations end with the requester's, but this is looked at first.
        const over = { ...ledger.state, rounds: last }
        expect(judge(over, entry)).toEqual(["not-registered", {}])
        ledger.registerRequester(ledger.keys.solo, 1)
        const renewed = apply(over, { ...ledger.entries.at(-1)!, time: over.time })
        expect(judge(renewed, entry)).toEqual(["roster-too-small", { roster: 0, minimum: 2 }])
        ledger.revoke(ledger.keys.solo.signer, 2)
        expect(judge(ledger.state, { ...entry, time: ledger.state.time })).toEqual(["not-registered", {}])
    })
})

test("a roster has whoever is registered for that round, and nobody revoked or past the last one", () => {
    const ledger = ready()
    const [one, two] = ledger.keys.parties
    const last = ledger.state.genesis.parameters.registrationRounds
    const before = ledger.state.parties
    ledger.revoke(two!.signer, 1)
    expect([last, last + 1].map((round) => rosterAt(before, round).size)).toEqual([4, 0])
    expect(rosterAt(ledger.state.parties, last).size).toBe(3)
    const renewal = makePartyRegistration(ledger.state.chain, one!, 1)
    const later = { ...ledger.state, rounds: 5 }
    const renewed = apply(later, { ...renewal, kind: "party-registration", time: later.time })
    expect([...rosterAt(renewed.parties, last + 1).keys()]).toEqual([nameOf(one!.signer.publicKey)])
})

describe("a chain whose windows differ in length", () => {
    const lengths = { contributionWindowMs: 7000, decryptionWindowMs: 30_000 }

    test("opens a round for the one and its tally for the other", () => {
        const ticket = first("ticket")
        const { vrfSeed } = sample.keys
        const { time } = ticket.entry
        const before = under(ticket.before, lengths)
        const issued = dueEntry(before, vrfSeed, time)!
        expect(judge(before, issued)).toBe(accepted)
        expect(issued).toMatchObject({ kind: "ticket", closesAt: time + 7000 })
        const long = { ...ticket.entry, closesAt: time + 30_000 }
        expect(judge(before, long)).toEqual(["wrong-deadline", { expected: time + 7000, got: time + 30_000 }])

        const tally = first("tally")
        const sealing = under(tally.before, lengths)
        const sum = dueEntry(sealing, vrfSeed, tally.entry.time)!
        expect(judge(sealing, sum)).toBe(accepted)
        expect(sum).toMatchObject({ kind: "tally", answerBy: sum.time + 30_000 })
        const short = { ...tally.entry, answerBy: sum.time + 7000 }
        expect(judge(sealing, short)).toEqual(["wrong-deadline", { got: sum.time + 7000 }])
    })

    test("prolongs each by its own length, and each three times", () => {
        const ledger = opened()
        const open = under(ledger.state, lengths)
        for (const party of ledger.keys.parties) ledger.log(ledger.answer(party))
        ledger.due()
        const sealed = under(ledger.state, lengths)
        for (const [state, length, other] of [
            [open, 7000, 30_000],
            [sealed, 30_000, 7000],
        ] as const) {
            const { time } = state
            const current = state.current!
            const good = extendWindow(state, current, time)
            expect(good.closesAt).toBe(time + length)
            expect(judge(state, good)).toBe(accepted)
            const expected = time + length
            expect(judge(state, { ...good, closesAt: time + other })).toEqual(["no-extension", { expected }])
            let extended = state
            for (let count = 0; count < extensionsPerWindow; count++) extended = apply(extended, good)
            const extensions = extensionsPerWindow
            expect(judge(extended, good)).toEqual(["no-extension", { extensions }])
        }
    })
})

describe("a void", () => {
    test("says what it should have said, where its reason or its list is another", () => {
        const { before, entry } = first("void")
        expect(judge(before, { ...entry, reason: "withheld" })).toEqual([
            "wrong-reason",
            { expected: entry.reason },
        ])
        const { closesAt } = before.current as { closesAt: number }
        expect(judge(before, { ...entry, time: closesAt - 1 })).toEqual([
            "wrong-reason",
            { expected: "none" },
        ])
        expect(judge(before, { ...entry, missing: [1] })).toEqual(["wrong-reason", { missing: "" }])
    })

    test("for a tally of a committee names whoever is missing", () => {
        const ledger = ready()
        const { committee, parties } = ledger.keys
        ledger.request(committee)
        ledger.answerAll(parties)
        ledger.due()
        const tally = ledger.sealed()
        const withheld = endVoid(tally, "withheld", tally.answerBy)
        expect(withheld.missing).toEqual([1, 2, 3])
        expect(judge(ledger.state, { ...withheld, missing: [1, 3] })).toEqual([
            "wrong-reason",
            { missing: "1,2,3" },
        ])
    })
})
