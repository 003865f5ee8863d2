/** Which devices are read as a stream of bytes, and what is to be known of each. */
import { z } from "zod"

import { sourceName } from "./source-name.ts"

type Preset = {
    readonly path: string
    /** Declared bits per byte; the reason is beside each. */
    readonly minEntropy: number
}

function options({ path, minEntropy }: Preset) {
    return {
        kind: z.literal("character-device"),
        name: sourceName,
        path: z.string().startsWith("/").default(path),
        minEntropy: z.number().positive().max(8).default(minEntropy),
        /** That no hardware is behind it, as behind a FIFO or a pseudoterminal. Said of whatever comes of it. */
        simulated: z.boolean().default(false),
        /** For a read to bring one byte. The slowest of these devices gives kilobytes a second. */
        timeoutMs: z.int().min(1).max(0x7fffffff).default(5000),
    }
}

/** ID Quantique's PCI and PCIe cards. Their bytes have a small published bias (eprint 2017/842). */
const quantis = z.strictObject({
    device: z.literal("quantis"),
    ...options({ path: "/dev/qrandom0", minEntropy: 7 }),
})

/** ChaosKey and Alea, by the kernel's driver. Whitened in the device; nobody has published an assessment. */
const chaoskey = z.strictObject({
    device: z.literal("chaoskey"),
    ...options({ path: "/dev/chaoskey0", minEntropy: 6 }),
})

/** TrueRNG on its serial port, in the mode in which it starts. Whitened likewise, and not assessed. */
const truerng = z.strictObject({
    device: z.literal("truerng"),
    ...options({ path: "/dev/ttyACM0", minEntropy: 6 }),
})

/**
 * OneRNG on its serial port. Unwhitened where nothing else is said, since SP 800-90B §4.4 has the noise itself tested
 * (and a CRC hides what is wrong with it): hence half of what its makers claim for whitened bytes.
 */
const onerng = z.strictObject({
    device: z.literal("onerng"),
    ...options({ path: "/dev/ttyACM0", minEntropy: 4 }),
    /** Whether the device sends its bytes through its CRC. */
    whitened: z.boolean().default(false),
})

/** Whatever the kernel has: a chip, a TPM, a virtual machine's host. Declared low, since nothing says which. */
const hwrng = z.strictObject({
    device: z.literal("hwrng"),
    ...options({ path: "/dev/hwrng", minEntropy: 4 }),
})

export const characterDeviceSettings = z.discriminatedUnion("device", [
    quantis,
    chaoskey,
    truerng,
    onerng,
    hwrng,
])

export type CharacterDeviceSettings = z.output<typeof characterDeviceSettings>
