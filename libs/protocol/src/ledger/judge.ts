/** Judges claims, with nothing but what is in them (PROTOCOL.md §6.2). */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { isVrfPublicKey, vrfVerify } from "@tallylight/crypto/ecvrf.js"
import { isEd25519PublicKey } from "@tallylight/crypto/ed25519.js"
import { verifyRsaSha512 } from "@tallylight/crypto/rsa.js"
import { element, scalar } from "../chain/elements.ts"
import { verifyPossession } from "../chain/requester.ts"
import { verifySignature } from "../chain/signer.ts"
import { verifyKnowledge } from "../round/contribution.ts"
import { verifyShare } from "../round/share.ts"
import { Refusal, require } from "../wire/refusal.ts"
import type { Claim, Refused } from "./claim.ts"

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
