import { createCipheriv, createHash } from "node:crypto"
import type { FortunaPrimitives } from "@tallylight/entropy/fortuna.js"

/** OpenSSL's AES-256, many blocks at a time, and SHA-256. */
export const fortunaPrimitives: FortunaPrimitives = {
    startCipher(key) {
        // Without an end, whose padding is of no use here: whole blocks come out at once.
        const cipher = createCipheriv("aes-256-ecb", key, null)
        return (blocks) => cipher.update(blocks)
    },
    startHash() {
        const hash = createHash("sha256")
        return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
    },
}
