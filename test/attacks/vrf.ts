/** A party that was not elected and wants to be, or was and does not want to. */
import assert from "node:assert/strict"
import { concatBytes, equalBytes } from "@tallylight/crypto/bytes.js"
import { vrfProofToHash } from "@tallylight/crypto/ecvrf.js"
import { decodeEdwards } from "@tallylight/crypto/edwards25519.js"
import { sha256 } from "@tallylight/crypto/hash.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { transcript } from "@tallylight/crypto/transcript.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { OpenRound } from "@tallylight/protocol/ledger/state.js"
import { makeAbstention } from "@tallylight/protocol/round/abstention.js"
import { signContribution } from "@tallylight/protocol/round/contribution.js"
import { drawLot } from "@tallylight/protocol/round/eligibility.js"
import type { Lot } from "@tallylight/protocol/round/eligibility.js"
import { noSeed } from "@tallylight/protocol/round/seed.js"
import { tags } from "@tallylight/protocol/tags.js"
import { group } from "./attack.ts"
import type { Attack } from "./attack.ts"
import { Arena } from "./arena.ts"
import { nonCanonical, smallOrder } from "./encodings.ts"

const [attacker, victim] = [0, 1] as const

/** One of four is elected on average. */
const open = () => Arena.open({ parties: 4, chain: { expectedContributors: 1 } })

const lotOf = (arena: Arena, at: number, current: OpenRound): Lot => drawLot(arena.party(at).vrfSeed, current)

/** Everybody draws and answers as the lot has it. */
async function lottery(arena: Arena): Promise<void> {
    await arena.openLottery()
    assert.equal((await arena.finish()).kind, "beacon")
}

async function everybody(arena: Arena): Promise<void> {
    await arena.openRound()
    assert.equal((await arena.finish()).kind, "beacon")
}

type Forged = { readonly y: Uint8Array; readonly pi: Uint8Array }

/** Contributions of the attacker, each signed with its key, with these lots in place of its own. */
async function sent(arena: Arena, current: OpenRound, lots: readonly Forged[]): Promise<string> {
    const party = arena.party(attacker)
    const stranger = await arena.stranger()
    const codes = new Set<string>()
    for (const { y, pi } of lots) {
        const cheat = arena.contribution(party, current, { y, pi, elected: true })
        codes.add(await stranger.outcome("ReqContribution", { ...cheat, ticket: current.ticket }))
    }
    stranger.close()
    assert.equal((await arena.finish()).kind, "beacon")
    return [...codes].join()
}

/** In a round that elects everybody, lots other than the true one. */
function forged(
    name: string,
    lots: (own: Lot, arena: Arena, current: OpenRound) => readonly Forged[],
): Attack<Arena> {
    return {
        ...{ name, stoppedBy: "bad-eligibility", honest: everybody },
        attack: async (arena) => {
            const current = await arena.openRound()
            return sent(arena, current, lots(lotOf(arena, attacker, current), arena, current))
        },
    }
}

const order = 2n ** 252n + 27742317777372353535851937790883648493n

/** The response s of the proof plus q, which verifiers that do not look take for the same proof. */
function respelt(pi: Uint8Array): Uint8Array {
    const s = pi.slice(48).reduceRight((sum, byte) => (sum << 8n) + BigInt(byte), 0n) + order
    const bytes = Uint8Array.from({ length: 32 }, (_, at) => Number((s >> BigInt(8 * at)) & 255n))
    return concatBytes(pi.slice(0, 48), bytes)
}

function gammaPlus(pi: Uint8Array, other: Uint8Array): Uint8Array {
    const [gamma, torsion] = [decodeEdwards(pi.slice(0, 32)), decodeEdwards(other)]
    if (gamma === undefined || torsion === undefined) throw new Error("both are points")
    return concatBytes(gamma.add(torsion).toBytes(), pi.slice(32))
}

/** The party's lots of all rounds so far, as the ledger shows them. */
function published(arena: Arena, at: number): Forged[] {
    const { publicKey } = arena.party(at).signer
    return arena.ledger.entries.flatMap((entry) =>
        (entry.kind === "contribution" || entry.kind === "abstention") &&
        equalBytes(entry.identity, publicKey)
            ? [{ y: entry.y, pi: entry.pi }]
            : [],
    )
}

function lotWith(pi: Uint8Array): Forged {
    return { pi, y: vrfProofToHash(pi) ?? new Uint8Array(64) }
}

function withGamma(pi: Uint8Array, gamma: Uint8Array): Uint8Array {
    return concatBytes(gamma, pi.slice(32))
}

export const vrf = group("lots", "vrf.ts", open, [
    {
        name: "a contribution with y >= Th",
        stoppedBy: "not-eligible",
        honest: lottery,
        attack: async (arena) => {
            const current = await arena.openLotteryWhere((round) => !lotOf(arena, attacker, round).elected)
            return sent(arena, current, [lotOf(arena, attacker, current)])
        },
    },
    {
        name: "a lower y than the one that is proved",
        stoppedBy: "bad-eligibility",
        honest: lottery,
        attack: async (arena) => {
            const current = await arena.openLotteryWhere((round) => !lotOf(arena, attacker, round).elected)
            const { pi } = lotOf(arena, attacker, current)
            return sent(arena, current, [{ pi, y: new Uint8Array(64) }])
        },
    },
    {
        name: "the lot of a party that was elected",
        stoppedBy: "bad-eligibility",
        honest: lottery,
        attack: async (arena) => {
            const wanted = (round: OpenRound): boolean =>
                lotOf(arena, victim, round).elected && !lotOf(arena, attacker, round).elected
            const current = await arena.openLotteryWhere(wanted)
            return sent(arena, current, [lotOf(arena, victim, current)])
        },
    },
    {
        name: "an abstention of a party that was elected",
        stoppedBy: "eligible",
        honest: lottery,
        attack: async (arena) => {
            const current = await arena.openRound()
            const { signer, vrfSeed } = arena.party(attacker)
            const lie = makeAbstention(arena.chain, current, signer, drawLot(vrfSeed, current))
            const outcome = await arena.outcome("ReqAbstention", { ...lie, ticket: current.ticket })
            await arena.finish()
            return outcome
        },
    },
    {
        name: "an abstention, and then a contribution to the same round",
        stoppedBy: "already-contributed",
        honest: lottery,
        attack: async (arena) => {
            const current = await arena.openLotteryWhere((round) => !lotOf(arena, attacker, round).elected)
            await arena.answer(arena.party(attacker), current)
            return sent(arena, current, [{ ...lotOf(arena, attacker, current), y: new Uint8Array(64) }])
        },
    },
    forged("a lot without a proof", ({ y }) => [
        { y, pi: new Uint8Array(80) },
        { y, pi: systemRandom(80) },
    ]),
    forged("another party's lot and proof", (_, arena, current) => [lotOf(arena, victim, current)]),
    forged("the lot of an earlier ticket", (_, arena) => published(arena, attacker).slice(-4)),
    forged("the proof of a lot in another spelling", ({ y, pi }) => [{ y, pi: respelt(pi) }]),
    forged("a Gamma that small orders were added to", ({ y, pi }) =>
        smallOrder
            .slice(2)
            .filter((point) => decodeEdwards(point) !== undefined)
            .map((point) => gammaPlus(pi, point))
            .filter((cheat) => !equalBytes(cheat, pi))
            .map((cheat) => ({ y, pi: cheat })),
    ),
    forged("a Gamma of small order, or not canonical", ({ pi }) =>
        [...smallOrder, ...nonCanonical].map((point) => lotWith(withGamma(pi, point))),
    ),
    {
        name: "another's lot predicted from all the proofs that it has published",
        stoppedBy: "bad-eligibility",
        honest: everybody,
        attack: async (arena) => {
            // Whoever stole the identity key and not the VRF key can sign, and has read every proof there is.
            const { signer } = arena.party(victim)
            const past = published(arena, victim).slice(-8)
            const sums = past.map(({ pi }, at) =>
                gammaPlus(pi, (past[at - 1] ?? past.at(-1))?.pi.slice(0, 32) ?? pi),
            )
            const guesses = [...past, ...sums.map(lotWith)]
            const current = await arena.openRound()
            const codes = new Set<string>()
            const stranger = await arena.stranger()
            for (const guess of guesses) {
                const made = arena.contribution(arena.party(victim), current, { ...guess, elected: true })
                const cheat = signContribution(arena.chain, current, signer, made)
                codes.add(await stranger.outcome("ReqContribution", { ...cheat, ticket: current.ticket }))
            }
            stranger.close()
            const { y } = lotOf(arena, victim, current)
            assert.ok(!guesses.some((guess) => equalBytes(guess.y, y)), "no guess is the lot that was drawn")
            await arena.finish()
            return [...codes].join()
        },
    },
    {
        name: "a contribution that names the ticket of an earlier round",
        stoppedBy: "wrong-ticket",
        honest: everybody,
        attack: async (arena) => {
            const earlier = await arena.openRound()
            await arena.finish()
            const current = await arena.openRound()
            const cheat = arena.contribution(arena.party(attacker), current)
            const outcome = await arena.outcome("ReqContribution", { ...cheat, ticket: earlier.ticket })
            await arena.finish()
            return outcome
        },
    },
    {
        name: "a nonce that was searched for, so that the ticket elects a friend alone",
        stoppedBy: "wrong-ticket",
        honest: everybody,
        attack: async (arena) => {
            await arena.openRound()
            await arena.request()
            const { request, ticket } = searched(arena)
            const stranger = await arena.stranger()
            const { receipt } = await stranger.ask("ReqGenTick", request)
            await arena.finish()
            await arena.ledger.until("the round in between", () => arena.state.current?.phase === "open")
            await arena.finish()
            const current = await arena.ticketFor(receipt.index)
            assert.ok(!equalBytes(current.ticket, ticket), "the ticket that was wished for")
            const cheat = arena.contribution(arena.party(attacker), { ...current, ticket })
            const outcome = await stranger.outcome("ReqContribution", { ...cheat, ticket })
            stranger.close()
            await arena.finish()
            return outcome
        },
    },
])

/**
 * A request whose ticket would elect the attacker alone, if it were made of what can be known when the request is
 * logged. The seed and the PDL's VRF output are not among that.
 */
function searched(arena: Arena) {
    const { current } = arena.state
    if (current === undefined) throw new Error("a round is in progress")
    const { roster } = current
    for (;;) {
        const request = arena.nextRequest()
        const leaf = leafHash(encodeEntry({ ...request, kind: "request", time: arena.state.time }))
        const known = [arena.chain, Uint8Array.of(1), leaf, noSeed, request.Y, request.nonce]
        const ticket = sha256(transcript(tags.ticket, ...known, new Uint8Array(64)))
        const elected = arena.parties.map(({ vrfSeed }) => drawLot(vrfSeed, { ticket, k: 1, roster }).elected)
        if (elected.every((isElected, at) => isElected === (at === attacker))) return { request, ticket }
    }
}
