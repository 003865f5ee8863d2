// C2SP tlog-checkpoint: the signed head of a log.
import { fromBase64, toBase64 } from "./bytes.ts"
import { isHash } from "./merkle.ts"
import { isNoteText, noteKey, openNote, signNote } from "./note.ts"

export type Checkpoint = { readonly origin: string; readonly size: number; readonly root: Uint8Array }

/** Without extension lines: "The use of extension lines is NOT RECOMMENDED." */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
    const text = `${origin}\n${size}\n${toBase64(root)}\n`
    if (parseCheckpoint(text)?.origin !== origin)
        throw new Error("no well-formed checkpoint has these values")
    return text
}

/** Extension lines are allowed and dropped: whoever needs the exact text keeps the note. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
    if (!isNoteText(text)) return undefined
    // "At least three non-empty lines."
    const lines = text.slice(0, -1).split("\n")
    if (lines.includes("")) return undefined
    const [origin, decimal, base64] = lines
    if (origin === undefined || decimal === undefined || base64 === undefined) return undefined
    const size = Number(decimal)
    const root = fromBase64(base64)
    if (!/^(0|[1-9][0-9]*)$/.test(decimal) || !Number.isSafeInteger(size)) return undefined
    if (root === undefined || !isHash(root)) return undefined
    return { origin, size, root }
}

/** "The log's key name in its signature line SHOULD match the origin line": here it does. */
export function signCheckpoint(checkpoint: Checkpoint, seed: Uint8Array): string {
    return signNote(formatCheckpoint(checkpoint), { name: checkpoint.origin, seed })
}

/** A witness's cosignature does not stand in for the log's own signature. */
export function openCheckpoint(
    note: string | Uint8Array,
    log: { readonly origin: string; readonly publicKey: Uint8Array },
): Checkpoint | undefined {
    const opened = openNote(note, [{ name: log.origin, type: noteKey, publicKey: log.publicKey }])
    if (opened === undefined) return undefined
    const checkpoint = parseCheckpoint(opened.text)
    return checkpoint?.origin === log.origin ? checkpoint : undefined
}
