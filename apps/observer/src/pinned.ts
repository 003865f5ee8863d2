/** A checkpoint in a file of the user's: what this machine has seen of a ledger before. */
import { resolve } from "node:path"
import { toUtf8 } from "@tallylight/crypto/bytes.js"
import { openCheckpoint, parseCheckpoint } from "@tallylight/crypto/checkpoint.js"
import type { Checkpoint } from "@tallylight/crypto/checkpoint.js"
import { parseNote } from "@tallylight/crypto/note.js"
import { readIfThere, writeDurably } from "@tallylight/node/durable-file.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"

export type Pinned = { readonly file: string; readonly note: string; readonly checkpoint: Checkpoint }

export async function readPinned(file: string): Promise<Pinned> {
    const bytes = await readIfThere(file)
    if (bytes === undefined) throw new UserError(`there is no file ${file}`)
    const note = toUtf8(bytes) ?? ""
    const checkpoint = parseCheckpoint(parseNote(note)?.text ?? "")
    // Every ledger extends the empty one: such a pin would hold nobody to anything.
    if (checkpoint === undefined || checkpoint.size === 0)
        throw new UserError(`${file} is no signed checkpoint of a ledger`)
    return { file, note, checkpoint }
}

/** Only what the chain's own key has signed may accuse it of a second history. */
export function requireSigned({ file, note }: Pinned, { genesis }: ChainState): void {
    const { origin, ledgerKey: publicKey } = genesis
    if (openCheckpoint(note, { origin, publicKey }) === undefined)
        throw new UserError(
            `${file} is not signed by the ledger key of this chain, so it says nothing about it`,
        )
}

/** A checkpoint takes the place of an older one only where the ledger was shown to extend that one. */
export async function requireReplaceable(file: string, pin: string | undefined): Promise<void> {
    if (pin !== undefined && resolve(file) === resolve(pin)) return
    if ((await readIfThere(file)) !== undefined)
        throw new UserError(
            `${file} exists; give it as --pin too, and it is replaced if the ledger extends what it holds`,
        )
}

export async function savePinned(file: string, note: string): Promise<void> {
    await writeDurably(file, note)
}
