/** The static files of a C2SP tlog-tiles log, wherever they lie. */
import { open } from "node:fs/promises"
import { join } from "node:path"
import { retry } from "@tallylight/node/backoff.js"
import { fetchBytes } from "@tallylight/node/fetch-bytes.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"

export type LogFiles = {
    /** The address or folder, for messages. */
    readonly where: string
    /** The file, undefined where it is missing. Rejects rather than hold more than `maxBytes`. */
    readonly read: (path: string, maxBytes: number) => Promise<Uint8Array | undefined>
}

const timeoutMs = 30_000
/** About two seconds of trouble are sat out; a server that is gone is reported while somebody still looks. */
const attempts = 4
const wait = { baseMs: 250, maxMs: 1000 }

export function httpFiles(base: string, ca: string | undefined, signal: AbortSignal): LogFiles {
    return {
        where: base,
        read: (path, maxBytes) => {
            let failures = 0
            return retry(() => fetchBytes(`${base}/${path}`, { maxBytes, timeoutMs, signal, ca }), {
                ...wait,
                clock: systemClock,
                random: systemRandom,
                signal,
                onWait: (error) => {
                    failures += 1
                    if (failures === attempts) throw error
                },
            })
        },
    }
}

export function folderFiles(folder: string): LogFiles {
    return { where: folder, read: (path, maxBytes) => readAtMost(join(folder, path), maxBytes) }
}

async function readAtMost(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const file = await openIfThere(path)
    if (file === undefined) return undefined
    try {
        const { size } = await file.stat()
        if (size > maxBytes) throw new UserError(`${path} is larger than ${maxBytes} bytes`)
        return new Uint8Array(await file.readFile())
    } finally {
        await file.close()
    }
}

async function openIfThere(path: string): Promise<Awaited<ReturnType<typeof open>> | undefined> {
    try {
        return await open(path)
    } catch (error) {
        const code = systemCode(error)
        if (code === "ENOENT" || code === "ENOTDIR") return undefined
        throw error
    }
}
