/**
 * A requester's registration: the committee that opens its rounds (PROTOCOL.md §4.4).
 *
 * The secret x is shared by a polynomial f of degree t - 1 with f(0) = x; A_j = f_j B are its Feldman
 * commitments, Y = A_0, and member i holds x_i = f(i) with Y_i = Σ i^j A_j = x_i B. A committee of one has
 * t = n = 1 and x_1 = x. Each member signs the whole, with a proof that it holds x_i. No member signs the sequence:
 * who joined need not be asked again when nothing but that changes.
 */
import { concatBytes, uint16, uint64 } from "@tallylight/crypto/bytes.js"
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { encodeScalar } from "@tallylight/crypto/scalar.js"
import type { Scalar } from "@tallylight/crypto/scalar.js"
import { proveLog, verifyLog } from "@tallylight/crypto/schnorr.js"
import { evaluateCommitments } from "@tallylight/crypto/threshold.js"
import type { Context } from "@tallylight/crypto/transcript.js"
import type { Claim, PossessionClaim } from "../ledger/claim.ts"
import type { CommitteeMember, EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState } from "../ledger/state.ts"
import { tags } from "../tags.ts"
import { require } from "../wire/refusal.ts"
import { commitmentPoints, element, scalar } from "./elements.ts"
import { claimKeys } from "./keys.ts"
import { sign, signatureClaim } from "./signer.ts"
import type { Signer, Statement } from "./signer.ts"

type Registration = Omit<EntryOf<"requester-registration">, "kind" | "time">

/** What all members agree on before any of them signs. */
export type CommitteePlan = Pick<Registration, "identity" | "dealt" | "commitments"> & {
    readonly identities: readonly Uint8Array[]
}

/** The plan as all transcripts have it: kept, since one of 256 members has 12 KB and each of them two transcripts. */
type Plan = readonly Uint8Array[]

function planParts(chain: Uint8Array, plan: CommitteePlan): Plan {
    const { identity, dealt, commitments, identities } = plan
    return [
        chain,
        identity,
        Uint8Array.of(dealt ? 1 : 0),
        concatBytes(...commitments),
        concatBytes(...identities),
    ]
}

function possessionContext(plan: Plan, index: number): Context {
    return { tag: tags.possession, parts: [...plan, uint16(index)] }
}

function memberStatement(plan: Plan, index: number, proof: Pick<CommitteeMember, "A" | "s">): Statement {
    return [tags.signCommitteeMember, ...plan, uint16(index), proof.A, proof.s]
}

function requesterStatement(plan: Plan, sequence: number, members: readonly CommitteeMember[]): Statement {
    const joined = members.map(({ A, s, signature }) => concatBytes(A, s, signature))
    return [tags.signRequesterRegistration, ...plan, uint64(sequence), concatBytes(...joined)]
}

/** Member `index`'s part of every registration under this plan. `random` is 32 fresh bytes. */
export function joinCommittee(
    chain: Uint8Array,
    plan: CommitteePlan,
    own: {
        readonly index: number
        readonly signer: Signer
        readonly secret: Scalar
        readonly random: Uint8Array
    },
): CommitteeMember {
    const parts = planParts(chain, plan)
    const { commitment, response } = proveLog({
        secret: own.secret,
        context: possessionContext(parts, own.index),
        bound: [],
        random: own.random,
    })
    const proof = { A: encodePoint(commitment), s: encodeScalar(response) }
    const signature = sign(own.signer, memberStatement(parts, own.index, proof))
    return { identity: own.signer.publicKey, ...proof, signature }
}

export function makeRequesterRegistration(
    chain: Uint8Array,
    plan: CommitteePlan,
    sequence: number,
    signer: Signer,
    members: readonly CommitteeMember[],
): Registration {
    const { identities: _, ...rest } = plan
    const whole = requesterStatement(planParts(chain, plan), sequence, members)
    return { ...rest, sequence, members, signature: sign(signer, whole) }
}

/** The registration of a requester that opens its rounds alone. */
export function makeSoloRegistration(
    chain: Uint8Array,
    keys: { readonly signer: Signer; readonly secret: Scalar },
    sequence: number,
    random: Uint8Array,
): Registration {
    const identity = keys.signer.publicKey
    const commitments = [encodePoint(ristretto255.multiplyBase(keys.secret))]
    const plan = { identity, dealt: false, commitments, identities: [identity] }
    const member = joinCommittee(chain, plan, { index: 1, ...keys, random })
    return makeRequesterRegistration(chain, plan, sequence, keys.signer, [member])
}

export function applyRequesterRegistration(
    state: ChainState,
    entry: EntryOf<"requester-registration">,
): ChainState {
    const { identity, sequence, commitments, dealt } = entry
    const members = entry.members.map((member) => member.identity)
    const [t, n] = [commitments.length, members.length]
    const name = nameOf(identity)
    require(t <= n, "bad-committee", { t, n })
    // Without witnesses two disjoint quorums could open one round on two ledgers.
    require(2 * t > n, "bad-committee", { t, n })
    require(new Set(members.map(nameOf)).size === n, "bad-committee", { problem: "member twice" })
    const former = state.requesters.get(name)
    require(former?.revoked !== true, "revoked")
    require(sequence > (former?.sequence ?? -1), "stale-sequence", { last: former?.sequence ?? -1 })
    require(!state.parties.has(name) && !state.nodes.has(name), "key-taken", { key: name })
    const requester = {
        identity,
        commitments,
        members,
        dealt,
        sequence,
        lastRound: state.rounds + state.genesis.parameters.registrationRounds,
        revoked: false,
        requestSequence: former?.requestSequence ?? -1,
    }
    return {
        ...state,
        keys: claimKeys(state, name, commitments.slice(0, 1)),
        requesters: state.requesters.set(name, requester),
    }
}

/** Some milliseconds for a member: the whole of a committee of 256 takes seconds. */
export function requesterRegistrationClaims(
    { chain }: ChainState,
    entry: EntryOf<"requester-registration">,
): readonly Claim[] {
    const { identity, sequence, commitments, members } = entry
    const identities = members.map((member) => member.identity)
    const plan = planParts(chain, { ...entry, identities })
    const whole = requesterStatement(plan, sequence, members)
    return [
        ...[identity, ...identities].map((key) => ({ claim: "key", of: "ed25519", key }) as const),
        signatureClaim(identity, whole, entry.signature),
        { claim: "elements", elements: commitments, scalars: [] },
        ...members.flatMap((joined, at) => memberClaims(plan, commitments, at + 1, joined)),
    ]
}

function memberClaims(
    plan: Plan,
    commitments: readonly Uint8Array[],
    member: number,
    { identity, A, s, signature }: CommitteeMember,
): readonly Claim[] {
    const context = possessionContext(plan, member)
    return [
        signatureClaim(identity, memberStatement(plan, member, { A, s }), signature),
        { claim: "possession", commitments, member, A, s, context },
    ]
}

export function verifyPossession({ commitments, member, A, s, context }: PossessionClaim): void {
    const proof = { commitment: element(A), response: scalar(s) }
    const point = evaluateCommitments(commitmentPoints(commitments), member)
    // Everybody knows the share whose key is the identity.
    require(!ristretto255.isIdentity(point), "bad-committee", { member })
    require(verifyLog({ point, context, bound: [], proof }), "bad-possession", { member })
}
