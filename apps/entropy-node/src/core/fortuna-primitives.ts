import { createCipheriv, createHash } from "node:crypto"
import type { FortunaPrimitives } from "@tallylight/entropy/fortuna.js"

/** OpenSSL's AES-256, many blocks at a time, and SHA-256. */
export const fortunaPrimitives: FortunaPrimitives = {
    // Without an end, whose padding is of no use here: whole blocks come out at once.
    encryptBlocks: (key, blocks) => createCipheriv("aes-256-ecb", key, null).update(blocks),
    startHash() {
        const hash = createHash("sha256")
        return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
    },
}
