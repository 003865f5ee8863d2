/** Coalitions that want to choose an output, or who is elected, or that no output comes. */
import assert from "node:assert/strict"
import { join } from "node:path"
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { vrfProofToHash } from "@tallylight/crypto/ecvrf.js"
import { decodePoint, encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { readKeyFile } from "@tallylight/node/key-files.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { apply, begin } from "@tallylight/protocol/ledger/apply.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, OpenRound } from "@tallylight/protocol/ledger/state.js"
import { verifyEntry } from "@tallylight/protocol/ledger/verify.js"
import { beaconOutput } from "@tallylight/protocol/round/beacon.js"
import { drawPoint, makeContribution } from "@tallylight/protocol/round/contribution.js"
import { drawLot } from "@tallylight/protocol/round/eligibility.js"
import { openTally } from "@tallylight/protocol/round/share.js"
import { issueTicket } from "@tallylight/protocol/round/ticket.js"
import { group } from "./attack.ts"
import { Arena, newParty } from "./arena.ts"
import { outcomeOf } from "./client.ts"

async function beacon(arena: Arena): Promise<void> {
    await arena.openRound()
    assert.equal((await arena.finish()).kind, "beacon")
}

function fold(entries: readonly Entry[]): ChainState {
    const [genesis, ...rest] = entries
    if (genesis === undefined) throw new Error("a ledger begins with its genesis")
    return rest.reduce(apply, begin(genesis))
}

/** Every output of the PDL's VRF that the ledger shows. */
function vrfOutputs(arena: Arena): Uint8Array[] {
    return arena.ledger.entries.flatMap((entry) => {
        const output =
            entry.kind === "ticket" || entry.kind === "beacon" ? vrfProofToHash(entry.proof) : undefined
        return output === undefined ? [] : [output]
    })
}

function electees(arena: Arena, current: Pick<OpenRound, "ticket" | "k" | "roster">): boolean[] {
    return arena.parties.map(({ vrfSeed }) => drawLot(vrfSeed, current).elected)
}

/** A round that the requester spoils with a wrong share. */
async function spoiltRound(arena: Arena): Promise<void> {
    arena.opens = (sealed, { index, signer, secret }) => {
        const own = { member: index, signer, secret: secret + 1n, random: systemRandom(32) }
        return Promise.resolve(openTally(arena.chain, sealed, own))
    }
    await arena.openRound()
    const end = await arena.finish()
    arena.opens = (sealed, member) => arena.opensHonestly(sealed, member)
    assert.equal(end.kind === "void" && end.reason, "wrong-share")
}

const lottery = () => Arena.open({ parties: 4, chain: { expectedContributors: 1 } })

export const rounds = group("coalitions", "rounds.ts", lottery, [
    {
        name: "a key holder that opens early, and a friend that contributes last, to choose the output",
        stoppedBy: "wrong-output",
        honest: beacon,
        attack: async (arena) => {
            const current = await arena.openRound()
            for (const at of [1, 2, 3]) await arena.contribute(arena.party(at), current)
            const secret = arena.requester.polynomial[0] ?? 0n
            const open = arena.state.current
            if (open?.phase !== "open") throw new Error("the friend is missing")
            const known = open.contributions
                .map(({ C, D }) => {
                    const [c, d] = [decodePoint(C), decodePoint(D)]
                    if (c === undefined || d === undefined) throw new Error("the ledger holds points")
                    return ristretto255.subtract(d, ristretto255.multiply(c, secret))
                })
                .reduce((sum, point) => ristretto255.add(sum, point), ristretto255.identity)
            const wished = drawPoint(new Uint8Array(), systemRandom(64))
            const { signer, vrfSeed } = arena.party(0)
            const lot = drawLot(vrfSeed, current)
            const last = {
                signer,
                lot,
                point: ristretto255.subtract(wished, known),
                statement: new Uint8Array(),
            }
            const cheat = makeContribution(arena.chain, current, last, systemRandom)
            // They know and choose M, and have seen every output of the PDL's VRF so far.
            const guesses = vrfOutputs(arena).map((beta) =>
                beaconOutput(arena.chain, current, encodePoint(wished), beta),
            )
            const sent = { ...cheat, ticket: current.ticket }
            assert.equal(await arena.outcome("ReqContribution", sent), "accepted")
            const end = await arena.endOf(current.round)
            assert.equal(end.kind, "beacon")
            const at = arena.ledger.entries.indexOf(end)
            const logged = end
            assert.deepEqual(logged.M, encodePoint(wished), "the sum is theirs, as PROTOCOL.md 2 says")
            assert.ok(!guesses.some((guess) => equalBytes(guess, logged.output)), "the output is not")
            const before = fold(arena.ledger.entries.slice(0, at))
            verifyEntry(before, logged)
            const outcomes = guesses.map((output) =>
                outcomeOf(() => verifyEntry(before, { ...logged, output })),
            )
            return [...new Set(await Promise.all(outcomes))].join()
        },
    },
    {
        name: "rounds that are inserted and made to fail, so that a waiting request elects others",
        stoppedBy: "the ticket that was settled",
        honest: beacon,
        attack: async (arena) => {
            await arena.openRound()
            await arena.request()
            const due = arena.state.time + 6000
            const waiting = await arena.request({ notBefore: due })
            await arena.finish()
            await arena.ledger.until("the round that seeds it", () => arena.state.current?.phase === "open")
            await arena.finish()
            // The PDL is in it, so its key can say now which ticket that request is going to get.
            const vrfSeed = await readKeyFile(
                join(arena.processes.folder, "data/pdl/chains/local/keys/vrf.key"),
                "vrf",
            )
            const settled = issueTicket(arena.state, vrfSeed, due)
            const { roster } = arena.state.queue.find(({ index }) => index === waiting) ?? {}
            if (settled === undefined || roster === undefined) throw new Error("it waits for its time")
            let inserted = 0
            for (; inserted === 0 || Date.now() < due - 2000; inserted += 1) {
                const friend = newParty()
                await arena.registerParty(friend)
                await arena.retire(friend)
                await spoiltRound(arena)
            }
            const current = await arena.ticketFor(waiting)
            assert.equal(current.round, settled.round + inserted)
            assert.deepEqual(electees(arena, current), electees(arena, { ...settled, roster }))
            assert.deepEqual([...current.roster.keys()], [...roster.keys()])
            await arena.finish()
            const same = equalBytes(current.ticket, settled.ticket) && current.k === settled.k
            return same ? "the ticket that was settled" : "another ticket"
        },
    },
])

const hasty = () =>
    Arena.open({
        parties: 3,
        chain: { expectedContributors: 1, contributionWindowMs: 4000, decryptionWindowMs: 4000 },
    })

/** What time alone ends. */
export const silences = group("silence", "rounds.ts", hasty, [
    {
        name: "a requester that does not open",
        stoppedBy: "withheld",
        honest: beacon,
        attack: async (arena) => {
            let open: () => void = () => undefined
            const late = new Promise<void>((resolve) => (open = resolve))
            arena.opens = async (sealed, member) => {
                await late
                return arena.opensHonestly(sealed, member)
            }
            const { round } = await arena.openRound()
            const end = await arena.finish()
            open()
            arena.opens = (sealed, member) => arena.opensHonestly(sealed, member)
            await arena.ledger.until("the late beacon", () =>
                arena.ledger.entries.some((entry) => entry.kind === "beacon" && entry.round === round),
            )
            return end.kind === "void" ? end.reason : "accepted"
        },
    },
    {
        name: "a party that says nothing, so that a round never ends",
        stoppedBy: "the deadline",
        honest: beacon,
        attack: async (arena) => {
            const current = await arena.openRound()
            for (const at of [1, 2]) await arena.contribute(arena.party(at), current)
            const end = await arena.endOf(current.round)
            return end.kind === "beacon" ? "the deadline" : end.reason
        },
    },
    {
        name: "elected parties that say nothing, so that others are elected",
        stoppedBy: "a retry that elects everybody",
        honest: beacon,
        attack: async (arena) => {
            const current = await arena.openLotteryWhere((round) => electees(arena, round).some(Boolean))
            for (const [at, elected] of electees(arena, current).entries())
                if (!elected) await arena.answer(arena.party(at), current)
            const end = await arena.endOf(current.round)
            assert.equal(end.kind === "void" && end.reason, "no-contributor")
            const retry = await arena.ticketFor(current.request.index)
            const everybody = electees(arena, retry).every(Boolean) && retry.k === retry.roster.size
            const names = arena.parties.map(({ signer }) => nameOf(signer.publicKey))
            assert.deepEqual([...retry.roster.keys()].sort(), names.sort())
            assert.equal((await arena.finish()).kind, "beacon")
            return everybody ? "a retry that elects everybody" : "another election"
        },
    },
    {
        name: "a contribution after the deadline",
        stoppedBy: "no-round",
        honest: beacon,
        attack: async (arena) => {
            const current = await arena.openRound()
            const cheat = arena.contribution(arena.party(0), current)
            await arena.contribute(arena.party(1), current)
            assert.equal((await arena.endOf(current.round)).kind, "beacon")
            return arena.outcome("ReqContribution", { ...cheat, ticket: current.ticket })
        },
    },
])
