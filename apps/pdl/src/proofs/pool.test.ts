import type { Claim, Refused } from "@tallylight/protocol/ledger/claim.js"
import type { SentEntry } from "@tallylight/protocol/ledger/verify.js"
import { settle } from "@tallylight/protocol/ports/manual-clock.js"
import type { Verifier } from "@tallylight/protocol/ports/verifier.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { expect, test } from "vitest"
import type { ProofLane } from "./lane.ts"
import { ProofPool } from "./pool.ts"
import { rankOf } from "./rank.ts"
import type { Rank } from "./rank.ts"

/** `count` claims of which nothing is known but the name. */
function claims(name: string, count: number): Claim[] {
    const nothing = new Uint8Array()
    return Array.from({ length: count }, () => ({
        ...{ claim: "signature", publicKey: nothing, statement: [name], signature: nothing },
    }))
}

function nameOf([claim]: readonly Claim[]): string {
    if (claim?.claim !== "signature") throw new Error("no claim of this test")
    return claim.statement[0]
}

type Asked = { readonly name: string; readonly answer: (outcome: Refused | Error | undefined) => void }

/** A verifier that answers when the test says so. */
class Hand implements Verifier {
    readonly names: string[] = []
    readonly asked: Asked[] = []

    verify(claims: readonly Claim[]): Promise<Refused | undefined> {
        const name = nameOf(claims)
        this.names.push(name)
        return new Promise((resolve, reject) => {
            const answer = (outcome: Refused | Error | undefined): void =>
                outcome instanceof Error ? reject(outcome) : resolve(outcome)
            this.asked.push({ name, answer })
        })
    }

    /** Answers the oldest question. */
    async answer(outcome?: Refused | Error): Promise<void> {
        const oldest = this.asked.shift()
        if (oldest === undefined) throw new Error("nothing was asked")
        oldest.answer(outcome)
        await settle()
    }

    async answerAll(): Promise<void> {
        while (this.asked.length > 0) await this.answer()
    }
}

function verify(lane: ProofLane, name: string, rank: Rank, sender: object, count = 1): Promise<string> {
    return outcome(lane.verify(rank, sender, () => claims(name, count)))
}

function outcome(verified: Promise<void>): Promise<string> {
    return verified.then(
        () => "verified",
        (error: unknown) => {
            if (error instanceof Refusal) return error.code
            throw error
        },
    )
}

const refused = (code: Refused["code"]): Refused => ({ code, facts: {} })

test.each([
    ["a share", "share", 0],
    ["a contribution", "contribution", 1],
    ["an abstention", "abstention", 1],
    ["an operator's admission or removal", "admission", 1],
    ["a party's registration", "party-registration", 2],
    ["a revocation", "revocation", 2],
    ["a request", "request", 2],
] as const)("%s has its rank", (_, kind, rank) => {
    const sent = sampleLedger().entries.find((entry) => entry.kind === kind)
    expect(rankOf(sent as SentEntry)).toBe(rank)
})

test("what a round waits for overtakes a committee between any two of its batches", async () => {
    const hand = new Hand()
    const lane = new ProofPool([hand]).open()
    const all = [verify(lane, "committee", 3, {}, 16)]
    all.push(
        verify(lane, "request", 2, {}),
        verify(lane, "contribution", 1, {}),
        verify(lane, "share", 0, {}),
    )
    await hand.answerAll()
    expect(await Promise.all(all)).toEqual(["verified", "verified", "verified", "verified"])
    // Two batches were given before anybody else came.
    const order = ["committee", "committee", "share", "contribution", "request", "committee", "committee"]
    expect(hand.names).toEqual(order)
})

test("chains take turns, however much waits for one of them", async () => {
    const hand = new Hand()
    const pool = new ProofPool([hand])
    const [attacked, other] = [pool.open(), pool.open()]
    for (let at = 0; at < 6; at++) void verify(attacked, "flood", 0, {})
    void verify(other, "first", 2, {})
    void verify(other, "second", 3, {})
    await hand.answerAll()
    const flood = (count: number): string[] => Array.from({ length: count }, () => "flood")
    expect(hand.names).toEqual([...flood(2), "first", "flood", "second", ...flood(3)])
})

test("connections of one chain take turns, each in the order of its own messages", async () => {
    const hand = new Hand()
    const lane = new ProofPool([hand]).open()
    const [flood, quiet] = [{}, {}]
    for (let at = 0; at < 6; at++) void verify(lane, `flood ${at}`, 1, flood)
    for (let at = 0; at < 2; at++) void verify(lane, `quiet ${at}`, 1, quiet)
    await hand.answerAll()
    const [begun, ended] = [
        ["flood 0", "flood 1", "flood 2"],
        ["flood 4", "flood 5"],
    ]
    expect(hand.names).toEqual([...begun, "quiet 0", "flood 3", "quiet 1", ...ended])
})

test("several verifiers share one entry, and its first claim that does not hold decides", async () => {
    const [one, two] = [new Hand(), new Hand()]
    const pool = new ProofPool([one, two])
    const verified = verify(pool.open(), "committee", 3, {}, 40)
    expect([one.names.length, two.names.length]).toEqual([2, 2])
    await two.answer(refused("bad-possession"))
    // Nothing more of it is given, but what came before the refused batch may fail as well.
    expect(two.names).toHaveLength(2)
    await one.answer(refused("bad-signature"))
    await one.answer()
    await two.answer(refused("bad-key"))
    expect(await verified).toBe("bad-signature")
    expect(pool.refused).toBe(1)
})

test("an entry whose claims all hold is verified, whichever was judged last", async () => {
    const [one, two] = [new Hand(), new Hand()]
    const pool = new ProofPool([one, two])
    const verified = verify(pool.open(), "committee", 3, {}, 9)
    await two.answerAll()
    await one.answerAll()
    expect(await verified).toBe("verified")
    expect([pool.verified, pool.refused]).toEqual([1, 0])
})

test("claims over which a verifier died are judged once more, then their sender is told; others go on", async () => {
    const hand = new Hand()
    const lane = new ProofPool([hand]).open()
    const unlucky = verify(lane, "unlucky", 2, {})
    await hand.answer(new Error("out of memory"))
    expect(hand.names).toEqual(["unlucky", "unlucky"])
    await hand.answer()
    expect(await unlucky).toBe("verified")

    const deadly = verify(lane, "deadly", 2, {})
    await hand.answer(new Error("out of memory"))
    await hand.answer(new Error("out of memory"))
    expect(await deadly).toBe("unverified")
    const next = verify(lane, "next", 2, {})
    await hand.answerAll()
    expect(await next).toBe("verified")
})

test("what cannot be begun rejects by itself, and holds nobody up", async () => {
    const hand = new Hand()
    const lane = new ProofPool([hand]).open()
    const sender = {}
    const late = outcome(
        lane.verify(1, sender, () => {
            throw new Refusal("no-round")
        }),
    )
    const next = verify(lane, "next", 1, sender)
    await hand.answerAll()
    expect(await Promise.all([late, next])).toEqual(["no-round", "verified"])
})

test("everything that waits is told when the pool closes, and everything that comes later", async () => {
    const hand = new Hand()
    const pool = new ProofPool([hand])
    const lane = pool.open()
    const waiting = [1, 2, 3, 4].map((at) => verify(lane, `${at}`, 2, {}))
    pool.close()
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => "shutting-down"))
    expect(await verify(lane, "later", 0, {})).toBe("shutting-down")
    await hand.answer(new Error("closed"))
    await hand.answer()
    expect(lane.ahead(3)).toBe(0)
})

test("counts for each rank what a newcomer would have to wait for", async () => {
    const hand = new Hand()
    const lane = new ProofPool([hand]).open()
    const all = ([3, 2, 1] as const).map((rank) => verify(lane, "", rank, {}))
    expect(([0, 1, 2, 3] as const).map((rank) => lane.ahead(rank))).toEqual([0, 1, 2, 3])
    expect(lane.waiting).toEqual([0, 1, 1, 1])
    await hand.answerAll()
    await Promise.all(all)
    expect(lane.ahead(3)).toBe(0)
})
