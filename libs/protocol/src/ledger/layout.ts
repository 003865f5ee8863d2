/**
 * Fixed byte layouts (PROTOCOL.md §3.2): fields in order, integers big-endian, variable parts behind a length.
 * A value has exactly one encoding, and `decode` accepts exactly the bytes that `encode` can produce.
 */
import { concatBytes, readUint64, toUtf8, uint16, uint64, utf8 } from "@tallylight/crypto/bytes.js"

class Malformed extends Error {}

class Reader {
    readonly #bytes: Uint8Array
    #at = 0

    constructor(bytes: Uint8Array) {
        this.#bytes = bytes
    }

    take(length: number): Uint8Array {
        if (length > this.#bytes.length - this.#at) throw new Malformed("truncated")
        this.#at += length
        // `slice` of a Buffer is a view: the entry would change with whatever is read into that memory next.
        return new Uint8Array(this.#bytes.subarray(this.#at - length, this.#at))
    }

    get done(): boolean {
        return this.#at === this.#bytes.length
    }
}

export type Layout<T> = {
    readonly write: (value: T) => Uint8Array
    readonly read: (from: Reader) => T
}

export type Value<L> = L extends Layout<infer T> ? T : never

function unsigned(width: number): Layout<number> {
    const padding = 8 - width
    return {
        write: (value) => {
            if (value >= 2 ** (8 * width)) throw new RangeError(`${value} does not fit in ${width} bytes`)
            return uint64(value).subarray(padding)
        },
        read: (from) => {
            const value = readUint64(concatBytes(new Uint8Array(padding), from.take(width)))
            // Integers above 2^53 - 1 would be read differently by different programs.
            if (value === undefined) throw new Malformed("integer too large")
            return value
        },
    }
}

export const u8 = unsigned(1)
export const u16 = unsigned(2)
export const u32 = unsigned(4)
export const u64 = unsigned(8)

export const flag: Layout<boolean> = {
    write: (value) => Uint8Array.of(value ? 1 : 0),
    read: (from) => {
        const byte = from.take(1)[0]
        if (byte !== 0 && byte !== 1) throw new Malformed("flag is neither 0 nor 1")
        return byte === 1
    },
}

export function fixed(length: number): Layout<Uint8Array> {
    return {
        write: (value) => {
            if (value.length !== length) throw new RangeError(`expected ${length} bytes, got ${value.length}`)
            return value
        },
        read: (from) => from.take(length),
    }
}

/** At most `most` bytes behind a 16-bit length. */
export function blob(most: number): Layout<Uint8Array> {
    return {
        write: (value) => {
            if (value.length > most)
                throw new RangeError(`expected at most ${most} bytes, got ${value.length}`)
            return concatBytes(uint16(value.length), value)
        },
        read: (from) => {
            const length = u16.read(from)
            if (length > most) throw new Malformed("blob too long")
            return from.take(length)
        },
    }
}

/** UTF-8 of at most `most` bytes behind a 16-bit length, matching `pattern` as a whole. */
export function text(most: number, pattern: RegExp): Layout<string> {
    const bytes = blob(most)
    return {
        write: (value) => {
            if (!pattern.test(value)) throw new RangeError(`"${value}" does not match ${pattern.source}`)
            return bytes.write(utf8(value))
        },
        read: (from) => {
            const value = toUtf8(bytes.read(from))
            if (value === undefined || !pattern.test(value)) throw new Malformed("text")
            return value
        },
    }
}

/** `least` to `most` items behind a 16-bit count. */
export function list<T>(item: Layout<T>, least: number, most: number): Layout<readonly T[]> {
    return {
        write: (values) => {
            if (values.length < least || values.length > most)
                throw new RangeError(`expected ${least} to ${most} items, got ${values.length}`)
            return concatBytes(uint16(values.length), ...values.map((value) => item.write(value)))
        },
        read: (from) => {
            const count = u16.read(from)
            if (count < least || count > most) throw new Malformed("item count")
            return Array.from({ length: count }, () => item.read(from))
        },
    }
}

export function choice<const T extends readonly string[]>(...names: T): Layout<T[number]> {
    return {
        write: (value) => u8.write(names.indexOf(value)),
        read: (from) => {
            const name = names[u8.read(from)]
            if (name === undefined) throw new Malformed("unknown choice")
            return name
        },
    }
}

/** The fields one after the other, in the order in which they are declared. */
export function struct<T extends object>(fields: { readonly [K in keyof T]: Layout<T[K]> }): Layout<
    Readonly<T>
> {
    const names = Object.keys(fields) as (keyof T)[]
    return {
        write: (value) => concatBytes(...names.map((name) => fields[name].write(value[name]))),
        read: (from) => Object.fromEntries(names.map((name) => [name, fields[name].read(from)])) as T,
    }
}

/** The value whose encoding `bytes` is, whole; undefined where there is none. */
export function decode<T>(layout: Layout<T>, bytes: Uint8Array): T | undefined {
    const reader = new Reader(bytes)
    try {
        const value = layout.read(reader)
        return reader.done ? value : undefined
    } catch (error) {
        if (error instanceof Malformed) return undefined
        throw error
    }
}
