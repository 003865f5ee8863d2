import { toHex } from "@tallylight/crypto/bytes.js"

/** Enough of an identity to tell the parties and nodes of one chain apart. */
export function shortId(identity: Uint8Array): string {
    return toHex(identity.slice(0, 4))
}
