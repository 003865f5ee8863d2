/** How bytes are written in an answer. */
import { Buffer } from "node:buffer"

export const encodings = ["raw", "hex", "base64"] as const
export type Encoding = (typeof encodings)[number]

export const mediaTypes: Readonly<Record<Encoding, string>> = {
    raw: "application/octet-stream",
    hex: "text/plain; charset=utf-8",
    base64: "text/plain; charset=utf-8",
}

/** Of so many bytes, once written. Base64 as in RFC 4648 §4, with padding. */
export function encodedLength(encoding: Encoding, bytes: number): number {
    if (encoding === "raw") return bytes
    return encoding === "hex" ? 2 * bytes : 4 * Math.ceil(bytes / 3)
}

export function encoded(encoding: Encoding, bytes: Uint8Array): Uint8Array | string {
    if (encoding === "raw") return bytes
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(encoding)
}

/** The bytes as text of one character each. */
export function latin1(bytes: Uint8Array): string {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")
}
