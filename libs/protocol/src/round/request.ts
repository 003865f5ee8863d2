/** A request for a round, logged before anybody knows its seed (PROTOCOL.md §5.1). */
import { equalBytes, uint64 } from "@tallylight/crypto/bytes.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { sign, signatureClaim } from "../chain/signer.ts"
import type { Signer, Statement } from "../chain/signer.ts"
import type { Claim } from "../ledger/claim.ts"
import { encodeEntry } from "../ledger/entry.ts"
import type { EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState, PendingRequest, Requester } from "../ledger/state.ts"
import { tags } from "../tags.ts"
import { Refusal, require } from "../wire/refusal.ts"
import { rosterAt } from "./eligibility.ts"

type Request = Omit<EntryOf<"request">, "kind" | "time">

/** How many of one requester's requests may wait, and how far ahead one may ask. */
export const requestsPerRequester = 2
export const farthestAheadMs = 24 * 60 * 60 * 1000

function statement(chain: Uint8Array, request: Omit<Request, "signature">): Statement {
    const { identity, Y, nonce, sequence, notBefore } = request
    return [tags.signRequest, chain, identity, Y, nonce, uint64(sequence), uint64(notBefore)]
}

/** `nonce` is 32 fresh bytes; `sequence` is above that of every earlier request of this identity. */
export function makeRequest(
    chain: Uint8Array,
    signer: Signer,
    fields: Pick<Request, "Y" | "nonce" | "sequence" | "notBefore">,
): Request {
    const request = { ...fields, identity: signer.publicKey }
    return { ...request, signature: sign(signer, statement(chain, request)) }
}

export function applyRequest(state: ChainState, entry: EntryOf<"request">): ChainState {
    const name = nameOf(entry.identity)
    const requester = registeredRequester(state, name)
    const Y = requester.commitments[0]
    require(Y !== undefined && equalBytes(entry.Y, Y), "wrong-encryption-key")
    require(entry.sequence > requester.requestSequence, "stale-sequence", { last: requester.requestSequence })
    require(entry.notBefore <= entry.time + farthestAheadMs, "too-far-ahead", { now: entry.time })

    const first = state.queue.filter((pending) => !pending.retry)
    const own = first.filter((pending) => nameOf(pending.identity) === name)
    // Requests for later take no room from those that are due: they would hold it for a day.
    const waiting = first.filter(({ due }) => due <= entry.time)
    const { queueLength, minimumContributors } = state.genesis.parameters
    const full = waiting.length >= queueLength || own.length >= requestsPerRequester
    require(!full, "queue-full", { waiting: waiting.length, own: own.length })
    const roster = rosterAt(state.parties, state.rounds + 1)
    const enough = roster.size >= minimumContributors
    require(enough, "roster-too-small", { roster: roster.size, minimum: minimumContributors })

    const { identity, nonce } = entry
    const due = Math.max(entry.notBefore, entry.time)
    const pending: PendingRequest = {
        ...{ index: state.range.size, leaf: leafHash(encodeEntry(entry)), identity, Y, nonce, due },
        ...{ requester, roster, retry: false, seed: undefined },
    }
    const before = state.queue.filter((other) => other.due <= due)
    const after = state.queue.slice(before.length)
    return {
        ...state,
        requesters: state.requesters.set(name, { ...requester, requestSequence: entry.sequence }),
        queue: [...before, pending, ...after],
    }
}

function registeredRequester(state: ChainState, name: string): Requester {
    const requester = state.requesters.get(name)
    if (requester === undefined || requester.revoked || requester.lastRound <= state.rounds)
        throw new Refusal("not-registered")
    return requester
}

export function requestClaims({ chain }: ChainState, entry: EntryOf<"request">): readonly Claim[] {
    return [signatureClaim(entry.identity, statement(chain, entry), entry.signature)]
}
