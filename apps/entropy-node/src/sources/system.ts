/**
 * The operating system's generator, through `node:crypto`: OpenSSL's generator, which getrandom(2) seeds. It is mixed
 * into everything, and never counts as hardware: whoever controls the kernel knows all of it.
 */
import { randomBytes } from "node:crypto"
import { release } from "node:os"
import { promisify } from "node:util"

import { z } from "zod"

import { sourceName } from "./source-name.ts"
import type { SourceDriver } from "./source.ts"

export const systemSettings = z.strictObject({
    kind: z.literal("system"),
    name: sourceName.default("system"),
    /** Bits per byte. What comes out of a generator of cryptographic strength cannot be told from full entropy. */
    minEntropy: z.number().positive().max(8).default(8),
})

export type SystemSettings = z.output<typeof systemSettings>

const randomBytesLater = promisify(randomBytes)

export function systemDriver(settings: SystemSettings): SourceDriver {
    const facts = { generator: `OpenSSL ${process.versions.openssl}`, kernel: release() }
    return {
        kind: settings.kind,
        simulated: false,
        open: (signal) => {
            signal.throwIfAborted()
            return Promise.resolve({
                facts,
                async read(length: number, stop: AbortSignal) {
                    stop.throwIfAborted()
                    return new Uint8Array(await randomBytesLater(length))
                },
                close: () => Promise.resolve(),
            })
        },
    }
}
