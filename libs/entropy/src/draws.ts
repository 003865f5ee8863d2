/**
 * Values out of random bytes, without bias: where the bytes give values that are equally likely, each value that is
 * drawn is. Integers are big-endian. What must be rejected is, and costs more bytes instead.
 */
import { toHex } from "@tallylight/crypto/bytes.js"

export type Draw<Value> = {
    /** Bytes of one attempt at a value. */
    readonly width: number
    /** How likely an attempt gives one: 1 where nothing is ever rejected, else at least 1/2. */
    readonly accepted: number
    /** The value in so many bytes; undefined where they must be rejected. */
    readonly read: (bytes: Uint8Array) => Value | undefined
}

/** Bytes that nobody else is given; a promise where they come from afar. */
export type DrawBytes = (length: number) => Uint8Array | Promise<Uint8Array>

/**
 * So many values, in the order of their bytes. Where attempts may be rejected it draws enough of them at once that a
 * second draw is next to never needed ({@link attemptsAt}), since bytes may have run out by then; those that are left over
 * are for nobody. Where none is rejected, no byte is left over.
 */
export async function drawValues<Value>(
    draw: Draw<Value>,
    count: number,
    drawBytes: DrawBytes,
): Promise<Value[]> {
    const values: Value[] = []
    while (values.length < count) {
        const bytes = await drawBytes(attemptsAt(draw, count - values.length) * draw.width)
        for (let at = 0; at < bytes.length && values.length < count; at += draw.width) {
            const value = draw.read(bytes.subarray(at, at + draw.width))
            if (value !== undefined) values.push(value)
        }
    }
    return values
}

/** That attempts are too few: once in 2^32 times. */
const tooFew = 32 * Math.LN2

/** Attempts after which at least `count` values are there, but for less than one time in 2^32. */
export function attemptsAt({ accepted }: Pick<Draw<unknown>, "accepted">, count: number): number {
    if (accepted === 1 || count === 0) return count
    let [above, enough] = [count - 1, count]
    while (shortfall(accepted, count, enough) < tooFew) [above, enough] = [enough, 2 * enough]
    while (enough - above > 1) {
        const middle = Math.floor((above + enough) / 2)
        if (shortfall(accepted, count, middle) < tooFew) above = middle
        else enough = middle
    }
    return enough
}

/**
 * Chernoff's bound (Hoeffding 1963, theorem 1): fewer than `count` of so many attempts succeed with at most e to the minus
 * this. Exact for one value.
 */
function shortfall(accepted: number, count: number, attempts: number): number {
    const most = count - 1
    if (most >= accepted * attempts) return 0
    const rejected = attempts - most
    const bound = rejected * Math.log(rejected / (attempts * (1 - accepted)))
    return most === 0 ? bound : bound + most * Math.log(most / (attempts * accepted))
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
    int8: { width: 1, accepted: 1, read: (bytes) => view(bytes).getInt8(0) },
    int16: { width: 2, accepted: 1, read: (bytes) => view(bytes).getInt16(0) },
    int32: { width: 4, accepted: 1, read: (bytes) => view(bytes).getInt32(0) },
    int64: { width: 8, accepted: 1, read: (bytes) => view(bytes).getBigInt64(0) },
    uint8: { width: 1, accepted: 1, read: (bytes) => view(bytes).getUint8(0) },
    uint16: { width: 2, accepted: 1, read: (bytes) => view(bytes).getUint16(0) },
    uint32: { width: 4, accepted: 1, read: (bytes) => view(bytes).getUint32(0) },
    uint64: { width: 8, accepted: 1, read: (bytes) => view(bytes).getBigUint64(0) },
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
        accepted: Number(span + 1n) / 2 ** bits,
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
    accepted: 1,
    read(bytes) {
        const upper = (view(bytes).getUint32(0) >>> 8) & 0x1fffff
        return (upper * 2 ** 32 + view(bytes).getUint32(3)) / 2 ** 53
    },
}

/** RFC 9562 §5.4: version 4, of which 122 bits are random. */
export const uuidDraw: Draw<string> = {
    width: 16,
    accepted: 1,
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
