/** What lies where in an entropy node's data directory. */
import { join } from "node:path"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { createKeyFile, readKeyFile } from "@tallylight/node/key-files.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { createPulseKey } from "./pulses/pulse-key.ts"
import { createPulses } from "./pulses/pulses.ts"
import type { PulseSettings } from "./pulses/settings.ts"

type Dir = Pick<DataDir, "path">

const identityFile = ({ path }: Dir): string => join(path, "identity.key")

/** Of the pulses, the values that they will open, and the key where that is no HSM's. */
export const pulsesFolder = ({ path }: Dir): string => join(path, "pulses")

/** Of the chain at that place of the configuration, from 0: what was seen of it, and receipts. */
export const chainFolder = ({ path }: Dir, at: number): string => join(path, `chain-${at + 1}`)

/**
 * What a directory must have: an identity, and a place for pulses with their key. Resolves to where that key was
 * already, as another node's is.
 */
export async function fillNodeDir(dir: Dir, pulses: PulseSettings): Promise<string | undefined> {
    await createKeyFile(identityFile(dir), "identity", systemRandom(32))
    const folder = pulsesFolder(dir)
    await createPulses(folder)
    return createPulseKey(folder, pulses.key)
}

export async function nodeIdentity(dir: Dir): Promise<Signer> {
    return seedSigner(await readKeyFile(identityFile(dir), "identity"))
}
