/** Where in a chip's 128 bytes of configuration zone something is (ATECC508A and 608 data sheets, configuration zone). */
import { concatBytes } from "@tallylight/crypto/bytes.js"

export const zoneLength = 128

/** A byte of lock state that is anything else means locked, as CryptoAuthLib reads it. */
const unlocked = 0x55

const locked = 0x00

/** Nine bytes, in two pieces with the revision between, of the zone or its first block. */
export function serialNumberOf(zone: Uint8Array): Uint8Array {
    return concatBytes(zone.subarray(0, 4), zone.subarray(8, 13))
}

export function revisionOf(zone: Uint8Array): Uint8Array {
    return zone.slice(4, 8)
}

export type LockState = { readonly configLocked: boolean; readonly dataLocked: boolean }

/** Of the word with bytes 84 to 87: UserExtra, Selector, LockValue, LockConfig. */
export function lockStateOf(word: Uint8Array): LockState {
    return { configLocked: word[3] !== unlocked, dataLocked: word[2] !== unlocked }
}

/** A zone with nothing else in it, of a chip with that 7-bit address. */
export function makeZone(
    serialNumber: Uint8Array,
    revision: Uint8Array,
    address: number,
    locks: LockState,
): Uint8Array {
    const zone = new Uint8Array(zoneLength)
    zone.set(serialNumber.subarray(0, 4))
    zone.set(revision, 4)
    zone.set(serialNumber.subarray(4), 8)
    zone[16] = address << 1
    zone[86] = locks.dataLocked ? locked : unlocked
    zone[87] = locks.configLocked ? locked : unlocked
    return zone
}
