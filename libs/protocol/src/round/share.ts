/**
 * A member's share of a tally's opening (PROTOCOL.md §5.6): S_i = x_i C*, the Chaum-Pedersen proof that
 * log_B Y_i = log_C* S_i, and a signature that also names the ledger in which the member saw the tally.
 *
 * A signed share is logged even where its proof is wrong: the signature convicts its member.
 */
import { uint16, uint64 } from "@tallylight/crypto/bytes.js"
import { makeShare, verifyShare as verifyShareProof } from "@tallylight/crypto/decryption-share.js"
import type { Ciphertext } from "@tallylight/crypto/elgamal.js"
import { encodePoint } from "@tallylight/crypto/ristretto255.js"
import { decodeScalar, encodeScalar } from "@tallylight/crypto/scalar.js"
import type { Scalar } from "@tallylight/crypto/scalar.js"
import { evaluateCommitments } from "@tallylight/crypto/threshold.js"
import type { Context } from "@tallylight/crypto/transcript.js"
import { decodePoint } from "@tallylight/crypto/ristretto255.js"
import { commitmentPoints, element, elementOrIdentity } from "../chain/elements.ts"
import { sign, signatureClaim } from "../chain/signer.ts"
import type { Signer, Statement } from "../chain/signer.ts"
import type { Claim, ShareClaim } from "../ledger/claim.ts"
import type { EntryOf, RecordedShare } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState, SealedRound } from "../ledger/state.ts"
import { tags } from "../tags.ts"
import { require } from "../wire/refusal.ts"
import { contextOf, contextParts } from "./context.ts"
import { sealedRound } from "./phase.ts"

export function ciphertextOf({ C, D }: Pick<EntryOf<"tally">, "C" | "D">): Ciphertext {
    return { c: element(C), d: elementOrIdentity(D) }
}

function proofContext(chain: Uint8Array, sealed: SealedRound, identity: Uint8Array, member: number): Context {
    return { tag: tags.share, parts: [...contextParts(contextOf(chain, sealed), identity), uint16(member)] }
}

function statement(
    chain: Uint8Array,
    sealed: SealedRound,
    identity: Uint8Array,
    { member, S, c, z }: Omit<RecordedShare, "signature">,
): Statement {
    const { tally, tallyIndex, tallyLeaf, tallyRoot } = sealed
    const seen = [tally.C, tally.D, uint64(tallyIndex), tallyLeaf, tallyRoot]
    return [
        tags.signShare,
        ...contextParts(contextOf(chain, sealed), identity),
        uint16(member),
        ...seen,
        S,
        c,
        z,
    ]
}

/** Store the result before sending it, and send that again. `random` is 32 fresh bytes. */
export function openTally(
    chain: Uint8Array,
    sealed: SealedRound,
    own: {
        readonly member: number
        readonly signer: Signer
        readonly secret: Scalar
        readonly random: Uint8Array
    },
): RecordedShare {
    const identity = own.signer.publicKey
    const { share, challenge, response } = makeShare({
        secret: own.secret,
        ciphertext: ciphertextOf(sealed.tally),
        context: proofContext(chain, sealed, identity, own.member),
        random: own.random,
    })
    const fields = {
        member: own.member,
        S: encodePoint(share),
        c: encodeScalar(challenge),
        z: encodeScalar(response),
    }
    return { ...fields, signature: sign(own.signer, statement(chain, sealed, identity, fields)) }
}

export function memberIndex(sealed: SealedRound, identity: Uint8Array): number | undefined {
    const at = sealed.request.requester.members.findIndex((member) => nameOf(member) === nameOf(identity))
    return at < 0 ? undefined : at + 1
}

export function applyShare(state: ChainState, entry: EntryOf<"share">): ChainState {
    const sealed = sealedRound(state, entry.round)
    const { member } = entry.share
    require(memberIndex(sealed, entry.identity) === member, "not-a-member", { member })
    const before = sealed.shares.some(({ share }) => share.member === member)
    require(!before, "already-answered", { member })
    const late = sealed !== state.current
    require(late || entry.time < sealed.answerBy, "round-closed", { closedAt: sealed.answerBy })
    const answered = { ...sealed, shares: [...sealed.shares, entry] }
    return late
        ? { ...state, withheld: new Map(state.withheld).set(entry.round, answered) }
        : { ...state, current: answered }
}

export function shareClaims(state: ChainState, entry: EntryOf<"share">): readonly Claim[] {
    const { chain } = state
    const sealed = sealedRound(state, entry.round)
    const { identity, share, valid } = entry
    const { commitments } = sealed.request.requester
    const { C, D } = sealed.tally
    const context = proofContext(chain, sealed, identity, share.member)
    return [
        signatureClaim(identity, statement(chain, sealed, identity, share), share.signature),
        { claim: "share", valid, share, commitments, C, D, context },
    ]
}

export function verifyShare(claim: ShareClaim): void {
    require(claim.valid === isValidShare(claim), "bad-share", { member: claim.share.member })
}

/** Bytes that are no point or scalar are a wrong share like any other. */
function isValidShare({ share: recorded, commitments, C, D, context }: ShareClaim): boolean {
    const share = decodePoint(recorded.S)
    const [challenge, response] = [decodeScalar(recorded.c), decodeScalar(recorded.z)]
    if (share === undefined || challenge === undefined || response === undefined) return false
    return verifyShareProof({
        key: evaluateCommitments(commitmentPoints(commitments), recorded.member),
        ciphertext: ciphertextOf({ C, D }),
        share: { share, challenge, response },
        context,
    })
}
