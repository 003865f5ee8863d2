/** The secret keys of a ledger server for one chain, which the chain's first entry names for ever. */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { ed25519PublicKey } from "@tallylight/crypto/ed25519.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"

export type ChainKeys = {
    readonly ledgerSeed: Uint8Array
    readonly messageSeed: Uint8Array
    readonly vrfSeed: Uint8Array
}

/** Which of them are not the ones that the first entry names. */
export function foreignKeys(genesis: Genesis, keys: ChainKeys): ("ledger" | "message" | "vrf")[] {
    return [
        ...(equalBytes(genesis.ledgerKey, ed25519PublicKey(keys.ledgerSeed)) ? [] : ["ledger" as const]),
        ...(equalBytes(genesis.messageKey, ed25519PublicKey(keys.messageSeed)) ? [] : ["message" as const]),
        ...(equalBytes(genesis.vrfKey, vrfPublicKey(keys.vrfSeed)) ? [] : ["vrf" as const]),
    ]
}
