/**
 * The commands that the driver knows, all of which only read. There is none to write or to lock: locking cannot be
 * undone, and is the owner's decision.
 */
import type { Command } from "./packet.ts"

export type KnownCommand = Command & {
    readonly name: string
    /** Bytes of its data in the response. */
    readonly answers: number
    /** Longest execution time, in ms, with the clock divider as delivered (CryptoAuthLib's table for M0). */
    readonly maxMs: number
}

const data = new Uint8Array(0)

export const commands = {
    /** The revision, four bytes. */
    info: { name: "Info", opcode: 0x30, mode: 0x00, parameter: 0, data, answers: 4, maxMs: 5 },
    /** The first 32 bytes of the configuration zone, which can always be read; the serial number is in them. */
    readBlock: {
        name: "Read (block 0)",
        opcode: 0x02,
        mode: 0x80,
        parameter: 0,
        data,
        answers: 32,
        maxMs: 5,
    },
    /** Its bytes 84 to 87: UserExtra, Selector, LockValue, LockConfig. */
    readLocks: {
        name: "Read (lock bytes)",
        opcode: 0x02,
        mode: 0x00,
        parameter: 0x15,
        data,
        answers: 4,
        maxMs: 5,
    },
    /**
     * 32 random bytes. The mode is the only one that the 608's data sheets have. In its predecessors, which keep a seed
     * in EEPROM, 00 also writes that seed before the first number after a sleep, and the other mode, 01, goes on from the
     * old one: less wear for worse bytes. Idling between commands keeps the generator's state instead of sleeping.
     */
    random: { name: "Random", opcode: 0x1b, mode: 0x00, parameter: 0, data, answers: 32, maxMs: 23 },
} as const satisfies Record<string, KnownCommand>

/** What Random answers as long as the configuration zone is not locked, eight times, with a good CRC. */
export const unlockedPattern = Uint8Array.of(0xff, 0xff, 0x00, 0x00)
