/** The key of the pulses as it is configured: in a file, or in a PKCS#11 token. */
import { resolve } from "node:path"

import { readIfThere } from "@tallylight/node/durable-file.js"

import type { PulseSigner } from "../hsm/pulse-signer.ts"
import { openTokenSigner } from "../hsm/rsa-key.ts"
import type { PulseKeySettings } from "./settings.ts"
import { createSoftwareKey, openSoftwareKey } from "./software-key.ts"

/** Makes it where there is none. `folder` is that of the pulses. Resolves to where one was already, for a sentence. */
export async function createPulseKey(folder: string, key: PulseKeySettings): Promise<string | undefined> {
    if (key.kind === "pkcs11") {
        const signer = await openTokenSigner(key, "create")
        await signer.close()
        return signer.isNew ? undefined : `${key.key} in the token ${key.token}`
    }
    const path = resolve(folder, key.file)
    if ((await readIfThere(path)) !== undefined) return path
    await createSoftwareKey(path)
    return undefined
}

/** Rejects with a UserError where it is not there. */
export function openPulseKey(folder: string, key: PulseKeySettings): Promise<PulseSigner> {
    return key.kind === "pkcs11" ? openTokenSigner(key, "refuse") : openSoftwareKey(resolve(folder, key.file))
}
