/** The key of a chain's operator, who admits parties; it should live elsewhere than on the ledger server. */
import { join } from "node:path"
import { fromHex } from "@tallylight/crypto/bytes.js"
import { ed25519PublicKey, isEd25519PublicKey } from "@tallylight/crypto/ed25519.js"
import { createKeyFile } from "@tallylight/node/key-files.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { PdlConfig } from "../config.ts"

/** Where `init` puts the one that it makes. */
export function operatorKeyPath(folder: string): string {
    return join(folder, "keys/operator.key")
}

/** As the genesis takes it: 32 zero bytes for an open chain; undefined where one is to be made. */
export function givenOperator({ admission, operatorKey }: PdlConfig["chain"]): Uint8Array | undefined {
    if (admission === "open") {
        if (operatorKey === undefined) return new Uint8Array(32)
        throw new UserError("chain.operatorKey has no use on an open chain: set chain.admission to “listed”")
    }
    const key = operatorKey === undefined ? undefined : fromHex(operatorKey)
    if (key !== undefined && !isEd25519PublicKey(key))
        throw new UserError(
            "chain.operatorKey is no Ed25519 public key; take the one that `tallylight pdl operator-key` printed",
        )
    return key
}

/** Whether a new chain of that configuration gets a key for its operator from this machine. */
export function makesOperatorKey({ admission, operatorKey }: PdlConfig["chain"]): boolean {
    return admission === "listed" && operatorKey === undefined
}

export function operatorKeyMade(folder: string): string {
    return (
        `made ${operatorKeyPath(folder)}, which admits and removes parties: move it to a machine of the operator's, ` +
        "with a copy offline, and leave none here"
    )
}

/** Resolves to the public key. */
export async function createOperatorKey(path: string): Promise<Uint8Array> {
    const seed = systemRandom(32)
    await createKeyFile(path, "operator", seed)
    return ed25519PublicKey(seed)
}
