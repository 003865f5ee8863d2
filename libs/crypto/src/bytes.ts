import { concatBytes as concat, hexToBytes } from "@noble/hashes/utils.js"
import { base64, utf8 as utf8Coder } from "@scure/base"

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
    return concat(...parts)
}

/** Stops at the first difference: for public bytes, never for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
    return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** Lexicographic order, a prefix before what it begins; negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
    for (const [i, byte] of a.entries()) {
        const other = b[i]
        if (other === undefined) return 1
        if (byte !== other) return byte - other
    }
    return a.length - b.length
}

const hexDigits = utf8("0123456789abcdef")
const ascii = new TextDecoder("latin1")

/** One flat string: V8 keeps one that was put together from pairs as a chain of them, a kilobyte for 32 bytes. */
export function toHex(bytes: Uint8Array): string {
    const digits = new Uint8Array(2 * bytes.length)
    for (const [at, byte] of bytes.entries()) {
        digits[2 * at] = hexDigits[byte >> 4] ?? 0
        digits[2 * at + 1] = hexDigits[byte & 15] ?? 0
    }
    return ascii.decode(digits)
}

/** Takes either case, and throws on anything that is not pairs of hex digits. */
export function fromHex(hex: string): Uint8Array {
    return hexToBytes(hex)
}

/** Throws on a lone surrogate, which has no UTF-8 encoding. */
export function utf8(text: string): Uint8Array {
    return utf8Coder.decode(text)
}

/** A byte order mark is kept as text, so whatever decodes encodes to the same bytes. */
export function toUtf8(bytes: Uint8Array): string | undefined {
    try {
        return utf8Coder.encode(bytes)
    } catch {
        return undefined
    }
}

export function uint16(n: number): Uint8Array {
    return bigEndian(n, 2)
}

export function uint32(n: number): Uint8Array {
    return bigEndian(n, 4)
}

export function uint64(n: number): Uint8Array {
    return bigEndian(n, 8)
}

function bigEndian(n: number, width: number): Uint8Array {
    if (!Number.isSafeInteger(n) || n < 0 || n >= 256 ** width) {
        throw new RangeError(`${n} is not an unsigned integer of ${width} bytes`)
    }
    const bytes = new Uint8Array(width)
    // Shifts would truncate to 32 bits.
    for (let i = width - 1, rest = n; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256
    return bytes
}

/** Returns undefined unless there are eight bytes and a number holds their value exactly. */
export function readUint64(bytes: Uint8Array): number | undefined {
    if (bytes.length !== 8) return undefined
    // Above 2^53 the sum may be rounded, but never down to a safe integer.
    const n = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
    return Number.isSafeInteger(n) ? n : undefined
}

export function toBase64(bytes: Uint8Array): string {
    return base64.encode(bytes)
}

/** RFC 4648 §4 in its one canonical form: padded, no whitespace, no stray bits in the last character. */
export function fromBase64(text: string): Uint8Array | undefined {
    try {
        return base64.decode(text)
    } catch {
        return undefined
    }
}
