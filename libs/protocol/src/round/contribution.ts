/**
 * A contribution (PROTOCOL.md §5.4): a point M that only its party knows, sealed under the round's key Y as
 * (C, D) = (kB, M + kY), with the party's lot and a proof that it knows k, hence M. Without that proof the last
 * contributor could submit a function of the others' ciphertexts and choose the sum.
 */
import type { Point } from "@tallylight/crypto/group.js"
import { encrypt } from "@tallylight/crypto/elgamal.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { encodeScalar, scalarFromUniform } from "@tallylight/crypto/scalar.js"
import { proveLog, verifyLog } from "@tallylight/crypto/schnorr.js"
import { transcript } from "@tallylight/crypto/transcript.js"
import type { Context } from "@tallylight/crypto/transcript.js"
import { element, scalar } from "../chain/elements.ts"
import { hasEntropyNodes } from "../chain/genesis.ts"
import { sign, signatureClaim } from "../chain/signer.ts"
import type { Signer, Statement } from "../chain/signer.ts"
import type { Claim, KnowledgeClaim } from "../ledger/claim.ts"
import type { EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState, OpenRound } from "../ledger/state.ts"
import { tags } from "../tags.ts"
import { require } from "../wire/refusal.ts"
import type { Random } from "../ports/clock.ts"
import { contextOf, contextParts } from "./context.ts"
import type { RoundContext } from "./context.ts"
import { answeringParty, isElected, lotClaim } from "./eligibility.ts"
import type { Lot } from "./eligibility.ts"
import { openRound } from "./phase.ts"
import { parseStatement, statementClaims } from "./statement.ts"

type Contribution = Omit<EntryOf<"contribution">, "kind" | "time">

function knowledge(context: RoundContext, identity: Uint8Array): Context {
    return { tag: tags.knowledge, parts: contextParts(context, identity) }
}

function statement(context: RoundContext, fields: Omit<Contribution, "signature">): Statement {
    const { identity, y, pi, C, D, A, s } = fields
    return [tags.signContribution, ...contextParts(context, identity), y, pi, C, D, A, s, fields.statement]
}

/** M from the entropy node's bytes (empty where there is none) and 64 of the operating system's: neither decides alone. */
export function drawPoint(fromNode: Uint8Array, fromSystem: Uint8Array): Point {
    return ristretto255.fromUniform(sha512(transcript(tags.point, fromNode, fromSystem)))
}

/** Store the result before sending it, and send that again: a second contribution to a round is refused. */
export function makeContribution(
    chain: Uint8Array,
    current: OpenRound,
    party: {
        readonly signer: Signer
        readonly lot: Lot
        readonly point: Point
        readonly statement: Uint8Array
    },
    random: Random,
): Contribution {
    const context = contextOf(chain, current)
    const identity = party.signer.publicKey
    const secret = scalarFromUniform(random(64))
    const { c, d } = encrypt(element(current.request.Y), party.point, secret)
    const [C, D] = [encodePoint(c), encodePoint(d)]
    const proof = proveLog({ secret, context: knowledge(context, identity), bound: [D], random: random(32) })
    const fields = {
        round: current.round,
        identity,
        y: party.lot.y,
        pi: party.lot.pi,
        ...{ C, D, A: encodePoint(proof.commitment), s: encodeScalar(proof.response) },
        statement: party.statement,
    }
    return signContribution(chain, current, party.signer, fields)
}

export function signContribution(
    chain: Uint8Array,
    current: OpenRound,
    signer: Signer,
    fields: Omit<Contribution, "signature">,
): Contribution {
    return { ...fields, signature: sign(signer, statement(contextOf(chain, current), fields)) }
}

export function applyContribution(state: ChainState, entry: EntryOf<"contribution">): ChainState {
    const current = openRound(state, entry.round)
    require(entry.time < current.closesAt, "round-closed", { closedAt: current.closesAt })
    answeringParty(current, entry.identity)
    if (hasEntropyNodes(state.genesis)) parseStatement(entry.statement)
    require(isElected(entry.y, current.k, current.roster.size), "not-eligible")
    return {
        ...state,
        current: {
            ...current,
            contributions: [...current.contributions, entry],
            answered: new Set(current.answered).add(nameOf(entry.identity)),
        },
    }
}

export function contributionClaims(state: ChainState, entry: EntryOf<"contribution">): readonly Claim[] {
    const current = openRound(state, entry.round)
    const party = answeringParty(current, entry.identity)
    const context = contextOf(state.chain, current)
    const { identity, C, D, A, s, signature } = entry
    return [
        { claim: "elements", elements: [C, A, D], scalars: [s] },
        signatureClaim(identity, statement(context, entry), signature),
        { claim: "knowledge", C, D, A, s, context: knowledge(context, identity) },
        lotClaim(party, current.ticket, entry),
        ...(hasEntropyNodes(state.genesis) ? statementClaims(context, identity, entry.statement) : []),
    ]
}

export function verifyKnowledge({ C, D, A, s, context }: KnowledgeClaim): void {
    const proof = { commitment: element(A), response: scalar(s) }
    require(verifyLog({ point: element(C), context, bound: [D], proof }), "bad-knowledge")
}
