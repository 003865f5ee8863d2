/**
 * What a frame may consist of at all, checked before the MessagePack library sees it.
 *
 * The library keeps the last of two equal keys, replaces invalid UTF-8, recurses into nested arrays, runs
 * extensions, and reserves memory for as many elements as a header claims. A frame that passes here gives it no
 * occasion to: one value, plain types, every claimed length backed by bytes. Nothing here grows with a claim: a
 * count is only a number until as many elements have been walked.
 */
import { toUtf8 } from "@tallylight/crypto/bytes.js"

import { DecodeError } from "./decode-error.ts"

/** How deep maps and arrays nest: frame, body, list, item, and one to spare. */
const maxDepth = 5

/** Above the largest message, an Event of 1024 entries; it bounds what validating a useless frame costs. */
const maxValues = 8192

const maxKeyLength = 32

/** Bytes after the head of nil, false, true, and of the integers whose value may be anything. */
const widths: Readonly<Partial<Record<number, number>>> = {
    0xc0: 0,
    0xc2: 0,
    0xc3: 0,
    0xcc: 1,
    0xcd: 2,
    0xce: 4,
    0xd0: 1,
    0xd1: 2,
    0xd2: 4,
}

/** A map or array that is being walked; `keys` are those seen so far, of a map. */
type Open = { left: number; readonly keys: Set<string> | undefined }

/** Throws a {@link DecodeError} unless the bytes are exactly one well-formed value. */
export function checkShape(frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
    const open: Open[] = []
    let at = 0
    let values = 0

    function fail(problem: string, where = at): never {
        throw new DecodeError("frame", `${problem} at byte ${where}`)
    }

    /** Where the next `length` bytes begin. */
    function take(length: number): number {
        if (length > frame.length - at) fail("ends early")
        at += length
        return at - length
    }

    function enter(count: number, isMap: boolean): void {
        if (open.length === maxDepth) fail("nested too deep")
        open.push({ left: count, keys: isMap ? new Set() : undefined })
    }

    function text(length: number): string {
        const start = take(length)
        const value = toUtf8(frame.subarray(start, start + length))
        if (value === undefined) fail("invalid UTF-8")
        // TextDecoder drops it, so the text that is read would not be the text that was sent.
        if (value.startsWith("\ufeff")) fail("byte order mark")
        return value
    }

    /** Every key of the protocol is plain ASCII, so equal keys are equal bytes. */
    function key(seen: Set<string>): void {
        const length = stringLength(view.getUint8(take(1)))
        if (length === undefined) fail("map key that is not a string")
        if (length > maxKeyLength) fail("map key that is too long")
        const name = text(length)
        if (!/^[\x21-\x7e]+$/.test(name)) fail("map key that is not plain ASCII")
        if (name === "__proto__") fail("map key __proto__")
        if (seen.has(name)) fail(`duplicate map key ${name}`)
        seen.add(name)
    }

    /** The length in a string's header, or undefined where the value is no string. */
    function stringLength(head: number): number | undefined {
        if (head >= 0xa0 && head <= 0xbf) return head & 0x1f
        if (head === 0xd9) return view.getUint8(take(1))
        if (head === 0xda) return view.getUint16(take(2))
        if (head === 0xdb) return view.getUint32(take(4))
        return undefined
    }

    function float64(): void {
        const value = view.getFloat64(take(8))
        if (!Number.isFinite(value) || Object.is(value, -0))
            fail("number that is not finite, or negative zero")
    }

    function int64(value: bigint): void {
        // Beyond this a number is no longer the integer that was sent.
        if (BigInt.asIntN(54, value) !== value) fail("integer beyond 2^53")
    }

    function value(): void {
        if (++values > maxValues) fail("too many values")
        const head = view.getUint8(take(1))
        const width = head <= 0x7f || head >= 0xe0 ? 0 : widths[head]
        if (width !== undefined) {
            take(width)
            return
        }
        const length = stringLength(head)
        if (length !== undefined) text(length)
        else if (head <= 0x8f) enter(head & 0x0f, true)
        else if (head <= 0x9f) enter(head & 0x0f, false)
        else if (head === 0xc4) take(view.getUint8(take(1)))
        else if (head === 0xc5) take(view.getUint16(take(2)))
        else if (head === 0xc6) take(view.getUint32(take(4)))
        else if (head === 0xcb) float64()
        else if (head === 0xcf) int64(view.getBigUint64(take(8)))
        else if (head === 0xd3) int64(view.getBigInt64(take(8)))
        else if (head === 0xdc) enter(view.getUint16(take(2)), false)
        else if (head === 0xdd) enter(view.getUint32(take(4)), false)
        else if (head === 0xde) enter(view.getUint16(take(2)), true)
        else if (head === 0xdf) enter(view.getUint32(take(4)), true)
        else fail(`type 0x${head.toString(16)}, which no message uses,`, at - 1)
    }

    value()
    for (let inner = open.at(-1); inner !== undefined; inner = open.at(-1)) {
        if (inner.left === 0) {
            open.pop()
            continue
        }
        inner.left -= 1
        if (inner.keys !== undefined) key(inner.keys)
        value()
    }
    if (at !== frame.length) fail("trailing bytes")
}
