/**
 * The state of a chain: what the fold over its entries knows (PROTOCOL.md §6).
 *
 * Every value is immutable. A snapshot (the roster at a request, the committee of a round) is a reference to the
 * map or record as it was then.
 */
import type { CompactRange } from "@tallylight/crypto/merkle.js"
import { toHex } from "@tallylight/crypto/bytes.js"
import { Map as PersistentMap } from "immutable"
import type { Set as PersistentSet } from "immutable"
import type { UnixMs } from "../ports/clock.ts"
import type { PulseTrail } from "../pulse/trail.ts"
import type { EntryOf } from "./entry.ts"

export type Genesis = EntryOf<"genesis">

/** Bytes as a map key: identities, keys. */
export type Name = string
export const nameOf: (bytes: Uint8Array) => Name = toHex

/**
 * A map whose `set` leaves the old one as it was and shares nearly all of it: with a copy for each registration,
 * folding a ledger of twenty thousand took minutes.
 */
export type Registry<V> = PersistentMap<Name, V>
export const emptyRegistry = <V>(): Registry<V> => PersistentMap<Name, V>()

export type Party = {
    readonly identity: Uint8Array
    readonly vrfKey: Uint8Array
    readonly sequence: number
    /** The last round whose roster this registration can be on. */
    readonly lastRound: number
    /** A revoked party stays here so that its sequence number and keys stay used. */
    readonly revoked: boolean
}

export type Requester = {
    readonly identity: Uint8Array
    /** A_0 … A_{t-1}; A_0 = Y, so the threshold t is their number. */
    readonly commitments: readonly Uint8Array[]
    /** Member i (from 1) is members[i - 1]. */
    readonly members: readonly Uint8Array[]
    readonly dealt: boolean
    readonly sequence: number
    readonly lastRound: number
    readonly revoked: boolean
    /** Of its requests, which count apart from its registrations. */
    readonly requestSequence: number
}

/** A hash that an entropy node committed to, and the entry in which it did. */
export type Commitment = { readonly value: Uint8Array; readonly index: number }

export type EntropyNode = {
    readonly identity: Uint8Array
    readonly sequence: number
    readonly lastRound: number
    readonly revoked: boolean
    /** The NIST chain index of its pulses for this chain. */
    readonly pulseChain: number
    /** What it says of its key and its sources: all hardware. */
    readonly hardware: boolean
    /** Of its RSA-4096 key, with the exponent 65537. */
    readonly modulus: Uint8Array
    readonly certificateId: Uint8Array
    /** By the ordinal of the beacon whose pulse opens them; only for those that can still come. */
    readonly commitments: ReadonlyMap<number, Commitment>
    /** The first ordinal that it has not committed to, or may no longer. */
    readonly nextCommitment: number
    /** The ordinal of the beacon that its last pulse is about, or of the last one before it registered. */
    readonly signed: number
    /** Where its next pulse goes on; undefined before the first. */
    readonly trail: PulseTrail | undefined
}

/** A beacon that was in time, as far as pulses are about it. */
export type SignableBeacon = {
    /** Beacons in time are counted from 1; unlike rounds they have no gaps. */
    readonly ordinal: number
    readonly round: number
    readonly output: Uint8Array
    /** Of the ticket of its round: what was committed to before that was chosen blindly. */
    readonly ticketIndex: number
}

export type PendingRequest = {
    readonly index: number
    readonly leaf: Uint8Array
    readonly identity: Uint8Array
    readonly Y: Uint8Array
    readonly nonce: Uint8Array
    /** When its turn can come: its notBefore, or its entry's time if that is later. */
    readonly due: UnixMs
    /**
     * The output of the first round that got its ticket after this request; `noSeed` where that round ended
     * without one in time; undefined while it has not ended. Nobody has a choice in it once the request is logged.
     */
    readonly seed: Uint8Array | undefined
    /**
     * Whoever was registered when the request was logged. Later registrations, renewals and expiries count for later
     * requests: a roster that went by the round's number could be thinned out by whoever inserts rounds.
     */
    readonly requester: Requester
    readonly roster: ReadonlyMap<Name, Party>
    /** Second and last attempt, after a round with too few contributors: everybody is elected. */
    readonly retry: boolean
}

type RoundFacts = {
    readonly round: number
    readonly request: PendingRequest
    /** Index, leaf hash and value of the ticket entry. */
    readonly index: number
    readonly leaf: Uint8Array
    readonly ticket: Uint8Array
    readonly k: number
    readonly roster: ReadonlyMap<Name, Party>
    readonly contributions: readonly EntryOf<"contribution">[]
    readonly answered: ReadonlySet<Name>
    readonly extensions: number
}

export type OpenRound = RoundFacts & { readonly phase: "open"; readonly closesAt: UnixMs }

export type SealedRound = RoundFacts & {
    readonly phase: "sealed"
    readonly tally: EntryOf<"tally">
    readonly tallyIndex: number
    readonly tallyLeaf: Uint8Array
    /** Root of the tree whose last entry is the tally: what the members' signatures name. */
    readonly tallyRoot: Uint8Array
    readonly answerBy: UnixMs
    readonly shares: readonly EntryOf<"share">[]
}

export type ChainState = {
    /** SHA-256 of the genesis entry's bytes: the chain's id. */
    readonly chain: Uint8Array
    readonly genesis: Genesis
    readonly range: CompactRange
    readonly time: UnixMs
    /** As a {@link Registry}, without values. */
    readonly admitted: PersistentSet<Name>
    readonly admissionSequence: number
    readonly parties: Registry<Party>
    readonly requesters: Registry<Requester>
    readonly nodes: Registry<EntropyNode>
    /** Every key and identity ever registered, with the identity it belongs to. */
    readonly keys: Registry<Name>
    /** In the order in which they get their tickets: by `due`, then by index. */
    readonly queue: readonly PendingRequest[]
    /** The number of the latest round that got a ticket; 0 before the first. */
    readonly rounds: number
    readonly current: OpenRound | SealedRound | undefined
    /** Rounds that ended withheld and may still be opened late, by round number. */
    readonly withheld: ReadonlyMap<number, SealedRound>
    /** How many beacons came in time. */
    readonly beacons: number
    /** The latest of them, oldest first: those that a pulse may still be about. */
    readonly signable: readonly SignableBeacon[]
}
