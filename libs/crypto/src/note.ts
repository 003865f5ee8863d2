// C2SP signed-note, with the Ed25519 signatures of signed-note (type 01) and of tlog-cosignature (type 04).
import {
    concatBytes,
    equalBytes,
    fromBase64,
    readUint64,
    toBase64,
    toHex,
    toUtf8,
    uint64,
    utf8,
} from "./bytes.ts"
import { ed25519PublicKey, ed25519Sign, ed25519Verify, isEd25519PublicKey } from "./ed25519.ts"
import { sha256 } from "./hash.ts"

export type NoteSignature = {
    readonly name: string
    readonly keyId: Uint8Array
    readonly signature: Uint8Array
}

export type Note = { readonly text: string; readonly signatures: readonly NoteSignature[] }

export type VerifierKey = {
    readonly name: string
    readonly type: typeof noteKey | typeof cosignatureKey
    readonly publicKey: Uint8Array
}

/** `time` is there for a cosignature, in seconds since the epoch. */
export type VerifiedSignature = { readonly name: string; readonly key: VerifierKey; readonly time?: number }

export const noteKey = 1
export const cosignatureKey = 4

// "Verifiers SHOULD apply a maximum limit […] but MUST accept at least up to 16 signatures."
const maxSignatures = 200
// In bytes, as golang.org/x/mod/sumdb/note has it.
const maxNoteLength = 1_000_000

export function parseNote(note: string | Uint8Array): Note | undefined {
    // A string has no more code units than bytes, so this bounds the work; the verdict is the same in both forms.
    if (note.length > maxNoteLength) return undefined
    const whole = typeof note === "string" ? note : toUtf8(note)
    if (whole === undefined || !isNoteText(whole) || utf8(whole).length > maxNoteLength) return undefined
    // "The text is separated from the signatures by the last empty line in the note."
    const end = whole.lastIndexOf("\n\n")
    if (end === -1) return undefined
    const lines = whole.slice(end + 2, -1).split("\n")
    if (lines.length > maxSignatures) return undefined
    const signatures = lines.map(parseSignatureLine)
    if (!signatures.every((signature) => signature !== undefined)) return undefined
    return { text: whole.slice(0, end + 1), signatures }
}

/** Throws on what would not parse to the same note. */
export function formatNote({ text, signatures }: Note): string {
    if (!isNoteText(text)) throw new Error("note text must end in a newline, without control characters")
    if (signatures.length === 0 || signatures.length > maxSignatures)
        throw new Error("a note takes 1 to 200 signatures")
    const note = `${text}\n${signatures.map(signatureLine).join("")}`
    if (utf8(note).length > maxNoteLength) throw new Error("the note is too long")
    return note
}

function parseSignatureLine(line: string): NoteSignature | undefined {
    const [dash, name, base64, ...rest] = line.split(" ")
    if (dash !== "—" || name === undefined || base64 === undefined || rest.length > 0) return undefined
    const bytes = fromBase64(base64)
    if (!isKeyName(name) || bytes === undefined || bytes.length <= 4) return undefined
    return { name, keyId: bytes.slice(0, 4), signature: bytes.slice(4) }
}

function signatureLine({ name, keyId, signature }: NoteSignature): string {
    if (!isKeyName(name)) throw new Error("a key name must not be empty or contain spaces or a plus sign")
    if (keyId.length !== 4 || signature.length === 0) throw new Error("malformed note signature")
    return `— ${name} ${toBase64(concatBytes(keyId, signature))}\n`
}

/** Whether these are lines, the last one ended, of characters that a note may contain. */
export function isNoteText(text: string): boolean {
    // "MUST be valid UTF-8 and MUST NOT contain any ASCII control characters […] other than newline."
    if (!text.endsWith("\n") || /\p{Surrogate}/u.test(text)) return false
    for (const character of text) if (character < " " && character !== "\n") return false
    return true
}

function isKeyName(name: string): boolean {
    return name !== "" && !/[\p{White_Space}+]/u.test(name) && isNoteText(`${name}\n`)
}

export function keyId({ name, type, publicKey }: VerifierKey): Uint8Array {
    return sha256(concatBytes(utf8(name), utf8("\n"), Uint8Array.of(type), publicKey)).slice(0, 4)
}

export function formatVerifierKey(key: VerifierKey): string {
    const encoded = toBase64(concatBytes(Uint8Array.of(key.type), key.publicKey))
    return `${key.name}+${toHex(keyId(key))}+${encoded}`
}

export function parseVerifierKey(vkey: string): VerifierKey | undefined {
    const [name, , ...encoded] = vkey.split("+")
    const bytes = fromBase64(encoded.join("+"))
    if (name === undefined || !isKeyName(name) || bytes === undefined) return undefined
    const [type] = bytes
    const publicKey = bytes.slice(1)
    if ((type !== noteKey && type !== cosignatureKey) || !isEd25519PublicKey(publicKey)) return undefined
    const key: VerifierKey = { name, type, publicKey }
    // The key id is redundant: it must be the right one, in lower case.
    return formatVerifierKey(key) === vkey ? key : undefined
}

export function signNote(text: string, signer: { readonly name: string; readonly seed: Uint8Array }): string {
    const key: VerifierKey = { name: signer.name, type: noteKey, publicKey: ed25519PublicKey(signer.seed) }
    const signature = ed25519Sign(signer.seed, utf8(text))
    return formatNote({ text, signatures: [{ name: key.name, keyId: keyId(key), signature }] })
}

/** Checks nothing that the cosignature states: whoever cosigns has verified the checkpoint before. */
export function addCosignature(
    note: string,
    signer: { readonly name: string; readonly seed: Uint8Array; readonly time: number },
): string {
    const parsed = parseNote(note)
    if (parsed === undefined) throw new Error("cannot cosign a malformed note")
    const { name, seed, time } = signer
    const key: VerifierKey = { name, type: cosignatureKey, publicKey: ed25519PublicKey(seed) }
    const signature = concatBytes(uint64(time), ed25519Sign(seed, cosignedMessage(parsed.text, time)))
    return formatNote({
        text: parsed.text,
        signatures: [...parsed.signatures, { name, keyId: keyId(key), signature }],
    })
}

function cosignedMessage(text: string, time: number): Uint8Array {
    return utf8(`cosignature/v1\ntime ${time}\n${text}`)
}

/**
 * Returns undefined unless a known key signed, and no signature by a known key is bad. `verified` has each key
 * once, however often it signed, so its length counts keys: a quorum may rely on it.
 */
export function openNote(
    note: string | Uint8Array,
    verifiers: readonly VerifierKey[],
): { readonly text: string; readonly verified: readonly VerifiedSignature[] } | undefined {
    const parsed = parseNote(note)
    if (parsed === undefined) return undefined
    const known = verifiers.map((key) => ({ key, id: keyId(key) }))
    const verified = new Map<VerifierKey, VerifiedSignature>()
    for (const line of parsed.signatures) {
        const key = known.find(({ key, id }) => key.name === line.name && equalBytes(id, line.keyId))?.key
        // "Verifiers MUST ignore signatures from unknown keys, even if they share a name or ID."
        if (key === undefined) continue
        const signature = verifySignature(parsed.text, line.signature, key)
        if (signature === undefined) return undefined
        if (!verified.has(key)) verified.set(key, signature)
    }
    return verified.size === 0 ? undefined : { text: parsed.text, verified: [...verified.values()] }
}

function verifySignature(
    text: string,
    signature: Uint8Array,
    key: VerifierKey,
): VerifiedSignature | undefined {
    const { name, type, publicKey } = key
    if (type === noteKey) return ed25519Verify(publicKey, utf8(text), signature) ? { name, key } : undefined
    const time = readUint64(signature.subarray(0, 8))
    if (time === undefined) return undefined
    const message = cosignedMessage(text, time)
    return ed25519Verify(publicKey, message, signature.subarray(8)) ? { name, key, time } : undefined
}
