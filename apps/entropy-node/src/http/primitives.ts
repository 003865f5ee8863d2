/** What Fortuna's generator is made of, from OpenSSL. */
import { createCipheriv, createHash } from "node:crypto"
import type { FortunaPrimitives } from "@tallylight/entropy/fortuna.js"

export const opensslPrimitives: FortunaPrimitives = {
    encryptBlocks(key, blocks) {
        const cipher = createCipheriv("aes-256-ecb", key, null)
        cipher.setAutoPadding(false)
        // A plain array: a Buffer's slice would be a view where every other one's is a copy.
        const { buffer, byteOffset, byteLength } = cipher.update(blocks)
        return new Uint8Array(buffer, byteOffset, byteLength)
    },
    startHash() {
        const hash = createHash("sha256")
        return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
    },
}
