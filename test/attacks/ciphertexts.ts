/** A party that does not know the point it contributes, or contributes what it may not, when it may not. */
import assert from "node:assert/strict"
import { addCiphertexts, zeroCiphertext } from "@tallylight/crypto/elgamal.js"
import { decodePoint, encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { decodeScalar, encodeScalar, reduceScalar, scalarFromUniform } from "@tallylight/crypto/scalar.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import type { OpenRound } from "@tallylight/protocol/ledger/state.js"
import { signContribution } from "@tallylight/protocol/round/contribution.js"
import { group } from "./attack.ts"
import type { Attack } from "./attack.ts"
import { Arena } from "./arena.ts"
import type { Contribution } from "./arena.ts"
import { badElements, badScalars } from "./encodings.ts"

type Situation = {
    readonly arena: Arena
    readonly current: OpenRound
    /** What the attacker would contribute if it were honest. */
    readonly own: Contribution
    /** What the others contributed to this round: it is in the ledger. */
    readonly others: readonly Contribution[]
}

type Fields = Partial<Omit<Contribution, "signature">>

const [attacker, ...honest] = [0, 1, 2] as const

/** Everybody contributes, the attacker last, and the sum is opened. */
async function contribute(arena: Arena): Promise<void> {
    await arena.openRound()
    assert.equal((await arena.finish()).kind, "beacon")
}

async function situation(arena: Arena): Promise<Situation> {
    const current = await arena.openRound()
    for (const at of honest) await arena.contribute(arena.party(at), current)
    const open = arena.state.current
    if (open?.phase !== "open") throw new Error("the round ended without the attacker")
    const own = arena.contribution(arena.party(attacker), current)
    return { arena, current, own, others: open.contributions }
}

/** Sends each of these instead of an honest contribution, signed anew; the round then ends as it should. */
async function stopped(arena: Arena, cheats: (situation: Situation) => readonly Fields[]): Promise<string> {
    const there = await situation(arena)
    const { current, own } = there
    const stranger = await arena.stranger()
    const codes = new Set<string>()
    for (const fields of cheats(there)) {
        const { signer } = arena.party(attacker)
        const cheat = signContribution(arena.chain, current, signer, { ...own, ...fields })
        codes.add(await stranger.outcome("ReqContribution", { ...cheat, ticket: current.ticket }))
    }
    stranger.close()
    assert.equal((await arena.finish()).kind, "beacon")
    return [...codes].join()
}

function cheat(
    name: string,
    stoppedBy: string,
    cheats: (situation: Situation) => Fields | readonly Fields[],
): Attack<Arena> {
    const list = (there: Situation): readonly Fields[] => [cheats(there)].flat()
    return { name, stoppedBy, honest: contribute, attack: (arena) => stopped(arena, list) }
}

function point(bytes: Uint8Array) {
    const decoded = decodePoint(bytes)
    if (decoded === undefined) throw new Error("what is in the ledger decodes")
    return decoded
}

function scalar(bytes: Uint8Array): bigint {
    return decodeScalar(bytes) ?? 0n
}

function first({ others }: Situation): Contribution {
    const [contribution] = others
    if (contribution === undefined) throw new Error("the others contribute first")
    return contribution
}

function negated(bytes: Uint8Array): Uint8Array {
    return encodePoint(ristretto255.subtract(ristretto255.identity, point(bytes)))
}

function plus(bytes: Uint8Array, other: ReturnType<typeof point>): Uint8Array {
    return encodePoint(ristretto255.add(point(bytes), other))
}

function randomScalar(): bigint {
    return scalarFromUniform(systemRandom(64))
}

function randomPoint(): Uint8Array {
    return encodePoint(ristretto255.multiplyBase(randomScalar()))
}

export const ciphertexts = group("ciphertexts", "ciphertexts.ts", () => Arena.open(), [
    cheat("a copy of another's sealed point", "bad-knowledge", (there) => {
        const { C, D, A, s } = first(there)
        return { C, D, A, s }
    }),
    cheat("a copy of another's sealed point, with an own proof behind it", "bad-knowledge", (there) => {
        const { C, D } = first(there)
        return { C, D }
    }),
    cheat("another's sealed point, negated", "bad-knowledge", (there) => {
        const { C, D, A, s } = first(there)
        return [
            { C: negated(C), D: negated(D), A: negated(A), s },
            { C: negated(C), D: negated(D), A: negated(A), s: encodeScalar(reduceScalar(-scalar(s))) },
        ]
    }),
    cheat("another's sealed point, rerandomized", "bad-knowledge", (there) => {
        const { C, D, A, s } = first(there)
        const r = randomScalar()
        const Y = point(there.current.request.Y)
        const moved = { C: plus(C, ristretto255.multiplyBase(r)), D: plus(D, ristretto255.multiply(Y, r)) }
        return [
            { ...moved, A, s },
            { ...moved, A, s: encodeScalar(reduceScalar(scalar(s) + r)) },
            { ...moved, A: plus(A, ristretto255.multiplyBase(r)), s },
        ]
    }),
    cheat(
        "a sealed point that cancels all others, so that the last one chooses the sum",
        "bad-knowledge",
        (there) => {
            const sum = there.others
                .map(({ C, D }) => ({ c: point(C), d: point(D) }))
                .reduce(addCiphertexts, zeroCiphertext)
            const C = encodePoint(ristretto255.subtract(point(there.own.C), sum.c))
            const D = encodePoint(ristretto255.subtract(point(there.own.D), sum.d))
            return { C, D }
        },
    ),
    cheat("a point chosen after the proof was made", "bad-knowledge", () => ({ D: randomPoint() })),
    cheat("a sealed point without a proof", "bad-knowledge", () => [
        { A: randomPoint(), s: encodeScalar(randomScalar()) },
        { s: new Uint8Array(32) },
    ]),
    cheat("another's proof under an own sealed point", "bad-knowledge", (there) => {
        const { A, s } = first(there)
        return { A, s }
    }),
    cheat("C that is no element, or the identity", "bad-point", () => badElements.map((C) => ({ C }))),
    cheat("D that is no element, or the identity", "bad-point", () => badElements.map((D) => ({ D }))),
    cheat("A that is no element, or the identity", "bad-point", () => badElements.map((A) => ({ A }))),
    cheat("s that is not below q", "bad-point", () => badScalars.map((s) => ({ s }))),
    {
        name: "a second contribution with other content",
        stoppedBy: "already-contributed",
        honest: async (arena) => {
            const current = await arena.openRound()
            const body = { ...arena.contribution(arena.party(attacker), current), ticket: current.ticket }
            const stranger = await arena.stranger()
            const once = await stranger.ask("ReqContribution", body)
            const twice = await stranger.ask("ReqContribution", body)
            stranger.close()
            assert.deepEqual(twice, once, "the same bytes get the same receipt")
            assert.equal((await arena.finish()).kind, "beacon")
        },
        attack: async (arena) => {
            const current = await arena.openRound()
            const party = arena.party(attacker)
            await arena.contribute(party, current)
            const again = { ...arena.contribution(party, current), ticket: current.ticket }
            const outcome = await arena.outcome("ReqContribution", again)
            await arena.finish()
            return outcome
        },
    },
    {
        name: "a contribution after the sum was sealed",
        stoppedBy: "no-round",
        honest: contribute,
        attack: async (arena) => {
            const { current } = await situation(arena)
            const late = { ...arena.contribution(arena.party(attacker), current), ticket: current.ticket }
            assert.equal((await arena.finish()).kind, "beacon")
            return arena.outcome("ReqContribution", late)
        },
    },
    {
        name: "a contribution under another party's name",
        stoppedBy: "bad-signature",
        honest: contribute,
        attack: async (arena) => {
            const current = await arena.openRound()
            const [own, victim] = [arena.party(attacker), arena.party(honest[0])]
            const theirs = arena.contribution(victim, current)
            const forged = signContribution(arena.chain, current, own.signer, theirs)
            const body = { ...forged, identity: victim.signer.publicKey, ticket: current.ticket }
            const outcome = await arena.outcome("ReqContribution", body)
            assert.equal((await arena.finish()).kind, "beacon", "the victim still answers")
            return outcome
        },
    },
    {
        name: "a contribution of an earlier round, sent again as it was",
        stoppedBy: "its first receipt",
        honest: contribute,
        attack: async (arena) => {
            const earlier = await arena.openRound()
            const party = arena.party(attacker)
            const body = { ...arena.contribution(party, earlier), ticket: earlier.ticket }
            const stranger = await arena.stranger()
            const { receipt } = await stranger.ask("ReqContribution", body)
            await arena.logged(receipt.index)
            await arena.finish()
            const current = await arena.openRound()
            const again = await stranger.ask("ReqContribution", body)
            const renamed = { ...body, round: current.round, ticket: current.ticket }
            assert.equal(await stranger.outcome("ReqContribution", renamed), "bad-signature")
            stranger.close()
            const open = arena.state.current
            assert.equal(
                open?.phase === "open" && open.contributions.length,
                0,
                "nothing was added to this round",
            )
            assert.equal((await arena.finish()).kind, "beacon")
            return again.receipt.index === receipt.index ? "its first receipt" : "accepted"
        },
    },
])
