/**
 * The PDL's signed promise that an entry is in its ledger (PROTOCOL.md §6.5). A receipt, and a checkpoint of a
 * larger tree with an inclusion proof of another leaf at that index, convict the PDL in front of anybody.
 */
import { equalBytes, uint64 } from "@tallylight/crypto/bytes.js"
import { leafHash } from "@tallylight/crypto/merkle.js"
import { sign, verifySignature } from "../chain/signer.ts"
import type { Signer, Statement } from "../chain/signer.ts"
import { tags } from "../tags.ts"
import type { Receipt } from "../wire/messages.ts"
import { encodeEntry } from "./entry.ts"
import type { Entry } from "./entry.ts"

function statement(chain: Uint8Array, { index, leaf, time }: Promised): Statement {
    return [tags.signReceipt, chain, uint64(index), leaf, uint64(time)]
}

/** What a receipt promises: the same bytes whenever it is signed. */
export type Promised = Omit<Receipt, "signature">

export function promiseOf(index: number, entry: Entry): Promised {
    return { index, leaf: leafHash(encodeEntry(entry)), time: entry.time }
}

/** Only for an entry that is durable. */
export function signReceipt(chain: Uint8Array, messageKey: Signer, promised: Promised): Receipt {
    return { ...promised, signature: sign(messageKey, statement(chain, promised)) }
}

/** Only for an entry that is durable. */
export function makeReceipt(chain: Uint8Array, messageKey: Signer, index: number, entry: Entry): Receipt {
    return signReceipt(chain, messageKey, promiseOf(index, entry))
}

/** The PDL answered with a receipt for something else than what it was sent: it keeps the one and hides the other. */
export class WrongReceipt extends Error {
    override readonly name = "WrongReceipt"
}

/** A follower's copy lags behind the ledger by less than this. */
const farthestAhead = 100_000

/**
 * Throws {@link WrongReceipt} unless the receipt is for `entry`, at an index that a ledger of about `size` entries
 * can have. Whoever sends knows every byte of the leaf but the time, and the verdict on a share.
 */
export function requireReceiptFor(receipt: Receipt, entry: Entry, size: number): void {
    const logged = { ...entry, time: receipt.time }
    const judged = logged.kind === "share" ? [logged, { ...logged, valid: !logged.valid }] : [logged]
    const fits = judged.some((possible) => equalBytes(leafHash(encodeEntry(possible)), receipt.leaf))
    if (!fits || receipt.index > size + farthestAhead)
        throw new WrongReceipt(
            `the ledger server's receipt ${receipt.index} is not for the ${entry.kind} it was sent`,
        )
}

/** Refuses with `bad-signature` a receipt that the PDL's message key did not sign. */
export function verifyReceipt(chain: Uint8Array, messageKey: Uint8Array, receipt: Receipt): void {
    verifySignature(messageKey, statement(chain, receipt), receipt.signature)
}
