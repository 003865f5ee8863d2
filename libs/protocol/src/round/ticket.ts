/**
 * The ticket (PROTOCOL.md §5.2): T = SHA-256(tag, chain, round, seed, Y, nonce, β), where β is the PDL's VRF
 * output over the request and a seed that nobody knew when the request was logged. Neither the requester nor the
 * PDL can search for a ticket that elects its friends.
 */
import { equalBytes, uint64 } from "@tallylight/crypto/bytes.js"
import { vrfProofToHash, vrfProve, vrfVerify } from "@tallylight/crypto/ecvrf.js"
import { sha256 } from "@tallylight/crypto/hash.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { transcript } from "@tallylight/crypto/transcript.js"
import { encodeEntry } from "../ledger/entry.ts"
import type { EntryOf } from "../ledger/entry.ts"
import type { ChainState, OpenRound, PendingRequest } from "../ledger/state.ts"
import type { UnixMs } from "../ports/clock.ts"
import { tags } from "../tags.ts"
import { Refusal, require } from "../wire/refusal.ts"
import { rosterAt } from "./eligibility.ts"

const noSeed = new Uint8Array(64)

/** The request that the next ticket goes to: the first in the queue that is due. */
export function dueRequest(state: ChainState, time: UnixMs): PendingRequest | undefined {
    return state.queue.find(({ notBefore }) => notBefore <= time)
}

/**
 * The output of the latest beacon whose own ticket was logged after the request. Rounds follow each other, so
 * where the latest beacon is too old every other one is.
 */
function seedFor(state: ChainState, request: PendingRequest): Uint8Array {
    const { latest } = state
    return latest !== undefined && latest.ticketIndex > request.index ? latest.output : noSeed
}

function vrfInput(state: ChainState, request: PendingRequest, seed: Uint8Array): Uint8Array {
    return transcript(tags.ticketVrf, state.chain, uint64(state.rounds + 1), request.leaf, seed)
}

function ticketHash(
    state: ChainState,
    request: PendingRequest,
    seed: Uint8Array,
    beta: Uint8Array,
): Uint8Array {
    const { Y, nonce } = request
    return sha256(transcript(tags.ticket, state.chain, uint64(state.rounds + 1), seed, Y, nonce, beta))
}

/** k and n: with no seed, or on a second attempt, there is nobody to elect and everybody is. */
function election(state: ChainState, request: PendingRequest, seed: Uint8Array): { k: number; n: number } {
    const n = rosterAt(request.parties, state.rounds + 1).size
    const all = request.retry || equalBytes(seed, noSeed)
    return { k: all ? n : state.genesis.parameters.expectedContributors, n }
}

/** The ticket entry for the request that is due at `time`; undefined where none is or a round is in progress. */
export function issueTicket(
    state: ChainState,
    vrfSeed: Uint8Array,
    time: UnixMs,
): EntryOf<"ticket"> | undefined {
    const request = dueRequest(state, time)
    if (request === undefined || state.current !== undefined) return undefined
    const seed = seedFor(state, request)
    const proof = vrfProve(vrfSeed, vrfInput(state, request, seed))
    const beta = vrfProofToHash(proof)
    if (beta === undefined) throw new Error("a VRF proof made here must decode")
    return {
        kind: "ticket",
        time,
        round: state.rounds + 1,
        request: request.index,
        seed,
        proof,
        ticket: ticketHash(state, request, seed, beta),
        ...election(state, request, seed),
        closesAt: time + state.genesis.parameters.contributionWindowMs,
    }
}

export function applyTicket(state: ChainState, entry: EntryOf<"ticket">): ChainState {
    require(state.current === undefined, "round-open", { round: state.rounds })
    const round = state.rounds + 1
    require(entry.round === round, "wrong-round", { expected: round, got: entry.round })
    const request = requestOf(state, entry)
    const seed = seedFor(state, request)
    require(equalBytes(entry.seed, seed), "wrong-seed")
    const { k, n } = election(state, request, seed)
    require(entry.k === k && entry.n === n, "wrong-election", { k, n })
    const closesAt = entry.time + state.genesis.parameters.contributionWindowMs
    require(entry.closesAt === closesAt, "wrong-deadline", { expected: closesAt, got: entry.closesAt })

    const current: OpenRound = {
        phase: "open",
        round,
        request,
        index: state.range.size,
        leaf: leafHash(encodeEntry(entry)),
        ticket: entry.ticket,
        k,
        roster: rosterAt(request.parties, round),
        contributions: [],
        answered: new Set(),
        extensions: 0,
        closesAt,
    }
    const queue = state.queue.filter((pending) => pending !== request)
    return { ...state, rounds: round, queue, current }
}

function requestOf(state: ChainState, entry: EntryOf<"ticket">): PendingRequest {
    const request = dueRequest(state, entry.time)
    if (request?.index !== entry.request) throw new Refusal("out-of-turn", { request: entry.request })
    return request
}

export function verifyTicket(state: ChainState, entry: EntryOf<"ticket">): void {
    const request = requestOf(state, entry)
    const input = vrfInput(state, request, entry.seed)
    const beta = vrfVerify(state.genesis.vrfKey, input, entry.proof)
    require(beta !== undefined, "bad-vrf")
    require(equalBytes(entry.ticket, ticketHash(state, request, entry.seed, beta)), "wrong-ticket")
}
