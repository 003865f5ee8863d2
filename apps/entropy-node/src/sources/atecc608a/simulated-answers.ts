/** What a chip's commands do, for the simulated one: those that the driver knows, and no others. */
import { concatBytes } from "@tallylight/crypto/bytes.js"
import type { Random } from "@tallylight/protocol/ports/clock.js"
import { commands, unlockedPattern } from "./commands.ts"
import { lockStateOf, revisionOf, zoneLength } from "./configuration-zone.ts"
import { makePacket, PacketError, parseCommand } from "./packet.ts"
import type { Command } from "./packet.ts"

export type Memory = { readonly zone: Uint8Array; readonly random: Random }

export type Work = { readonly answer: Uint8Array; readonly ms: number }

/** A verdict on a command that was not executed is there soon. */
export function status(code: number): Work {
    return { answer: makePacket(Uint8Array.of(code)), ms: 1 }
}

/** In the longest times that real ones take: typical ones are shorter. */
export function execute(packet: Uint8Array, memory: Memory): Work {
    let command: Command
    try {
        command = parseCommand(packet)
    } catch (error) {
        if (error instanceof PacketError) return status(0xff)
        throw error
    }
    const data = answer(command, memory)
    if (data === undefined) return status(0x03)
    const { maxMs } = command.opcode === commands.random.opcode ? commands.random : commands.info
    return { answer: makePacket(data), ms: maxMs }
}

/** Undefined for what it does not know. */
function answer({ opcode, mode, parameter }: Command, { zone, random }: Memory): Uint8Array | undefined {
    if (opcode === commands.info.opcode && mode === commands.info.mode) return revisionOf(zone)
    if (opcode === commands.random.opcode && mode <= 1 && parameter === 0) return draw(zone, random)
    if (opcode !== commands.readBlock.opcode || parameter >= zoneLength / 4) return undefined
    const start = 4 * parameter
    if (mode === commands.readLocks.mode) return zone.slice(start, start + 4)
    if (mode === commands.readBlock.mode) return zone.slice(start & ~31, (start & ~31) + 32)
    return undefined
}

function draw(zone: Uint8Array, random: Random): Uint8Array {
    if (lockStateOf(zone.subarray(84, 88)).configLocked) return random(32)
    return concatBytes(...Array.from({ length: 8 }, () => unlockedPattern))
}
