/**
 * The operating system's generator, read from the kernel itself. It is mixed into everything, and never counts as
 * hardware: whoever controls the kernel knows all of it.
 *
 * Node has no getrandom(2). /dev/urandom gives the same bytes once the kernel's generator is initialized (random(7)), and
 * before that Node does not start: OpenSSL takes its first seed from getrandom(2), which waits.
 */
import { constants } from "node:fs"
import { open } from "node:fs/promises"
import type { FileHandle } from "node:fs/promises"
import { release } from "node:os"

import { systemCode, UserError } from "@tallylight/node/user-error.js"
import { z } from "zod"

import { deviceNumber } from "./character-device-facts.ts"
import { sourceName } from "./source-name.ts"
import type { SourceDriver } from "./source.ts"

export const systemSettings = z.strictObject({
    kind: z.literal("system"),
    name: sourceName.default("system"),
    /** Bits per byte. What comes out of a generator of cryptographic strength cannot be told from full entropy. */
    minEntropy: z.number().positive().max(8).default(8),
})

export type SystemSettings = z.output<typeof systemSettings>

const kernelPath = "/dev/urandom"

/** Of /dev/urandom on Linux (admin-guide/devices.txt). */
const kernelNumber = { major: 1, minor: 9 }

export function systemDriver(settings: SystemSettings, path = kernelPath): SourceDriver {
    return {
        kind: settings.kind,
        simulated: false,
        async open(signal) {
            signal.throwIfAborted()
            const file = await open(path, constants.O_RDONLY | constants.O_NOCTTY).catch((error: unknown) => {
                throw missing(path, `cannot be opened (${systemCode(error) ?? "unknown"})`, error)
            })
            try {
                await requireKernel(file, path)
            } catch (error) {
                await file.close()
                throw error
            }
            return {
                facts: { generator: path, kernel: release() },
                async read(length, stop) {
                    stop.throwIfAborted()
                    const bytes = new Uint8Array(length)
                    const { bytesRead } = await file.read(bytes, 0, length, null)
                    if (bytesRead === 0) throw new Error(`${path} gives nothing`)
                    return bytes.subarray(0, bytesRead)
                },
                close: () => file.close(),
            }
        },
    }
}

/** In a container or a chroot, something else may have that name. */
async function requireKernel(file: FileHandle, path: string): Promise<void> {
    const stats = await file.stat()
    if (!stats.isCharacterDevice()) throw missing(path, "is no device")
    if (process.platform !== "linux") return
    const { major, minor } = deviceNumber(stats.rdev)
    if (major !== kernelNumber.major || minor !== kernelNumber.minor)
        throw missing(path, `is the device ${major}:${minor}`)
}

function missing(path: string, what: string, cause?: unknown): UserError {
    return new UserError(
        `${path} ${what}; it should be the kernel's generator, so give this program a /dev of the kernel's own`,
        { cause },
    )
}
