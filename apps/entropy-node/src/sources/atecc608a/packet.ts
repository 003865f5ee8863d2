/**
 * Packets of Microchip's CryptoAuthentication chips: count, payload, CRC-16, where the count is that of all bytes and
 * the CRC covers all before it. A command's payload is opcode, mode, a parameter of 16 bits and data; a response's is
 * data, or one byte of status.
 */
import { concatBytes } from "@tallylight/crypto/bytes.js"
import { StatusError } from "./status.ts"

/** The first byte of every write, which no count and no CRC covers. */
export const wordAddress = { reset: 0x00, sleep: 0x01, idle: 0x02, command: 0x03 } as const

export type Command = {
    readonly opcode: number
    /** The data sheets' Param1. */
    readonly mode: number
    /** The data sheets' Param2, sent low byte first. */
    readonly parameter: number
    readonly data: Uint8Array
}

/** CRC-16 with the polynomial 8005, initially 0, each byte's low bit first, low byte of the result first. */
export function crc16(bytes: Uint8Array): Uint8Array {
    let register = 0
    for (const byte of bytes) {
        for (let bit = 0; bit < 8; bit += 1) {
            const top = register >> 15
            register = (register << 1) & 0xffff
            if (top !== ((byte >> bit) & 1)) register ^= 0x8005
        }
    }
    return Uint8Array.of(register & 0xff, register >> 8)
}

export function makePacket(payload: Uint8Array): Uint8Array {
    const covered = concatBytes(Uint8Array.of(payload.length + 3), payload)
    return concatBytes(covered, crc16(covered))
}

/** The payload of one whole packet. Rejects all others with a {@link PacketError}. */
export function parsePacket(packet: Uint8Array): Uint8Array {
    const [count] = packet
    if (packet.length < 4 || count !== packet.length) {
        throw new PacketError(
            "count",
            `a packet of ${packet.length} bytes gives its count as ${count ?? "nothing"}`,
        )
    }
    const [low, high] = crc16(packet.subarray(0, -2))
    if (packet.at(-2) !== low || packet.at(-1) !== high) {
        throw new PacketError("crc", `the CRC of a packet of ${packet.length} bytes is wrong`)
    }
    return packet.slice(1, -2)
}

export function makeCommand({ opcode, mode, parameter, data }: Command): Uint8Array {
    return makePacket(concatBytes(Uint8Array.of(opcode, mode, parameter & 0xff, parameter >> 8), data))
}

export function parseCommand(packet: Uint8Array): Command {
    const payload = parsePacket(packet)
    const [opcode, mode, low, high] = payload
    if (opcode === undefined || mode === undefined || low === undefined || high === undefined) {
        throw new PacketError("count", `a command of ${packet.length} bytes is too short`)
    }
    return { opcode, mode, parameter: low | (high << 8), data: payload.slice(4) }
}

/**
 * The data of a response, of as many bytes as were read. Throws a {@link StatusError} where the chip answered with a
 * status instead, which is shorter than every other response; a {@link PacketError} for all else.
 */
export function parseResponse(read: Uint8Array): Uint8Array {
    // Behind the end of what the chip has to say the bus gives FF.
    if (read[0] === 4) throw new StatusError(parseStatus(read.subarray(0, 4)))
    return parsePacket(read)
}

export function parseStatus(packet: Uint8Array): number {
    const [status, ...rest] = parsePacket(packet)
    if (status === undefined || rest.length > 0) {
        throw new PacketError("count", `a packet of ${packet.length} bytes is no status`)
    }
    return status
}

/** `stale`: an answer to something before, so that the chip cannot have seen what was sent last. */
export type PacketProblem = "count" | "crc" | "stale"

export class PacketError extends Error {
    override readonly name = "PacketError"
    readonly problem: PacketProblem

    constructor(problem: PacketProblem, message: string, options?: ErrorOptions) {
        super(message, options)
        this.problem = problem
    }
}
