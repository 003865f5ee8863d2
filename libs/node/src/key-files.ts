/** Seeds of secret keys in files: made once, never overwritten, for nobody but their owner to read. */
import { stat } from "node:fs/promises"

import { fromHex, toHex } from "@tallylight/crypto/bytes.js"

import { createDurably, readIfThere } from "./durable-file.ts"
import { systemCode, UserError } from "./user-error.ts"

/** A file says what its key is for: one key that served two kinds of proof could be given away by both. */
export type KeyPurpose = "identity" | "vrf" | "encryption" | "share" | "ledger" | "message" | "operator"

const seedBytes = 32
const line = /^tallylight-key-v1 ([a-z]+) ([0-9a-f]+)\n$/

/** Rejects where a file of that name exists. A crash leaves the whole file or none. */
export async function createKeyFile(path: string, purpose: KeyPurpose, seed: Uint8Array): Promise<void> {
    if (seed.length !== seedBytes) throw new RangeError(`a seed has ${seedBytes} bytes, not ${seed.length}`)
    try {
        await createDurably(path, `tallylight-key-v1 ${purpose} ${toHex(seed)}\n`, 0o600)
    } catch (error) {
        if (systemCode(error) !== "EEXIST") throw error
        throw new UserError(`the key file ${path} exists, and keys are never overwritten`, { cause: error })
    }
}

export async function readKeyFile(path: string, purpose: KeyPurpose): Promise<Uint8Array> {
    const content = await readIfThere(path).catch((error: unknown) => {
        throw systemCode(error) === "EISDIR" ? new UserError(`${path} is a folder, and no key file`) : error
    })
    if (content === undefined)
        throw new UserError(
            `there is no key file ${path}; put it back from a backup: “Files” in docs/OPERATING.md says what its loss costs`,
        )
    await refuseReadableByOthers(path)
    const [, found, hex] = line.exec(content.toString("latin1")) ?? []
    if (found === undefined || hex === undefined) {
        throw new UserError(`${path} is not a key file: it must hold one line, tallylight-key-v1 PURPOSE HEX`)
    }
    if (found !== purpose) throw new UserError(`the key in ${path} is for ${found}, not for ${purpose}`)
    if (hex.length !== 2 * seedBytes) {
        throw new UserError(`the key in ${path} has ${hex.length} hexadecimal digits, not ${2 * seedBytes}`)
    }
    return fromHex(hex)
}

/** Rejects a file that its group or others may read, with what to type. */
export async function refuseReadableByOthers(path: string): Promise<void> {
    // Windows keeps access lists instead, and shows modes that mean nothing.
    if (process.platform === "win32") return
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) {
        throw new UserError(`others may read the key file ${path}; run: chmod 600 ${path}`)
    }
}
