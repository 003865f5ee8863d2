/**
 * The ticket (PROTOCOL.md §5.2): T = SHA-256(tag, chain, attempt, request, seed, Y, nonce, β), where β is the
 * PDL's VRF output over the request and a seed that nobody knew when the request was logged. Neither the requester
 * nor the PDL can search for a ticket that elects its friends.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
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
import { noSeed } from "./seed.ts"

/** The request that the next ticket goes to, once it is due: not even the ledger server may pick another one. */
export function dueRequest(state: ChainState, time: UnixMs): PendingRequest | undefined {
    const [first] = state.queue
    return first !== undefined && first.due <= time ? first : undefined
}

function seedOf(request: PendingRequest): Uint8Array {
    return request.seed ?? noSeed
}

/**
 * Neither β nor T depends on the round's number: rounds that others insert in between change nothing about the
 * ticket that a request gets.
 */
function vrfInput(chain: Uint8Array, request: PendingRequest): Uint8Array {
    return transcript(tags.ticketVrf, chain, attempt(request), request.leaf, seedOf(request))
}

function ticketHash(chain: Uint8Array, request: PendingRequest, beta: Uint8Array): Uint8Array {
    const { leaf, Y, nonce } = request
    const seed = seedOf(request)
    return sha256(transcript(tags.ticket, chain, attempt(request), leaf, seed, Y, nonce, beta))
}

function attempt({ retry }: PendingRequest): Uint8Array {
    return Uint8Array.of(retry ? 2 : 1)
}

/** k and n: with no seed, or on a second attempt, there is nobody to elect and everybody is. */
function election(state: ChainState, request: PendingRequest): { k: number; n: number } {
    const n = request.roster.size
    const all = request.retry || equalBytes(seedOf(request), noSeed)
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
    const proof = vrfProve(vrfSeed, vrfInput(state.chain, request))
    const beta = vrfProofToHash(proof)
    if (beta === undefined) throw new Error("a VRF proof made here must decode")
    return {
        kind: "ticket",
        time,
        round: state.rounds + 1,
        request: request.index,
        seed: seedOf(request),
        proof,
        ticket: ticketHash(state.chain, request, beta),
        ...election(state, request),
        closesAt: time + state.genesis.parameters.contributionWindowMs,
    }
}

export function applyTicket(state: ChainState, entry: EntryOf<"ticket">): ChainState {
    require(state.current === undefined, "round-open", { round: state.rounds })
    const round = state.rounds + 1
    require(entry.round === round, "wrong-round", { expected: round, got: entry.round })
    const request = requestOf(state, entry)
    require(equalBytes(entry.seed, seedOf(request)), "wrong-seed")
    const { k, n } = election(state, request)
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
        roster: request.roster,
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
    const beta = vrfVerify(state.genesis.vrfKey, vrfInput(state.chain, request), entry.proof)
    require(beta !== undefined, "bad-vrf")
    require(equalBytes(entry.ticket, ticketHash(state.chain, request, beta)), "wrong-ticket")
}
