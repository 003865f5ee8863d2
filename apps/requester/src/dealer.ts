/**
 * A dealer: makes the whole key of a committee, deals it out, and lets each member sign while it has their keys. The
 * registration says so (PROTOCOL.md §4.4 MUST 4).
 */
import { encodePoint } from "@tallylight/crypto/ristretto255.js"
import { scalarFromUniform } from "@tallylight/crypto/scalar.js"
import type { Scalar } from "@tallylight/crypto/scalar.js"
import { commitPolynomial, evaluatePolynomial } from "@tallylight/crypto/threshold.js"
import { joinCommittee } from "@tallylight/protocol/chain/requester.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Random } from "@tallylight/protocol/ports/clock.js"
import type { Committee } from "./committee.ts"

/** Any `threshold` of `members` open a round together. */
export type Quorum = { readonly threshold: number; readonly members: number }

export type DealtMember = {
    /** From 1. */
    readonly number: number
    readonly identitySeed: Uint8Array
    readonly share: Scalar
}

export type Deal = {
    readonly committee: Committee
    readonly requesterSeed: Uint8Array
    readonly members: readonly DealtMember[]
}

export function dealCommittee(chain: Uint8Array, { threshold, members: n }: Quorum, random: Random): Deal {
    const polynomial = Array.from({ length: threshold }, () => scalarFromUniform(random(64)))
    const requesterSeed = random(32)
    const members = Array.from({ length: n }, (_, at) => {
        const number = at + 1
        return { number, identitySeed: random(32), share: evaluatePolynomial(polynomial, number) }
    })
    const signers = members.map(({ identitySeed }) => seedSigner(identitySeed))
    const plan = {
        identity: seedSigner(requesterSeed).publicKey,
        dealt: true,
        commitments: commitPolynomial(polynomial).map(encodePoint),
        identities: signers.map(({ publicKey }) => publicKey),
    }
    const joined = signers.map((signer, at) => {
        const index = at + 1
        const own = { index, signer, secret: evaluatePolynomial(polynomial, index), random: random(32) }
        return joinCommittee(chain, plan, own)
    })
    return { committee: { chain, plan, members: joined }, requesterSeed, members }
}
