/**
 * Values out of random bytes, without bias: where the bytes give values that are equally likely, each value that is
 * drawn is. Integers are big-endian. What must be rejected is, and costs more bytes instead.
 */
import { toHex } from "@tallylight/crypto/bytes.js"

export type Draw<Value> = {
    /** Bytes of one attempt at a value. */
    readonly width: number
    /** The value in so many bytes; undefined where they must be rejected. */
    readonly read: (bytes: Uint8Array) => Value | undefined
}

/** Bytes that nobody else is given; a promise where they come from afar. */
export type DrawBytes = (length: number) => Uint8Array | Promise<Uint8Array>

/** So many values, for which it draws no byte too many: only rejected attempts are made up for. */
export async function drawValues<Value>(
    draw: Draw<Value>,
    count: number,
    drawBytes: DrawBytes,
): Promise<Value[]> {
    const values: Value[] = []
    while (values.length < count) {
        const bytes = await drawBytes((count - values.length) * draw.width)
        for (let at = 0; at < bytes.length; at += draw.width) {
            const value = draw.read(bytes.subarray(at, at + draw.width))
            if (value !== undefined) values.push(value)
        }
    }
    return values
}

export const integerFormats = [
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
] as const
export type IntegerFormat = (typeof integerFormats)[number]

const integers: Readonly<Record<IntegerFormat, Draw<number | bigint>>> = {
    int8: { width: 1, read: (bytes) => view(bytes).getInt8(0) },
    int16: { width: 2, read: (bytes) => view(bytes).getInt16(0) },
    int32: { width: 4, read: (bytes) => view(bytes).getInt32(0) },
    int64: { width: 8, read: (bytes) => view(bytes).getBigInt64(0) },
    uint8: { width: 1, read: (bytes) => view(bytes).getUint8(0) },
    uint16: { width: 2, read: (bytes) => view(bytes).getUint16(0) },
    uint32: { width: 4, read: (bytes) => view(bytes).getUint32(0) },
    uint64: { width: 8, read: (bytes) => view(bytes).getBigUint64(0) },
}

/** Two's complement; a bigint for 64 bits, which a number does not hold, and a number for fewer. */
export function integerDraw(format: IntegerFormat): Draw<number | bigint> {
    return integers[format]
}

/** Every integer from `min` to `max`, both included, of which there are at most 2^64. */
export function rangedDraw(min: bigint, max: bigint): Draw<bigint> {
    const span = max - min
    if (span < 0n || span >= 1n << 64n) {
        throw new RangeError(`a range has from 1 to 2^64 integers, not those from ${min} to ${max}`)
    }
    const bits = span.toString(2).length
    const mask = (1n << BigInt(bits)) - 1n
    return {
        width: Math.ceil(bits / 8),
        read(bytes) {
            // Bits beyond those of the span are dropped, or nearly all attempts could be in vain; so at least half succeed.
            const offset = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) & mask
            return offset <= span ? min + offset : undefined
        },
    }
}

/** From 0 to below 1 in steps of 2^-53, the finest that all of that interval has. */
export const floatDraw: Draw<number> = {
    width: 7,
    read(bytes) {
        const upper = (view(bytes).getUint32(0) >>> 8) & 0x1fffff
        return (upper * 2 ** 32 + view(bytes).getUint32(3)) / 2 ** 53
    },
}

/** RFC 9562 §5.4: version 4, of which 122 bits are random. */
export const uuidDraw: Draw<string> = {
    width: 16,
    read(bytes) {
        // A copy, which a Buffer's slice is not.
        const uuid = Uint8Array.from(bytes)
        uuid[6] = 0x40 | ((bytes[6] ?? 0) & 0x0f)
        uuid[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f)
        return toHex(uuid).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")
    },
}

function view(bytes: Uint8Array): DataView {
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
