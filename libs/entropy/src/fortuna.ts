/**
 * Fortuna's generator (Ferguson, Schneier, Kohno, Cryptography Engineering §9.4): AES-256 over a 128-bit little-endian
 * counter, with a new key after each request, so that whoever takes the state later learns nothing of earlier output.
 *
 * The variant: SHAd256(m) = SHA-256(SHA-256(m)), without the block of zeros that later editions put before m.
 */
import { concatBytes } from "@tallylight/crypto/bytes.js"

/** The two primitives; on Node, OpenSSL's. */
export type FortunaPrimitives = {
    /** AES-256 under that key, of each block of 16 bytes by itself (ECB), into fresh memory that nobody else has. */
    readonly startCipher: (key: Uint8Array) => (blocks: Uint8Array) => Uint8Array
    /** A running SHA-256. */
    readonly startHash: () => RunningHash
}

export type RunningHash = {
    readonly update: (bytes: Uint8Array) => void
    /** Ends it. */
    readonly digest: () => Uint8Array
}

/** The generator has no seed yet, and gives nothing rather than what anybody could compute. */
export class NotSeeded extends Error {
    override readonly name = "NotSeeded"

    constructor() {
        super("the generator has not been seeded")
    }
}

/** Beyond it, output of one key would differ from chance: blocks of a cipher never repeat. */
export const longestRequest = 2 ** 20

const blockBytes = 16
const keyBytes = 32

export class FortunaGenerator {
    readonly #primitives: FortunaPrimitives
    readonly #blocks = new CounterBlocks()
    #key: Uint8Array = new Uint8Array(keyBytes)
    /** Below 2^128; zero before the first seed. */
    #counter = 0n

    constructor(primitives: FortunaPrimitives) {
        this.#primitives = primitives
    }

    get seeded(): boolean {
        return this.#counter !== 0n
    }

    /** Mixes a seed of any length into the key. What was secret in either stays secret. */
    reseed(seed: Uint8Array): void {
        this.#key = doubleHash(this.#primitives, concatBytes(this.#key, seed))
        this.#counter += 1n
    }

    /** From 0 to {@link longestRequest} bytes; throws {@link NotSeeded}. */
    read(length: number): Uint8Array {
        const [whole = new Uint8Array()] = this.readPieces(length, longestRequest)
        // A cipher may give Node's Buffers, whose `slice` is a view: whoever took a slice and wiped the rest would wipe
        // the slice.
        return new Uint8Array(whole.buffer, whole.byteOffset, whole.length)
    }

    /**
     * The same bytes as {@link read} gives, in arrays of `most` bytes, a multiple of 16, and a last one with what is
     * left, all as the cipher makes them. Large requests are made faster so, as pieces stay in a core's cache.
     */
    readPieces(length: number, most: number): readonly Uint8Array[] {
        if (!this.seeded) throw new NotSeeded()
        if (length > longestRequest) {
            throw new RangeError(`at most ${longestRequest} bytes are generated at a time, not ${length}`)
        }
        if (most <= 0 || most % blockBytes !== 0) throw new RangeError("pieces are of whole blocks")
        const encrypt = this.#primitives.startCipher(this.#key)
        const next = (blocks: number): Uint8Array => {
            const output = encrypt(this.#blocks.from(this.#counter, blocks))
            this.#counter += BigInt(blocks)
            return output
        }
        const pieces: Uint8Array[] = []
        let left = length
        for (; left > most; left -= most) pieces.push(next(most / blockBytes))
        const blocks = Math.ceil(left / blockBytes)
        const last = next(blocks + keyBytes / blockBytes)
        this.#key = Uint8Array.from(last.subarray(blocks * blockBytes))
        // The caller gets a view of the same memory.
        last.fill(0, left)
        pieces.push(last.subarray(0, left))
        return pieces
    }
}

/** SHAd256, which unlike SHA-256 does not let anybody continue a message whose hash he knows. */
export function doubleHash({ startHash }: FortunaPrimitives, ...parts: readonly Uint8Array[]): Uint8Array {
    const inner = startHash()
    for (const part of parts) inner.update(part)
    return hashAgain(startHash, inner)
}

/** The second hash of SHAd256, over what a running one has come to. */
export function hashAgain(startHash: FortunaPrimitives["startHash"], inner: RunningHash): Uint8Array {
    const outer = startHash()
    outer.update(inner.digest())
    return outer.digest()
}

/**
 * The blocks that are encrypted. Their memory is kept: to get it anew each time would cost as much as AES does, and so
 * would writing the upper 96 bits of every block, which change once in 2^32 blocks.
 */
export class CounterBlocks {
    #words = new Uint32Array(0)
    /** The upper 96 bits of all blocks in memory; undefined where they differ. */
    #upper: bigint | undefined

    /** Good until the next call. */
    from(first: bigint, count: number): Uint8Array {
        const length = count * wordsPerBlock
        if (this.#words.length < length) {
            this.#words = new Uint32Array(length)
            this.#upper = 0n
        }
        const upper = first >> 32n
        const lower = Number(first & 0xffffffffn)
        if (lower + count > 2 ** 32) this.#carried(first, count)
        else {
            if (upper !== this.#upper) this.#setUpper(upper)
            this.#setLower(lower, length)
        }
        return new Uint8Array(this.#words.buffer, 0, count * blockBytes)
    }

    #setLower(first: number, length: number): void {
        const words = this.#words
        // Of 32 bits throughout: beyond 2^31 it would be counted in floating point.
        let lower = first | 0
        for (let at = 0; at < length; at += wordsPerBlock) {
            words[at] = littleEndian(lower)
            lower = (lower + 1) | 0
        }
    }

    #setUpper(upper: bigint): void {
        const [middle, high, highest] = [0n, 32n, 64n].map((shift) => word(upper >> shift))
        for (let at = 0; at < this.#words.length; at += wordsPerBlock)
            this.#words.set([middle ?? 0, high ?? 0, highest ?? 0], at + 1)
        this.#upper = upper
    }

    /** Where the lower 32 bits overflow on the way. */
    #carried(first: bigint, count: number): void {
        for (let block = 0; block < count; block += 1) {
            const words = [0n, 32n, 64n, 96n].map((shift) => word((first + BigInt(block)) >> shift))
            this.#words.set(words, block * wordsPerBlock)
        }
        this.#upper = undefined
    }
}

const wordsPerBlock = 4

/** The lower 32 bits, as they lie in memory. */
function word(value: bigint): number {
    return littleEndian(Number(value & 0xffffffffn))
}

const isLittleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1

/** A word of this machine's byte order whose bytes in memory are little-endian. */
function littleEndian(value: number): number {
    if (isLittleEndian) return value
    return ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)
}
