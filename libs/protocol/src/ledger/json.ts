/** Entries for people and web pages: bytes become lower-case hex, everything else stays what it is. */
import { toHex } from "@tallylight/crypto/bytes.js"

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

export function toJson(value: unknown): Json {
    if (value instanceof Uint8Array) return toHex(value)
    if (Array.isArray(value)) return value.map(toJson)
    if (typeof value === "object" && value !== null)
        return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, toJson(field)]))
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value
    if (value === null || value === undefined) return null
    throw new TypeError(`no JSON for a ${typeof value}`)
}
