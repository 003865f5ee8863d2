/** Where the device of a source is, as its settings say it: to find two names of one device before any is opened. */
import { realpath } from "node:fs/promises"
import { systemCode } from "@tallylight/node/user-error.js"
import type { SourceSettings } from "../config.ts"
import { placeOf } from "../hsm/token.ts"

/**
 * Equal for two sources of one device. Undefined for a simulated chip, each of which is one of its own. What only an open
 * device tells, such as its number in the kernel or its serial number, its driver compares.
 */
export async function devicePlace(settings: SourceSettings): Promise<string | undefined> {
    switch (settings.kind) {
        case "atecc608a":
            return settings.simulated ? undefined : `i2c ${settings.bus} ${settings.address}`
        case "character-device":
            return `file ${await pathOf(settings.path)}`
        case "pkcs11":
            return `token ${await placeOf(settings)}`
        case "qrng-http":
            // Whatever key it is asked with, and in whatever form it answers.
            return `server ${new URL(settings.url).origin}`
    }
}

/** Behind all links; as it is where there is nothing now. */
async function pathOf(path: string): Promise<string> {
    return realpath(path).catch((error: unknown) => {
        if (systemCode(error) === undefined) throw error
        return path
    })
}
