import { scalarFromUniform } from "@tallylight/crypto/scalar.js"
import type { Scalar } from "@tallylight/crypto/scalar.js"
import { evaluatePolynomial } from "@tallylight/crypto/threshold.js"
import { seedSigner } from "../chain/signer.ts"
import type { Signer } from "../chain/signer.ts"
import type { Random } from "../ports/clock.ts"

export type SampleParty = { readonly signer: Signer; readonly vrfSeed: Uint8Array }
export type SampleMember = { readonly index: number; readonly signer: Signer; readonly secret: Scalar }

export type SampleRequester = {
    readonly signer: Signer
    /** The secret polynomial, dealt by whoever made the sample. */
    readonly polynomial: readonly Scalar[]
    readonly members: readonly SampleMember[]
}

export type SampleKeys = {
    readonly ledgerSeed: Uint8Array
    readonly messageSeed: Uint8Array
    readonly vrfSeed: Uint8Array
    readonly parties: readonly SampleParty[]
    readonly solo: SampleRequester
    /** Two of three. */
    readonly committee: SampleRequester
}

export function makeSampleKeys(random: Random): SampleKeys {
    const parties = Array.from({ length: 4 }, () => ({ signer: seedSigner(random(32)), vrfSeed: random(32) }))
    const [ledgerSeed, messageSeed, vrfSeed] = [random(32), random(32), random(32)]
    return { ledgerSeed, messageSeed, vrfSeed, parties, solo: solo(random), committee: committee(random) }
}

function solo(random: Random): SampleRequester {
    const signer = seedSigner(random(32))
    const secret = scalarFromUniform(random(64))
    return { signer, polynomial: [secret], members: [{ index: 1, signer, secret }] }
}

function committee(random: Random): SampleRequester {
    const polynomial = [scalarFromUniform(random(64)), scalarFromUniform(random(64))]
    const members = [1, 2, 3].map((index) => {
        return { index, signer: seedSigner(random(32)), secret: evaluatePolynomial(polynomial, index) }
    })
    return { signer: seedSigner(random(32)), polynomial, members }
}
