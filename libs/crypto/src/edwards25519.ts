import { ed25519 } from "@noble/curves/ed25519.js"

export const Edwards = ed25519.Point
export type Edwards = InstanceType<typeof Edwards>

/** RFC 8032 §5.1.3, canonical: y < p, and no sign bit where x = 0. Torsion and small orders decode. */
export function decodeEdwards(bytes: Uint8Array): Edwards | undefined {
    try {
        return Edwards.fromBytes(bytes)
    } catch {
        return undefined
    }
}
