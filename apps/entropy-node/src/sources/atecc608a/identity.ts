/**
 * Which chip it is, and whether it may be used. One whose configuration zone is not locked is refused, and never locked
 * from here: that cannot be undone and fixes what the chip can be used for, so it is its owner's decision.
 */
import { toHex } from "@tallylight/crypto/bytes.js"
import { UserError } from "@tallylight/node/user-error.js"
import { commands } from "./commands.ts"
import { lockStateOf, serialNumberOf } from "./configuration-zone.ts"
import type { LockState } from "./configuration-zone.ts"
import type { Device } from "./device.ts"

/** Serial number and revision in hexadecimal digits, 18 and 8 of them. */
export type Identity = LockState & { readonly serialNumber: string; readonly revision: string }

/**
 * Rejects with a {@link UserError} where there is another chip, or one without random numbers; and as
 * {@link Device.execute}.
 */
export async function identify(device: Device, place: string, signal: AbortSignal): Promise<Identity> {
    const revision = await device.execute(commands.info, signal)
    if (revision[2] !== 0x60) {
        throw new UserError(
            `the chip at ${place} has the revision ${toHex(revision)}, and the third byte of an ATECC608's is 60: ` +
                "take one of those, or set another address",
        )
    }
    const serialNumber = toHex(serialNumberOf(await device.execute(commands.readBlock, signal)))
    const locks = lockStateOf(await device.execute(commands.readLocks, signal))
    if (!locks.configLocked) {
        throw new UserError(
            `the configuration zone of the ATECC608A ${serialNumber} at ${place} is not locked, so its Random command ` +
                "answers FF FF 00 00 over and over instead of random bytes. Locking it cannot be undone and fixes for " +
                "ever what the chip can be used for: whether to, and with which configuration, is its owner's decision, " +
                "and nothing here does it. Lock it with Microchip's tools, or take a chip that is locked",
        )
    }
    // The lock of the data zone, where keys are, has no say in random numbers: it is only told.
    return { serialNumber, revision: toHex(revision), ...locks }
}
