/** Serial devices: a terminal line that must hand on each byte as it is. */
import { execFile } from "node:child_process"
import { isatty } from "node:tty"
import { promisify } from "node:util"

import { systemCode, UserError } from "@tallylight/node/user-error.js"

import type { CharacterDeviceSettings } from "./character-device-settings.ts"

const run = promisify(execFile)

/**
 * `stty` and not `setRawMode` of node:tty: that leaves output processing on, opens the line once more in this thread,
 * which stands still where a line waits for a carrier, and undoes its settings by the process, not by the line.
 */
export async function makeRaw(fd: number, path: string, timeout: number, signal: AbortSignal): Promise<void> {
    if (!isatty(fd)) throw new UserError(`${path} is no serial port; give the path of the device's own port`)
    try {
        await run("stty", ["-F", path, "raw", "-echo", "cs8", "clocal", "-crtscts"], { timeout, signal })
    } catch (error) {
        signal.throwIfAborted()
        if (systemCode(error) === "ENOENT")
            throw new UserError("there is no program stty, which serial devices need; install coreutils", {
                cause: error,
            })
        const said = error instanceof Error ? error.message.trim() : String(error)
        throw new UserError(`cannot set up the serial port ${path}: ${said}`, { cause: error })
    }
}

/** What the device must be told before it sends; opening the port has raised DTR and RTS, which is all others need. */
export function startCommands(settings: CharacterDeviceSettings): string {
    if (settings.device !== "onerng") return ""
    // Pause, flush what its pool holds from before, avalanche noise with or without the CRC, run (OneRNG's cdc_app.c).
    return `cmdo\ncmdw\ncmd${settings.whitened ? 0 : 1}\ncmdO\n`
}
