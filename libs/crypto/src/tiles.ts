// C2SP tlog-tiles: which files a log of a given size consists of, how they are named, and what is in them.
import { concatBytes, uint16 } from "./bytes.ts"

/** `width` hashes or entries, 256 when full; they begin at number index·256 of their level. */
export type HashTile = {
    readonly kind: "hashes"
    readonly level: number
    readonly index: number
    readonly width: number
}
export type EntryBundle = { readonly kind: "entries"; readonly index: number; readonly width: number }
export type Tile = HashTile | EntryBundle

const fullWidth = 256
const hashLength = 32

export function tilePath(tile: {
    readonly level: number
    readonly index: number
    readonly width: number
}): string {
    if (!Number.isInteger(tile.level) || tile.level < 0 || tile.level > 63) {
        throw new RangeError(`${tile.level} is not a tile level`)
    }
    return `tile/${tile.level}/${indexPath(tile.index)}${widthSuffix(tile.width)}`
}

export function entriesPath(index: number, width: number): string {
    return `tile/entries/${indexPath(index)}${widthSuffix(width)}`
}

/** "Zero-padded 3-digit path elements. All but the last path element MUST begin with an x." */
function indexPath(index: number): string {
    if (!Number.isSafeInteger(index) || index < 0) throw new RangeError(`${index} is not a tile index`)
    const digits = String(index)
    const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, "0")
    return padded.replace(/\d{3}(?=\d)/g, "x$&/")
}

function widthSuffix(width: number): string {
    assertWidth(width)
    return width === fullWidth ? "" : `.p/${width}`
}

function assertWidth(width: number): void {
    if (!Number.isInteger(width) || width < 1 || width > fullWidth) {
        throw new RangeError(`${width} is not a tile width`)
    }
}

/** Takes the one spelling of each path, so that nothing is cached under two names. */
export function parseTilePath(path: string): Tile | undefined {
    const match = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path)
    const [, kind, digits, suffix] = match ?? []
    if (kind === undefined || digits === undefined) return undefined
    const index = Number(digits.replaceAll(/[x/]/g, ""))
    const width = suffix === undefined ? fullWidth : Number(suffix)
    const level = Number(kind)
    if (!Number.isSafeInteger(index) || width < 1 || width > fullWidth) return undefined
    if (kind === "entries") return entriesPath(index, width) === path ? { kind, index, width } : undefined
    if (level > 63 || tilePath({ level, index, width }) !== path) return undefined
    return { kind: "hashes", level, index, width }
}

/** What a static copy of a log of `size` entries holds: at each level the full tiles, then the partial one if any. */
export function tilesForSize(size: number): Tile[] {
    if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`${size} is not a log size`)
    const tiles: Tile[] = widths(size).map((width, index) => ({ kind: "entries", index, width }))
    for (let level = 0, count = size; count > 0; level++, count = Math.floor(count / fullWidth)) {
        for (const [index, width] of widths(count).entries())
            tiles.push({ kind: "hashes", level, index, width })
    }
    return tiles
}

function widths(count: number): number[] {
    const full = new Array<number>(Math.floor(count / fullWidth)).fill(fullWidth)
    // "Empty tiles MUST NOT be served."
    return count % fullWidth === 0 ? full : [...full, count % fullWidth]
}

export function decodeHashTile(bytes: Uint8Array, width: number): Uint8Array[] | undefined {
    assertWidth(width)
    if (bytes.length !== width * hashLength) return undefined
    return Array.from({ length: width }, (_, i) => copyOf(bytes, i * hashLength, (i + 1) * hashLength))
}

export function encodeEntryBundle(entries: readonly Uint8Array[]): Uint8Array {
    assertWidth(entries.length)
    return concatBytes(...entries.flatMap((entry) => [uint16(entry.length), entry]))
}

export function decodeEntryBundle(bytes: Uint8Array, count: number): Uint8Array[] | undefined {
    assertWidth(count)
    const entries: Uint8Array[] = []
    let at = 0
    while (entries.length < count) {
        const [high, low] = bytes.subarray(at, at + 2)
        if (high === undefined || low === undefined) return undefined
        const end = at + 2 + high * 256 + low
        entries.push(copyOf(bytes, at + 2, end))
        at = end
    }
    // Behind the end if the last entry is cut short.
    return at === bytes.length ? entries : undefined
}

/** `slice` of a Buffer is a view, which would keep the whole file alive and change with it. */
function copyOf(bytes: Uint8Array, begin: number, end: number): Uint8Array {
    return new Uint8Array(bytes.subarray(begin, end))
}
