/**
 * Devices that are read as a stream of bytes: Quantis, ChaosKey, TrueRNG, OneRNG, /dev/hwrng.
 *
 * A read that waits in the kernel takes a thread of the pool that the whole process shares, and nothing can cancel
 * it: four silent devices would stop every file and DNS request of the node. So devices are opened with O_NONBLOCK
 * and asked again after a pause. Readiness events are no way out, since many of these drivers cannot be polled. A
 * driver that waits all the same takes one thread, once: until its read returns, the device is not opened again.
 */
import { constants, type Stats } from "node:fs"
import { open, type FileHandle } from "node:fs/promises"

import { systemClock } from "@tallylight/node/system-clock.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { untilAny } from "@tallylight/protocol/ports/until-any.js"

import { characterDeviceFacts, refuseAnotherGenerator } from "./character-device-facts.ts"
import { makeRaw, startCommands } from "./character-device-serial.ts"
import type { CharacterDeviceSettings } from "./character-device-settings.ts"
import type { Source, SourceDriver, SourceFacts } from "./source.ts"

export type DeviceFile = Pick<FileHandle, "fd" | "read" | "write" | "close"> & {
    readonly stat: () => Promise<Stats>
}

export type Surroundings = {
    readonly clock: Clock
    readonly sysfs: string
    readonly openFile: (path: string, flags: number) => Promise<DeviceFile>
}

/** From one to the next while a device has nothing: a serial line's buffer of 4 KB must not fill meanwhile. */
const longestPauseMs = 16

/** What a line may hold of the time before it was made raw: its buffers are smaller. */
const staleBytes = 64 * 1024

export function characterDeviceDriver(
    settings: CharacterDeviceSettings,
    { clock = systemClock, sysfs = "/sys", openFile = open }: Partial<Surroundings> = {},
): SourceDriver {
    const { path, timeoutMs } = settings
    const isSerial = settings.device === "truerng" || settings.device === "onerng"
    let unreturned = 0
    return {
        kind: settings.kind,
        simulated: settings.simulated,
        async open(signal) {
            if (unreturned > 0) {
                throw new UserError(
                    `the driver of ${path} has not returned from a read; unplug the device, or restart this program`,
                )
            }
            signal.throwIfAborted()
            const { O_RDONLY, O_RDWR, O_NONBLOCK, O_NOCTTY } = constants
            const flags = (isSerial ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY
            const file = await openFile(path, flags).catch((error: unknown) => {
                throw openProblem(path, error)
            })
            let release: () => void = () => undefined
            try {
                const stats = await file.stat()
                const facts = await characterDeviceFacts(settings, stats, sysfs)
                release = claim(stats.isFIFO() ? `${stats.dev} ${stats.ino}` : stats.rdev, settings)
                if (isSerial) await startSerial(file, settings, signal)
                return new CharacterDevice(file, facts, { path, timeoutMs, clock, sysfs }, (closed) => {
                    unreturned += 1
                    void closed.finally(() => {
                        unreturned -= 1
                        release()
                    })
                })
            } catch (error) {
                // What is wrong with the device is known by now, whatever it says as it is closed.
                await file.close().catch(() => undefined)
                release()
                throw openProblem(path, error)
            }
        },
    }
}

/** Devices that are open in this process, under whatever path, and what they are called. */
const claimed = new Map<string | number, string>()

/** One device under two names would count as two healthy sources. */
function claim(device: string | number, { name, path }: CharacterDeviceSettings): () => void {
    const other = claimed.get(device)
    if (other !== undefined)
        throw new UserError(`${path} is the device of the source ${other} already; give each its own`)
    claimed.set(device, name)
    return () => claimed.delete(device)
}

async function startSerial(
    file: DeviceFile,
    settings: CharacterDeviceSettings,
    signal: AbortSignal,
): Promise<void> {
    await makeRaw(file.fd, settings.path, settings.timeoutMs, signal)
    // What came before was still treated as lines of text.
    const stale = new Uint8Array(4096)
    for (let dropped = 0; dropped < staleBytes; dropped += stale.length) {
        if ((await readNow(file, stale)) === undefined) break
    }
    const commands = startCommands(settings)
    if (commands !== "") await file.write(Buffer.from(commands))
}

type Options = {
    readonly path: string
    readonly timeoutMs: number
    readonly clock: Clock
    readonly sysfs: string
}

class CharacterDevice implements Source {
    readonly facts: SourceFacts
    readonly #file: DeviceFile
    readonly #options: Options
    readonly #onClose: (closed: Promise<void>) => void
    #isReading = false

    constructor(
        file: DeviceFile,
        facts: SourceFacts,
        options: Options,
        onClose: (closed: Promise<void>) => void,
    ) {
        this.#file = file
        this.facts = facts
        this.#options = options
        this.#onClose = onClose
    }

    async read(length: number, signal: AbortSignal): Promise<Uint8Array> {
        const { path, timeoutMs, clock } = this.#options
        const end = clock.elapsed() + timeoutMs
        const bytes = new Uint8Array(length)
        for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
            signal.throwIfAborted()
            const count = await this.#readInTime(bytes, signal)
            if (count === 0) throw new Error(`${path} is gone: it is at its end`)
            if (count !== undefined) return count === length ? bytes : bytes.slice(0, count)
            const leftMs = end - clock.elapsed()
            if (leftMs <= 0) throw new Error(`${path} has given nothing for ${timeoutMs} ms`)
            await clock.sleep(Math.min(pauseMs, leftMs), signal)
        }
    }

    /** Waits for no read that its driver does not return from. */
    async close(): Promise<void> {
        const closed = this.#file.close().catch((error: unknown) => {
            // A device that is gone may say so once more; its descriptor is free all the same.
            if (systemCode(error) === undefined) throw error
        })
        this.#onClose(closed)
        if (!this.#isReading) await closed
    }

    /** How many bytes came; undefined where there is nothing yet. */
    async #readInTime(bytes: Uint8Array, signal: AbortSignal): Promise<number | undefined> {
        this.#isReading = true
        const reading = this.#readChecked(bytes).finally(() => (this.#isReading = false))
        return untilAny([signal], (over) => Promise.race([reading, this.#tooLate(over)]))
    }

    async #readChecked(bytes: Uint8Array): Promise<number | undefined> {
        const { path, sysfs } = this.#options
        const count = await readNow(this.#file, bytes).catch((error: unknown) => {
            throw readProblem(path, error)
        })
        // Behind the read: what another generator gave in the meantime is not handed on either.
        if (count !== undefined) await refuseAnotherGenerator(this.facts, path, sysfs)
        return count
    }

    async #tooLate(signal: AbortSignal): Promise<never> {
        const { path, timeoutMs, clock } = this.#options
        await clock.sleep(timeoutMs, signal)
        throw new Error(`the driver of ${path} has not returned from a read for ${timeoutMs} ms`)
    }
}

/** Undefined where there is nothing yet, 0 at the end. */
async function readNow(file: DeviceFile, bytes: Uint8Array): Promise<number | undefined> {
    try {
        return (await file.read(bytes, 0, bytes.length, null)).bytesRead
    } catch (error) {
        if (systemCode(error) === "EAGAIN") return undefined
        throw error
    }
}

function readProblem(path: string, error: unknown): unknown {
    const code = systemCode(error)
    if (code === undefined) return error
    const isGone = ["EIO", "ENXIO", "ENODEV"].includes(code)
    return new Error(isGone ? `${path} is gone (${code})` : `cannot read ${path} (${code})`, { cause: error })
}

function openProblem(path: string, error: unknown): unknown {
    const sentences: Readonly<Record<string, string>> = {
        ENOENT: `there is no device ${path}; plug it in, load its driver, or correct the path`,
        EACCES: `this program may not read ${path}; run it as a user, or with a group, that may: ls -l ${path}`,
        EPERM: `this program may not read ${path}; allow its container or service to use the device`,
        ENXIO: `there is no device behind ${path}; plug it in, or load its driver`,
        ENODEV: `there is no device behind ${path}; plug it in, or load its driver`,
        EIO: `there is no device behind ${path}; plug it in, or load its driver`,
        EBUSY: `another program has ${path}; end that one first`,
    }
    const sentence = sentences[systemCode(error) ?? ""]
    return sentence === undefined ? error : new UserError(sentence, { cause: error })
}
