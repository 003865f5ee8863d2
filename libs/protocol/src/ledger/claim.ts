/**
 * What the proofs of an entry come down to (PROTOCOL.md §6.2): claims that hold or not by themselves. A claim is plain
 * data and names everything that its judge needs, so that another thread can judge it without the ledger.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { isVrfPublicKey, vrfVerify } from "@tallylight/crypto/ecvrf.js"
import { isEd25519PublicKey } from "@tallylight/crypto/ed25519.js"
import { verifyRsaSha512 } from "@tallylight/crypto/rsa.js"
import { element, scalar } from "../chain/elements.ts"
import { verifyPossession } from "../chain/requester.ts"
import type { PossessionClaim } from "../chain/requester.ts"
import { verifySignature } from "../chain/signer.ts"
import type { Statement } from "../chain/signer.ts"
import { verifyKnowledge } from "../round/contribution.ts"
import type { KnowledgeClaim } from "../round/contribution.ts"
import { verifyShare } from "../round/share.ts"
import type { ShareClaim } from "../round/share.ts"
import { Refusal, require } from "../wire/refusal.ts"
import type { RefusalCode } from "../wire/refusal.ts"

export type Claim =
    | { readonly claim: "key"; readonly of: "ed25519" | "vrf"; readonly key: Uint8Array }
    /** Group elements other than the identity, and scalars. */
    | {
          readonly claim: "elements"
          readonly elements: readonly Uint8Array[]
          readonly scalars: readonly Uint8Array[]
      }
    | {
          readonly claim: "signature"
          readonly publicKey: Uint8Array
          readonly statement: Statement
          readonly signature: Uint8Array
      }
    /** `proof` is the key's owner's for that input; and gives that output, where there is one. */
    | {
          readonly claim: "vrf"
          readonly publicKey: Uint8Array
          readonly input: Uint8Array
          readonly proof: Uint8Array
          readonly output?: Uint8Array
          /** That it does not hold. */
          readonly code: RefusalCode
      }
    /** RSASSA-PKCS1-v1_5 with SHA-512 under that modulus of 4096 bits and the exponent 65537. */
    | {
          readonly claim: "rsa"
          readonly modulus: Uint8Array
          readonly message: Uint8Array
          readonly signature: Uint8Array
          /** That it does not hold. */
          readonly code: RefusalCode
      }
    | PossessionClaim
    | KnowledgeClaim
    | ShareClaim

/** 65537. */
const exponent = Uint8Array.of(1, 0, 1)

/** Throws a Refusal where the claim does not hold. Up to some milliseconds of computation. */
export function verifyClaim(claim: Claim): void {
    switch (claim.claim) {
        case "key":
            return require(isPublicKey[claim.of](claim.key), "bad-key")
        case "elements":
            claim.elements.forEach(element)
            claim.scalars.forEach(scalar)
            return
        case "signature":
            return verifySignature(claim.publicKey, claim.statement, claim.signature)
        case "vrf": {
            const output = vrfVerify(claim.publicKey, claim.input, claim.proof)
            const expected = claim.output ?? output
            require(output !== undefined &&
                expected !== undefined &&
                equalBytes(output, expected), claim.code)
            return
        }
        case "rsa": {
            const { modulus, message, signature } = claim
            return require(verifyRsaSha512({ modulus, exponent }, message, signature), claim.code)
        }
        case "possession":
            return verifyPossession(claim)
        case "knowledge":
            return verifyKnowledge(claim)
        case "share":
            return verifyShare(claim)
    }
}

/** A Refusal as plain data. */
export type Refused = Pick<Refusal, "code" | "facts">

/** What the first claim that does not hold is refused with. */
export function judge(claims: readonly Claim[]): Refused | undefined {
    try {
        claims.forEach(verifyClaim)
        return undefined
    } catch (error) {
        if (!(error instanceof Refusal)) throw error
        const { code, facts } = error
        return { code, facts }
    }
}

const isPublicKey = { ed25519: isEd25519PublicKey, vrf: isVrfPublicKey } as const
