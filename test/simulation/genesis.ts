import { toHex } from "@tallylight/crypto/bytes.js"
import { vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { ed25519PublicKey } from "@tallylight/crypto/ed25519.js"
import type { ChainKeys } from "@tallylight/pdl/chain/keys.js"
import type { Parameters } from "@tallylight/protocol/ledger/entry.js"
import type { Genesis } from "@tallylight/protocol/ledger/state.js"

export const windowMs = 10_000

/** A chain that anybody may join, unless `parameters` say otherwise. */
export function genesisOf(
    keys: ChainKeys,
    salt: Uint8Array,
    time: number,
    parameters: Partial<Parameters> = {},
): Genesis {
    return {
        ...{ kind: "genesis", time, version: 1, name: "simulation", salt },
        ledgerKey: ed25519PublicKey(keys.ledgerSeed),
        messageKey: ed25519PublicKey(keys.messageSeed),
        vrfKey: vrfPublicKey(keys.vrfSeed),
        origin: `tallylight.example/${toHex(salt.slice(0, 4))}`,
        witnesses: [],
        quorum: 0,
        parameters: {
            ...{ expectedContributors: 2, minimumContributors: 1, queueLength: 8, registrationRounds: 50 },
            ...{ contributionWindowMs: windowMs, decryptionWindowMs: windowMs, everyoneAnswers: true },
            ...{ admission: "open", operatorKey: new Uint8Array(32), ...parameters },
        },
    }
}
