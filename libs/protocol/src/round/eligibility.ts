/**
 * The lottery (PROTOCOL.md §5.3): Th = min(2^512, floor(k 2^512 / n)); a party with VRF output y on the ticket
 * is elected iff y, as a big-endian integer, is below Th.
 */
import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { vrfProofToHash, vrfProve } from "@tallylight/crypto/ecvrf.js"
import type { Claim } from "../ledger/claim.ts"
import { nameOf } from "../ledger/state.ts"
import type { Name, OpenRound, Party, Registry } from "../ledger/state.ts"
import { Refusal, require } from "../wire/refusal.ts"

const everybody = 1n << 512n

/** The parties whose registrations are in force for a round of that number. */
export function rosterAt(parties: Registry<Party>, round: number): ReadonlyMap<Name, Party> {
    return new Map([...parties].filter(([, party]) => !party.revoked && party.lastRound >= round))
}

export function threshold(k: number, n: number): bigint {
    return k >= n ? everybody : (BigInt(k) << 512n) / BigInt(n)
}

/** 65 bytes, big-endian: 2^512 itself does not fit in 64. */
export function encodeThreshold(value: bigint): Uint8Array {
    return fromHex(value.toString(16).padStart(130, "0"))
}

export function isElected(y: Uint8Array, k: number, n: number): boolean {
    return BigInt(`0x${toHex(y)}`) < threshold(k, n)
}

/** A proof of eligibility, and whether it elects. */
export type Lot = { readonly y: Uint8Array; readonly pi: Uint8Array; readonly elected: boolean }

export function drawLot(
    vrfSeed: Uint8Array,
    { ticket, k, roster }: Pick<OpenRound, "ticket" | "k" | "roster">,
): Lot {
    const pi = vrfProve(vrfSeed, ticket)
    const y = vrfProofToHash(pi)
    if (y === undefined) throw new Error("a VRF proof made here must decode")
    return { y, pi, elected: isElected(y, k, roster.size) }
}

/** The answering party's registration, refused if it is not asked or has answered. */
export function answeringParty(current: OpenRound, identity: Uint8Array): Party {
    const party = current.roster.get(nameOf(identity))
    if (party === undefined) throw new Refusal("not-on-roster", { round: current.round })
    require(!current.answered.has(nameOf(identity)), "already-contributed", { round: current.round })
    return party
}

/** y = VRF(T) under the key that the party registered before the round was asked for. */
export function lotClaim(party: Party, input: Uint8Array, { y, pi }: Pick<Lot, "y" | "pi">): Claim {
    const { vrfKey: publicKey } = party
    return { claim: "vrf", publicKey, input, proof: pi, output: y, code: "bad-eligibility" }
}
