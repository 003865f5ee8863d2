/**
 * The beacon (PROTOCOL.md §5.7): M = D* - Σ λ_i S_i over the t valid shares of lowest index, and
 * R = SHA-512(tag, chain, round, T, M, β*), where β* is the PDL's VRF output over the sealed tally. The key
 * holders, who can know M early, do not know β*; the PDL, who can know β* early, does not know M.
 */
import { equalBytes, uint64 } from "@tallylight/crypto/bytes.js"
import { vrfProofToHash, vrfProve, vrfVerify } from "@tallylight/crypto/ecvrf.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { combineShares } from "@tallylight/crypto/threshold.js"
import { transcript } from "@tallylight/crypto/transcript.js"
import { element } from "../chain/elements.ts"
import { encodeEntry } from "../ledger/entry.ts"
import type { EntryOf, RecordedShare } from "../ledger/entry.ts"
import type { ChainState, SealedRound } from "../ledger/state.ts"
import type { UnixMs } from "../ports/clock.ts"
import { tags } from "../tags.ts"
import { require } from "../wire/refusal.ts"
import { sealedRound } from "./phase.ts"
import { settleSeeds } from "./seed.ts"
import { ciphertextOf } from "./share.ts"

/** The t shares that open the tally: valid, on record, of lowest index; fewer while some are missing. */
export function openingShares(sealed: SealedRound): readonly RecordedShare[] {
    return sealed.shares
        .filter(({ valid }) => valid)
        .map(({ share }) => share)
        .sort((a, b) => a.member - b.member)
        .slice(0, sealed.request.requester.commitments.length)
}

export function canOpen(sealed: SealedRound): boolean {
    return openingShares(sealed).length === sealed.request.requester.commitments.length
}

function openedPoint(sealed: SealedRound): Uint8Array {
    const shares = openingShares(sealed).map(({ member, S }) => ({ index: member, share: element(S) }))
    return ristretto255.encode(combineShares(ciphertextOf(sealed.tally).d, shares))
}

function vrfInput(chain: Uint8Array, { round, ticket, tally }: SealedRound): Uint8Array {
    return transcript(tags.outputVrf, chain, uint64(round), ticket, tally.C, tally.D)
}

/** R, 64 bytes. */
export function beaconOutput(
    chain: Uint8Array,
    { round, ticket }: Pick<SealedRound, "round" | "ticket">,
    M: Uint8Array,
    beta: Uint8Array,
): Uint8Array {
    return sha512(transcript(tags.output, chain, uint64(round), ticket, M, beta))
}

/** Its shares become durable before it or with it: nobody may know β* while they could still be lost. */
export function makeBeacon(
    state: ChainState,
    sealed: SealedRound,
    vrfSeed: Uint8Array,
    time: UnixMs,
): EntryOf<"beacon"> {
    const proof = vrfProve(vrfSeed, vrfInput(state.chain, sealed))
    const beta = vrfProofToHash(proof)
    if (beta === undefined) throw new Error("a VRF proof made here must decode")
    const M = openedPoint(sealed)
    const output = beaconOutput(state.chain, sealed, M, beta)
    return { kind: "beacon", time, round: sealed.round, M, shares: openingShares(sealed), proof, output }
}

export function applyBeacon(state: ChainState, entry: EntryOf<"beacon">): ChainState {
    const sealed = sealedRound(state, entry.round)
    require(canOpen(sealed), "wrong-shares", { valid: openingShares(sealed).length })
    const expected = { ...entry, shares: openingShares(sealed) }
    require(equalBytes(encodeEntry(entry), encodeEntry(expected)), "wrong-shares")
    if (sealed !== state.current) {
        const withheld = new Map(state.withheld)
        withheld.delete(entry.round)
        // A late output was for its key holders to time, so it never elects anybody.
        return { ...state, withheld }
    }
    const queue = settleSeeds(state.queue, sealed.index, entry.output)
    return { ...state, current: undefined, queue, ...withBeacon(state, sealed, entry.output) }
}

/** How many beacons a pulse may still be about: whoever is away for longer has lost the others. */
export const signableBeacons = 64

function withBeacon(
    state: ChainState,
    { round, index: ticketIndex }: SealedRound,
    output: Uint8Array,
): Pick<ChainState, "beacons" | "signable"> {
    const beacons = state.beacons + 1
    const beacon = { ordinal: beacons, round, output, ticketIndex }
    return { beacons, signable: [...state.signable, beacon].slice(-signableBeacons) }
}

export function verifyBeacon(state: ChainState, entry: EntryOf<"beacon">): void {
    const sealed = sealedRound(state, entry.round)
    require(equalBytes(entry.M, openedPoint(sealed)), "wrong-point")
    const beta = vrfVerify(state.genesis.vrfKey, vrfInput(state.chain, sealed), entry.proof)
    require(beta !== undefined, "bad-vrf")
    require(equalBytes(entry.output, beaconOutput(state.chain, sealed, entry.M, beta)), "wrong-output")
}
