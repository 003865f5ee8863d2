import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { encodeScalar, reduceScalar, scalarFromUniform } from "@tallylight/crypto/scalar.js"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { apply } from "../ledger/apply.ts"
import type { Entry, EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState } from "../ledger/state.ts"
import { verifyEntry } from "../ledger/verify.ts"
import { SampleLedger } from "../sample/sample-ledger.ts"
import type { SampleParty } from "../sample/sample-keys.ts"
import { Refusal } from "../wire/refusal.ts"
import { makeContribution } from "./contribution.ts"
import { drawLot, encodeThreshold, isElected, threshold } from "./eligibility.ts"
import { endVoid, extendWindow, extensionsPerWindow, voidReason } from "./ending.ts"
import { drawPoint } from "./contribution.ts"
import { dueEntry } from "./schedule.ts"

const everybody = 1n << 512n

describe("the threshold", () => {
    test("is floor(k 2^512 / n), and 2^512 where everybody is elected", () => {
        const size = fc.integer({ min: 1, max: 2 ** 32 - 1 })
        fc.assert(
            fc.property(size, size, (k, n) => {
                const th = threshold(k, n)
                if (k >= n) expect(th).toBe(everybody)
                else {
                    expect(th * BigInt(n) <= BigInt(k) * everybody).toBe(true)
                    expect((th + 1n) * BigInt(n) > BigInt(k) * everybody).toBe(true)
                }
            }),
        )
        expect(threshold(1, 2)).toBe(everybody / 2n)
        expect(threshold(3, 0)).toBe(everybody)
    })

    test("elects y = Th - 1 and not y = Th", () => {
        const y = (value: bigint): Uint8Array => fromHex(value.toString(16).padStart(128, "0"))
        for (const [k, n] of [
            [1, 2],
            [1, 3],
            [2, 3],
            [32, 1000],
            [1, 2 ** 32 - 1],
        ] as const) {
            const th = threshold(k, n)
            expect(isElected(y(th - 1n), k, n)).toBe(true)
            expect(isElected(y(th), k, n)).toBe(false)
        }
        expect(isElected(y(everybody - 1n), 3, 3)).toBe(true)
        expect(isElected(y(everybody - 1n), 2, 3)).toBe(false)
        expect(isElected(y(0n), 1, 1000)).toBe(true)
    })

    test("takes 65 bytes on the wire, since 2^512 needs them", () => {
        expect(toHex(encodeThreshold(everybody))).toBe(`01${"00".repeat(64)}`)
        expect(toHex(encodeThreshold(1n))).toBe(`${"00".repeat(64)}01`)
    })
})

/** A chain with everybody registered. */
function ready(): SampleLedger {
    const ledger = new SampleLedger("rounds")
    for (const { signer } of ledger.keys.parties) ledger.admit(signer.publicKey, true)
    for (const party of ledger.keys.parties) ledger.registerParty(party)
    ledger.registerRequester(ledger.keys.solo)
    ledger.registerRequester(ledger.keys.committee)
    return ledger
}

function sealed(ledger: SampleLedger, requester = ledger.keys.committee): void {
    ledger.request(requester)
    ledger.answerAll(ledger.keys.parties)
    ledger.due()
}

function code(action: () => unknown): string {
    try {
        action()
        return "accepted"
    } catch (error) {
        if (error instanceof Refusal) return error.code
        throw error
    }
}

function judge(state: ChainState, entry: Entry): string {
    return code(() => {
        apply(state, entry)
        verifyEntry(state, entry)
    })
}

function last<K extends Entry["kind"]>(ledger: SampleLedger, kind: K): Entry & EntryOf<K> {
    return ledger.entries.findLast((entry): entry is Entry & EntryOf<K> => entry.kind === kind)!
}

describe("a committee of two of three", () => {
    test.each([
        [0, 1],
        [1, 0],
        [0, 2],
        [1, 2],
        [2, 1],
    ])("opens the same point with members %i and %i", (one, two) => {
        const points = [
            [0, 1],
            [one, two],
        ].map((pair) => {
            const ledger = ready()
            sealed(ledger)
            for (const at of pair) ledger.logShare(ledger.sealed(), ledger.keys.committee.members[at]!)
            ledger.due()
            return toHex(last(ledger, "beacon").M)
        })
        expect(points[1]).toBe(points[0])
    })

    test("opens nothing with one share, and takes no third before the beacon into it", () => {
        const ledger = ready()
        sealed(ledger)
        const [one, two, three] = ledger.keys.committee.members
        const tally = ledger.sealed()
        ledger.logShare(tally, three!)
        expect(dueEntry(ledger.state, ledger.keys.vrfSeed, ledger.time)).toBeUndefined()
        ledger.logShare(tally, two!)
        ledger.logShare(tally, one!)
        ledger.due()
        expect(last(ledger, "beacon").shares.map(({ member }) => member)).toEqual([1, 2])
    })

    test("ends with wrong-share once too few honest members can remain, and not before", () => {
        const ledger = ready()
        sealed(ledger)
        const [one, two] = ledger.keys.committee.members
        const tally = ledger.sealed()
        ledger.logShare(tally, one!, false)
        expect(voidReason(ledger.state, ledger.time)).toBeUndefined()
        expect(judge(ledger.state, endVoid(ledger.sealed(), "wrong-share", ledger.now()))).toBe(
            "wrong-reason",
        )
        ledger.logShare(tally, two!, false)
        expect(voidReason(ledger.state, ledger.time)).toBe("wrong-share")
        ledger.due()
        expect(last(ledger, "void")).toMatchObject({ reason: "wrong-share", missing: [3] })
        expect(ledger.state.withheld.size).toBe(0)
    })

    test("convicts nobody by a share that another member, or another key, signed", () => {
        const ledger = ready()
        sealed(ledger)
        const [one, two] = ledger.keys.committee.members
        const tally = ledger.sealed()
        const wrong = ledger.share(tally, { ...one!, secret: one!.secret + 1n })
        const evidence: Entry & EntryOf<"share"> = {
            kind: "share",
            time: ledger.now(),
            round: tally.round,
            identity: one!.signer.publicKey,
            share: wrong,
            valid: false,
        }
        expect(judge(ledger.state, evidence)).toBe("accepted")
        const right = ledger.share(tally, one!)
        expect(judge(ledger.state, { ...evidence, share: right, valid: true })).toBe("accepted")
        expect(judge(ledger.state, { ...evidence, share: right })).toBe("bad-share")
        expect(judge(ledger.state, { ...evidence, valid: true })).toBe("bad-share")
        const framed = { ...wrong, member: 2 }
        const identity = two!.signer.publicKey
        expect(judge(ledger.state, { ...evidence, identity })).toBe("not-a-member")
        expect(judge(ledger.state, { ...evidence, identity, share: framed })).toBe("bad-signature")
        const forged = ledger.share(tally, { ...two!, signer: one!.signer })
        expect(judge(ledger.state, { ...evidence, identity, share: forged })).toBe("bad-signature")
    })

    test("answers before the deadline or late, and late only once the round was withheld", () => {
        const ledger = ready()
        sealed(ledger)
        const [one, two] = ledger.keys.committee.members
        const tally = ledger.sealed()
        const share = (time: number): Entry => ({
            ...{ kind: "share", time, round: tally.round, valid: true },
            ...{ identity: one!.signer.publicKey, share: ledger.share(tally, one!) },
        })
        expect(judge(ledger.state, share(tally.answerBy - 1))).toBe("accepted")
        expect(judge(ledger.state, share(tally.answerBy))).toBe("round-closed")
        ledger.logShare(tally, two!)
        ledger.time = tally.answerBy
        ledger.due()
        expect(last(ledger, "void")).toMatchObject({ reason: "withheld", missing: [1, 3] })
        ledger.log(share(ledger.now()))
        ledger.due()
        expect(last(ledger, "beacon").round).toBe(tally.round)
        expect(ledger.state.withheld.size).toBe(0)
    })
})

describe("withheld rounds", () => {
    /** The sample's committee, with a sealed round of that number and withheld ones before it. */
    function withheldBefore(round: number, earlier: readonly number[]): ChainState {
        const ledger = ready()
        sealed(ledger)
        const current = { ...ledger.sealed(), round }
        return { ...ledger.state, current, withheld: new Map(earlier.map((each) => [each, current])) }
    }

    test("are kept for as many rounds as a registration lives", () => {
        const state = withheldBefore(150, [1, 49, 50, 51, 149])
        const { current } = state
        expect(state.genesis.parameters.registrationRounds).toBe(100)
        if (current?.phase !== "sealed") throw new Error("the round is not sealed")
        const after = apply(state, endVoid(current, "withheld", current.answerBy))
        expect([...after.withheld.keys()]).toEqual([51, 149, 150])
    })

    test("are looked through once for one that can be opened, and not for every entry", () => {
        let reads = 0
        const state = withheldBefore(150, [149])
        const [[round, old] = []] = state.withheld
        if (round === undefined || old === undefined) throw new Error("no round is withheld")
        const counted = Object.defineProperty({ ...old }, "shares", { get: () => (reads++, old.shares) })
        const before = { ...state, withheld: new Map([[round, counted]]) }
        for (let at = 0; at < 5; at++) dueEntry({ ...before }, new Uint8Array(32), state.time)
        expect(reads).toBe(1)
    })
})

describe("a registration", () => {
    test("counts for the requests after it, and for no earlier one", () => {
        const ledger = ready()
        const [one, two] = ledger.keys.parties
        const name = nameOf(two!.signer.publicKey)
        ledger.request(ledger.keys.solo)
        ledger.revoke(two!.signer, 1)
        ledger.request(ledger.keys.solo)
        ledger.answerAll(ledger.keys.parties)
        expect(ledger.open().roster.has(name)).toBe(true)
        ledger.due()
        ledger.openAlone(ledger.keys.solo.members[0])
        ledger.due()
        expect(ledger.open().roster.has(name)).toBe(false)
        expect(ledger.open().roster.has(nameOf(one!.signer.publicKey))).toBe(true)
    })

    test("with a new VRF key leaves the one that an earlier request was made for", () => {
        const ledger = ready()
        const [one] = ledger.keys.parties
        const renewed: SampleParty = { signer: one!.signer, vrfSeed: ledger.random(32) }
        ledger.request(ledger.keys.solo)
        ledger.registerParty(renewed, 1)
        ledger.due()
        expect(judge(ledger.state, ledger.answer(renewed))).toBe("bad-eligibility")
        expect(judge(ledger.state, ledger.answer(one!))).toBe("accepted")
    })

    test("of a requester with a new key leaves the key of requests that wait", () => {
        const ledger = ready()
        const { solo } = ledger.keys
        ledger.request(solo)
        const [member] = solo.members
        const secret = member!.secret + 1n
        ledger.registerRequester({ ...solo, polynomial: [secret], members: [{ ...member!, secret }] }, 1)
        ledger.answerAll(ledger.keys.parties)
        ledger.due()
        ledger.openAlone(member)
        expect(last(ledger, "beacon").round).toBe(1)
    })

    test("renewed leaves the numbers of requests used, so that none is replayed", () => {
        const ledger = ready()
        const { solo } = ledger.keys
        ledger.request(solo)
        const first = last(ledger, "request")
        ledger.registerRequester(solo, 1)
        expect(judge(ledger.state, { ...first, time: ledger.now() })).toBe("stale-sequence")
        ledger.request(solo)
        expect(last(ledger, "request").sequence).toBe(first.sequence + 1)
    })

    test("of a committee needs more than half of its members to open", () => {
        const ledger = ready()
        const { committee } = ledger.keys
        expect(code(() => ledger.registerRequester(committee, 1))).toBe("accepted")
        const two = { ...committee, members: committee.members.slice(0, 2) }
        expect(code(() => ledger.registerRequester(two, 2))).toBe("accepted")
        const half = { ...two, polynomial: committee.polynomial.slice(0, 1) }
        expect(code(() => ledger.registerRequester(half, 3))).toBe("bad-committee")
    })

    test("ends after the chain's number of rounds unless it is renewed", () => {
        const ledger = ready()
        const { registrationRounds } = ledger.state.genesis.parameters
        const [one, two, three] = ledger.keys.parties
        // Rounds are made to pass in the state alone: a hundred of them take a while to play.
        const after = (rounds: number): ChainState => ({ ...ledger.state, rounds })
        ledger.registerParty(one!, 1)
        const request = (state: ChainState): ChainState => {
            const own = ready()
            own.request(own.keys.solo)
            return apply(state, { ...last(own, "request"), time: state.time })
        }
        for (const rounds of [registrationRounds - 1, registrationRounds]) {
            const state = after(rounds)
            const owner = state.requesters.get(nameOf(ledger.keys.solo.signer.publicKey))!
            expect(owner.lastRound).toBe(registrationRounds)
            const entry = code(() => request(state))
            expect(entry).toBe(rounds < registrationRounds ? "accepted" : "not-registered")
        }
        expect(
            [two, three].map((party) => ledger.state.parties.get(nameOf(party!.signer.publicKey))?.lastRound),
        ).toEqual([registrationRounds, registrationRounds])
    })
})

describe("a window", () => {
    test("is prolonged to its full length from now, and only so often", () => {
        const ledger = ready()
        ledger.request(ledger.keys.solo)
        ledger.due()
        for (let count = 0; count < extensionsPerWindow; count++) {
            const good = extendWindow(ledger.state, ledger.open(), ledger.time)
            expect(judge(ledger.state, good)).toBe("accepted")
            expect(judge(ledger.state, { ...good, closesAt: good.closesAt + 1 })).toBe("no-extension")
            expect(judge(ledger.state, { ...good, round: 2 })).toBe("no-round")
            ledger.extend()
            expect(ledger.open().closesAt).toBe(ledger.time + 10_000)
        }
        expect(judge(ledger.state, extendWindow(ledger.state, ledger.open(), ledger.time))).toBe(
            "no-extension",
        )
        for (const party of ledger.keys.parties) ledger.log(ledger.answer(party))
        ledger.due()
        // The window for shares is another one.
        ledger.extend()
        expect(ledger.sealed().answerBy).toBe(ledger.time + 10_000)
    })

    test("takes answers until the millisecond before its end", () => {
        const ledger = ready()
        ledger.request(ledger.keys.solo)
        ledger.due()
        const { closesAt } = ledger.open()
        const answer = ledger.answer(ledger.keys.parties[0]!)
        expect(judge(ledger.state, { ...answer, time: closesAt - 1 })).toBe("accepted")
        expect(judge(ledger.state, { ...answer, time: closesAt })).toBe("round-closed")
        expect(voidReason(ledger.state, closesAt - 1)).toBeUndefined()
        expect(voidReason(ledger.state, closesAt)).toBe("no-contributor")
    })
})

describe("a round that ends void", () => {
    test("below the minimum is tried again once, with everybody elected", () => {
        const ledger = ready()
        ledger.request(ledger.keys.solo)
        for (const round of [1, 2]) {
            ledger.due()
            expect(ledger.open()).toMatchObject({ round, k: 4 })
            ledger.log(ledger.answer(ledger.keys.parties[0]!))
            ledger.time = ledger.open().closesAt
            ledger.due()
            expect(last(ledger, "void")).toMatchObject({ round, reason: "below-minimum" })
        }
        expect(ledger.state.queue).toEqual([])
        expect(dueEntry(ledger.state, ledger.keys.vrfSeed, ledger.time)).toBeUndefined()
    })

    test("because the sealed points cancel out, which anybody could open", () => {
        const ledger = ready()
        ledger.request(ledger.keys.solo)
        ledger.due()
        const current = ledger.open()
        const k = scalarFromUniform(ledger.random(64))
        const seal = (party: SampleParty, secret: bigint): Entry => {
            const uniform = new Uint8Array(64)
            uniform.set(encodeScalar(reduceScalar(secret)))
            const own = {
                signer: party.signer,
                lot: drawLot(party.vrfSeed, current),
                statement: new Uint8Array(),
            }
            const point = drawPoint(new Uint8Array(), ledger.random(64))
            const random = (length: number): Uint8Array => (length === 64 ? uniform : ledger.random(length))
            const made = makeContribution(ledger.state.chain, current, { ...own, point }, random)
            return { ...made, kind: "contribution", time: ledger.now() }
        }
        const [one, two] = ledger.keys.parties
        ledger.log(seal(one!, k))
        ledger.log(seal(two!, -k))
        ledger.time = current.closesAt
        ledger.due()
        expect(last(ledger, "void")).toMatchObject({ reason: "identity-sum", missing: [] })
        expect(ledger.state.queue).toEqual([])
    })

    test("ends for the reason that the ledger shows and no other", () => {
        const ledger = ready()
        sealed(ledger)
        const before = ledger.sealed()
        const time = before.answerBy
        expect(judge(ledger.state, endVoid(before, "withheld", time - 1))).toBe("wrong-reason")
        expect(judge(ledger.state, endVoid(before, "withheld", time))).toBe("accepted")
        for (const reason of ["no-contributor", "below-minimum", "identity-sum", "wrong-share"] as const)
            expect(judge(ledger.state, endVoid(before, reason, time))).toBe("wrong-reason")
        expect(judge(ledger.state, { ...endVoid(before, "withheld", time), missing: [1, 2] })).toBe(
            "wrong-reason",
        )
    })
})
