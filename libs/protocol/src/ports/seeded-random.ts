import { concatBytes, uint64, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"

import type { Random } from "./clock.ts"

/** The same bytes for the same seed, for tests; anyone who knows the seed knows them all. */
export function seededRandom(seed: string): Random {
    let counter = 0
    let pool = new Uint8Array(0)
    return (length) => {
        while (pool.length < length) pool = new Uint8Array(concatBytes(pool, block(seed, counter++)))
        const drawn = pool.slice(0, length)
        pool = pool.slice(length)
        return drawn
    }
}

function block(seed: string, counter: number): Uint8Array {
    return sha512(concatBytes(uint64(counter), utf8(seed)))
}
