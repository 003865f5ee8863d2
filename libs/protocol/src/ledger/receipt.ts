/**
 * The PDL's signed promise that an entry is in its ledger (PROTOCOL.md §6.5). A receipt, and a checkpoint of a
 * larger tree with an inclusion proof of another leaf at that index, convict the PDL in front of anybody.
 */
import { uint64 } from "@tallylight/crypto/bytes.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { sign, verifySignature } from "../chain/signer.ts"
import type { Signer, Statement } from "../chain/signer.ts"
import { tags } from "../tags.ts"
import type { Receipt } from "../wire/messages.ts"
import { encodeEntry } from "./entry.ts"
import type { Entry } from "./entry.ts"

function statement(chain: Uint8Array, { index, leaf, time }: Omit<Receipt, "signature">): Statement {
    return [tags.signReceipt, chain, uint64(index), leaf, uint64(time)]
}

/** Only for an entry that is durable. */
export function makeReceipt(chain: Uint8Array, messageKey: Signer, index: number, entry: Entry): Receipt {
    const fields = { index, leaf: leafHash(encodeEntry(entry)), time: entry.time }
    return { ...fields, signature: sign(messageKey, statement(chain, fields)) }
}

/** Refuses with `bad-signature` a receipt that the PDL's message key did not sign. */
export function verifyReceipt(chain: Uint8Array, messageKey: Uint8Array, receipt: Receipt): void {
    verifySignature(messageKey, statement(chain, receipt), receipt.signature)
}
