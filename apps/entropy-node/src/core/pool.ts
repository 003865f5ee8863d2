/** The node's Fortuna: what all sources are mixed into, and a seed file that carries some of it to the next start. */
import { readIfThere, writeDurably } from "@tallylight/node/durable-file.js"
import { UserError } from "@tallylight/node/user-error.js"
import { Accumulator, EventStream, type AccumulatorSettings } from "@tallylight/entropy/accumulator.js"
import type { Clock, UnixMs } from "@tallylight/protocol/ports/clock.js"
import { fortunaPrimitives } from "./fortuna-primitives.ts"

const seedBytes = 64

export type PoolOptions = {
    readonly settings: AccumulatorSettings
    readonly clock: Clock
    /** Path of the seed file. */
    readonly seedFile: string
    readonly onReseed: () => void
}

export class Pool {
    readonly #options: PoolOptions
    readonly #accumulator: Accumulator
    #admissions = 0
    #lastReseed: UnixMs | null = null

    private constructor(options: PoolOptions) {
        this.#options = options
        this.#accumulator = new Accumulator(fortunaPrimitives, options.settings)
    }

    /**
     * Mixes the seed file in, where there is one. It is replaced before anything is given out, so that no two runs
     * ever begin with the same; and it alone seeds nobody, since whoever copied the disk has it.
     */
    static async open(options: PoolOptions): Promise<Pool> {
        const pool = new Pool(options)
        const seed = await readIfThere(options.seedFile)
        if (seed === undefined) return pool
        if (seed.length !== seedBytes) {
            throw new UserError(
                `${options.seedFile} has ${seed.length} bytes and should have ${seedBytes}; delete it, sources make a new one`,
            )
        }
        pool.#accumulator.generator.reseed(seed)
        await pool.writeSeedFile()
        return pool
    }

    /** By the pools, and by sources that were let in. */
    get reseeds(): number {
        return this.#accumulator.reseeds + this.#admissions
    }

    get lastReseed(): UnixMs | null {
        return this.#lastReseed
    }

    /**
     * The samples of a start-up test that was passed (SP 800-90B §4.3 lets them be used) reseed the generator at once:
     * no output of a ready node is without any of the sources that make it ready.
     */
    admit(samples: Uint8Array): void {
        this.#accumulator.generator.reseed(samples)
        this.#admissions += 1
        this.#reseeded()
    }

    /** For what a source gives from then on; `source` from 0 to 255. */
    stream(source: number): { readonly add: (bytes: Uint8Array) => void } {
        const events = new EventStream(this.#accumulator, source)
        return {
            add: (bytes) => {
                events.add(bytes)
                this.#reseedIfDue()
            },
        }
    }

    /** Throws NotSeeded. */
    read(length: number): Uint8Array {
        this.#reseedIfDue()
        return this.#accumulator.generator.read(length)
    }

    /** A new one, if there is anything to make it of; durable once it resolves. */
    async writeSeedFile(): Promise<void> {
        if (!this.#accumulator.generator.seeded) return
        await writeDurably(this.#options.seedFile, this.read(seedBytes), 0o600)
    }

    #reseedIfDue(): void {
        if (this.#accumulator.reseedIfDue(this.#options.clock.elapsed())) this.#reseeded()
    }

    #reseeded(): void {
        this.#lastReseed = this.#options.clock.now()
        this.#options.onReseed()
    }
}
