/**
 * What the proofs of an entry come down to (PROTOCOL.md §6.2): claims that hold or not by themselves. A claim is plain
 * data and names everything that its judge needs, so that another thread can judge it without the ledger.
 */
import type { Context } from "@tallylight/crypto/transcript.js"
import type { Statement } from "../chain/signer.ts"
import type { Refusal, RefusalCode } from "../wire/refusal.ts"
import type { EntryOf } from "./entry.ts"

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

/** That member `member` holds its share of the secret that the commitments are to. */
export type PossessionClaim = {
    readonly claim: "possession"
    readonly commitments: readonly Uint8Array[]
    readonly member: number
    readonly A: Uint8Array
    readonly s: Uint8Array
    readonly context: Context
}

/** That who sealed (C, D) knows k. */
export type KnowledgeClaim = Pick<EntryOf<"contribution">, "C" | "D" | "A" | "s"> & {
    readonly claim: "knowledge"
    readonly context: Context
}

/** That the share of `member` opens (C, D) rightly, or, where it is not `valid`, that it does not. */
export type ShareClaim = Pick<EntryOf<"share">, "share" | "valid"> &
    Pick<EntryOf<"tally">, "C" | "D"> & {
        readonly claim: "share"
        readonly commitments: readonly Uint8Array[]
        readonly context: Context
    }

/** A Refusal as plain data: what a claim that does not hold is refused with. */
export type Refused = Pick<Refusal, "code" | "facts">
