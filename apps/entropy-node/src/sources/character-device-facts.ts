/**
 * What the kernel says of an open device. A path proves nothing (a module fed by a pseudorandom generator can make
 * /dev/qrandom0), so only what was found is said, and what was not found is left out.
 */
import type { Stats } from "node:fs"
import { readFile, realpath } from "node:fs/promises"
import { dirname, join } from "node:path"

import { systemCode, UserError } from "@tallylight/node/user-error.js"

import type { CharacterDeviceSettings } from "./character-device-settings.ts"
import type { SourceFacts } from "./source.ts"

/** The misc device of the kernel's hardware generators (Linux admin-guide/devices.txt). */
const hwrngNumber = "10:183"

/** Major number of mem, null, zero, random and urandom: nothing of it is a device. */
const memoryDevices = 1

/** Major numbers of both ends of BSD's pseudoterminals, and of Unix 98's that programs open: a program is at the other end. */
const pseudoterminals = [2, 3, 136, 137, 138, 139, 140, 141, 142, 143]

/** Linux's encoding of a device number: 12 bits of major, 20 of minor, the minor's low byte first. */
export function deviceNumber(rdev: number): { readonly major: number; readonly minor: number } {
    return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) }
}

/** Rejects with a UserError what no hardware can be behind, and is not said to be simulated or never may be. */
export async function characterDeviceFacts(
    { path, simulated }: Pick<CharacterDeviceSettings, "path" | "simulated">,
    stats: Stats,
    sysfs: string,
): Promise<SourceFacts> {
    const found = { path, node: await realpath(path) }
    if (stats.isFIFO()) {
        if (!simulated) throw unsaid(path, "FIFO")
        return { ...found, type: "fifo" }
    }
    if (!stats.isCharacterDevice()) {
        throw new UserError(`${path} is no character device; give the path of the device itself`)
    }
    const { major, minor } = deviceNumber(stats.rdev)
    const number = `${major}:${minor}`
    if (major === memoryDevices) {
        throw new UserError(
            `${path} is the kernel's own memory device ${number}, and no hardware; the operating system's ` +
                `generator is mixed in anyway, and needs no entry under “sources”`,
        )
    }
    if (pseudoterminals.includes(major) && !simulated) throw unsaid(path, "pseudoterminal")
    const device = { ...found, type: "character device", number }
    if (number === hwrngNumber) return { ...device, rngCurrent: await rngCurrent(path, sysfs) }
    return { ...device, ...(await usbFacts(join(sysfs, "dev/char", number))) }
}

function unsaid(path: string, what: string): UserError {
    return new UserError(
        `${path} is a ${what}, which any program can fill, and no hardware; give the path of the device itself, ` +
            `or set "simulated": true for trials`,
    )
}

async function rngCurrent(path: string, sysfs: string): Promise<string> {
    const current = await readLine(join(sysfs, "class/misc/hw_random/rng_current"))
    if (current === undefined || current === "none") {
        throw new UserError(`no hardware generator is behind ${path}; plug it in, or load its driver`)
    }
    return current
}

/**
 * Rejects where another generator is behind /dev/hwrng than when it was opened, which the kernel may choose at any time:
 * that one has passed no start-up test.
 */
export async function refuseAnotherGenerator(facts: SourceFacts, path: string, sysfs: string): Promise<void> {
    const before = facts.rngCurrent
    if (before === undefined) return
    const now = await rngCurrent(path, sysfs)
    if (now !== before) throw new Error(`${path} is ${now} now, and was ${before}`)
}

/** Of the USB device to which it belongs; none where there is no such. */
async function usbFacts(link: string): Promise<SourceFacts> {
    const start = await realpath(link).catch(nothingIfAbsent)
    for (let folder = start; folder !== undefined && folder !== dirname(folder); folder = dirname(folder)) {
        const [vendor, product] = await Promise.all([
            readLine(join(folder, "idVendor")),
            readLine(join(folder, "idProduct")),
        ])
        if (vendor === undefined || product === undefined) continue
        const [name, serial] = await Promise.all([
            readLine(join(folder, "product")),
            readLine(join(folder, "serial")),
        ])
        return {
            usb: `${vendor}:${product}`,
            ...(name !== undefined && { usbProduct: name }),
            ...(serial !== undefined && { usbSerial: serial }),
        }
    }
    return {}
}

async function readLine(path: string): Promise<string | undefined> {
    const line = await readFile(path, "utf8").catch(nothingIfAbsent)
    return line?.trim() === "" ? undefined : line?.trim()
}

function nothingIfAbsent(error: unknown): undefined {
    if (!["ENOENT", "ENOTDIR", "ENODEV"].includes(systemCode(error) ?? "")) throw error
}
