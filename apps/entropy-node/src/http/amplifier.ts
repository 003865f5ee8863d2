/**
 * The generator of one serving process (Fortuna's, libs/entropy), fed with seeds of the node's pool. It has no timer:
 * whoever wants bytes first sees whether the seed is fresh. So a node whose sources failed gives nothing more as soon
 * as the seed is older than the setting allows, whichever process is asked.
 */
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { NotReady } from "../core/node-core.ts"
import type { GeneratorSeed, NodeCore } from "../core/node-core.ts"

/** What Fortuna's generator is to this file: gives nothing before its first seed. */
export type SeededGenerator = {
    readonly reseed: (seed: Uint8Array) => void
    /** At most 2^20 bytes at a time, after which it forgets the key that made them. */
    readonly read: (length: number) => Uint8Array
    /** The same in arrays of `most` bytes, a multiple of 16, and a last one. */
    readonly readPieces: (length: number, most: number) => readonly Uint8Array[]
}

export type ReseedLimits = { readonly ms: number; readonly bytes: number }

/** Of the seed in use: what answers say of their bytes. */
export type Seeded = Omit<GeneratorSeed, "seed"> & { readonly askedAt: number }

/** Milliseconds since this generator's seed was asked for, and since sources last reseeded the pool that gave it. */
export type Ages = { readonly generatorMs: number; readonly poolMs: number }

/** Fortuna's most bytes from one key (Ferguson, Schneier, Kohno, Cryptography Engineering §9.4.4). */
export const mostAtOnce = 2 ** 20

/** Small answers are cut from one piece of this size: a new key for each of them would cost more than its bytes. */
const pieceBytes = 16 * 1024
export const smallBytes = 2048

export class Amplifier {
    readonly #core: Pick<NodeCore, "seed">
    readonly #clock: Clock
    readonly #limits: ReseedLimits
    readonly #generator: SeededGenerator
    #seeded: Seeded | undefined
    /** Given since the last seed. */
    #given = 0
    #asking: Promise<Seeded> | undefined
    #piece: Uint8Array = new Uint8Array()
    #taken = 0

    constructor(
        core: Pick<NodeCore, "seed">,
        generator: SeededGenerator,
        limits: ReseedLimits,
        clock: Clock,
    ) {
        this.#core = core
        this.#generator = generator
        this.#limits = limits
        this.#clock = clock
    }

    /**
     * What is known of the seed, where it may still be used; undefined where {@link refresh} has to come first. Halfway
     * to that it asks for the next one already, so that nobody waits as long as requests come.
     */
    get fresh(): Seeded | undefined {
        const seeded = this.#seeded
        if (seeded === undefined) return undefined
        const age = this.#clock.elapsed() - seeded.askedAt
        const { ms, bytes } = this.#limits
        if (age >= ms || this.#given >= bytes) return undefined
        // Who comes next sees that there is no seed, where the node gives none; else this one is used until it is too old.
        if (age * 2 >= ms || this.#given * 2 >= bytes) this.refresh().catch(() => undefined)
        return seeded
    }

    ages({ askedAt, lastReseed }: Seeded): Ages {
        // Wall clocks are set back.
        const poolMs = Math.max(0, this.#clock.now() - lastReseed)
        return { generatorMs: this.#clock.elapsed() - askedAt, poolMs }
    }

    /**
     * Resolves with a new seed in use. Rejects with NotReady, and then the old one is not used any more; where it rejects
     * with anything else, nothing is known of the sources, and the old one is used as long as it is {@link fresh}.
     */
    refresh(): Promise<Seeded> {
        this.#asking ??= this.#reseed().finally(() => (this.#asking = undefined))
        return this.#asking
    }

    /** From 1 to {@link mostAtOnce} bytes that nobody else gets. Only while there is a {@link fresh} seed. */
    take(length: number): Uint8Array {
        this.#give(length)
        if (length > smallBytes) return this.#generator.read(length)
        if (this.#taken + length > this.#piece.length) {
            this.#piece = this.#generator.read(pieceBytes)
            this.#taken = 0
        }
        const bytes = this.#piece.slice(this.#taken, this.#taken + length)
        // What was given can then not be read out of this process's memory any more, once the answer is gone too.
        this.#piece.fill(0, this.#taken, this.#taken + length)
        this.#taken += length
        return bytes
    }

    /** As many, in arrays of `most` bytes, a multiple of 16, and a last one with what is left. */
    takePieces(length: number, most: number): readonly Uint8Array[] {
        this.#give(length)
        return this.#generator.readPieces(length, most)
    }

    #give(length: number): void {
        if (this.#seeded === undefined) throw new Error("bytes were taken of a generator without a seed")
        this.#given += length
    }

    async #reseed(): Promise<Seeded> {
        const askedAt = this.#clock.elapsed()
        try {
            const { seed, ...facts } = await this.#core.seed()
            this.#generator.reseed(seed)
            seed.fill(0)
            this.#forgetPiece()
            this.#given = 0
            this.#seeded = { ...facts, askedAt }
            return this.#seeded
        } catch (error) {
            if (error instanceof NotReady) {
                this.#seeded = undefined
                this.#forgetPiece()
            }
            throw error
        }
    }

    /** Made of the seed before, so nobody gets it. */
    #forgetPiece(): void {
        this.#piece.fill(0)
        this.#piece = new Uint8Array()
        this.#taken = 0
    }
}
