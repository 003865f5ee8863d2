import { concatBytes, uint32, utf8 } from "./bytes.ts"

/** What a proof or a signature is about; each tag belongs to one list of parts, fixed in number and order. */
export type Context = { readonly tag: string; readonly parts: readonly Uint8Array[] }

/**
 * The bytes that are hashed or signed. Every length is written, the tag's too: no two lists of parts give the
 * same bytes, and no transcript is another one cut short or continued.
 */
export function transcript(tag: string, ...parts: readonly Uint8Array[]): Uint8Array {
    // Printable ASCII, so that no normalisation or second encoding of a tag exists.
    if (!/^[\x20-\x7e]+$/.test(tag)) throw new RangeError("a transcript's tag is printable ASCII")
    return concatBytes(...[utf8(tag), ...parts].flatMap((part) => [uint32(part.length), part]))
}
