/**
 * Fortuna's accumulator (Cryptography Engineering §9.5): 32 pools that fill evenly, of which the ith is used once in 2^i
 * reseeds. Whoever knows or makes most of the events still cannot follow for long: some pool gathers enough of the rest
 * before it is spent, without anybody having to estimate how much that is.
 */
import { concatBytes } from "@tallylight/crypto/bytes.js"

import { FortunaGenerator, hashAgain, type FortunaPrimitives, type RunningHash } from "./fortuna.ts"

export const poolCount = 32
export const longestEvent = 32

export type AccumulatorSettings = {
    /** MINPOOLSIZE: bytes in pool 0 before it is used, with the two that head each event. pycrypto has 64. */
    readonly minPoolSize: number
    /** Between reseeds, so that the pools are not spent faster than they fill: 100 in the book. */
    readonly reseedIntervalMs: number
}

export const bookSettings: AccumulatorSettings = { minPoolSize: 64, reseedIntervalMs: 100 }

type Pool = { hash: RunningHash; size: number }

export class Accumulator {
    /** Also reseeded from outside: by a seed file, by a start-up test's samples. */
    readonly generator: FortunaGenerator
    readonly #primitives: FortunaPrimitives
    readonly #settings: AccumulatorSettings
    readonly #pools: Pool[]
    #reseeds = 0
    #reseededAt = -Infinity

    constructor(primitives: FortunaPrimitives, settings: AccumulatorSettings = bookSettings) {
        this.#primitives = primitives
        this.#settings = settings
        this.generator = new FortunaGenerator(primitives)
        this.#pools = Array.from({ length: poolCount }, () => this.#emptyPool())
    }

    /** ReseedCnt: how often the pools have reseeded the generator. */
    get reseeds(): number {
        return this.#reseeds
    }

    /** Adds from 1 to 32 bytes of that source, 0 to 255, to that pool. A source goes through the pools in turn. */
    addEvent(source: number, pool: number, data: Uint8Array): void {
        const filling = this.#pools[pool]
        if (filling === undefined || data.length === 0 || data.length > longestEvent || source > 0xff) {
            throw new RangeError(`no event of source ${source} with ${data.length} bytes for pool ${pool}`)
        }
        filling.hash.update(Uint8Array.of(source, data.length))
        filling.hash.update(data)
        filling.size += 2 + data.length
    }

    /** Reseeds if pool 0 is full enough and the last time is long enough ago; `elapsed` in milliseconds, never less than before. */
    reseedIfDue(elapsed: number): boolean {
        const { minPoolSize, reseedIntervalMs } = this.#settings
        const full = (this.#pools[0]?.size ?? 0) >= minPoolSize
        if (!full || elapsed - this.#reseededAt < reseedIntervalMs) return false
        this.#reseeds += 1
        this.#reseededAt = elapsed
        const used = this.#pools.map((pool, i) => (this.#reseeds % 2 ** i === 0 ? this.#spend(pool) : []))
        this.generator.reseed(concatBytes(...used.flat()))
        return true
    }

    /** RandomData: reseeds where it is due; throws NotSeeded. */
    read(length: number, elapsed: number): Uint8Array {
        this.reseedIfDue(elapsed)
        return this.generator.read(length)
    }

    #spend(pool: Pool): Uint8Array[] {
        const digest = hashAgain(this.#primitives.startHash, pool.hash)
        Object.assign(pool, this.#emptyPool())
        return [digest]
    }

    #emptyPool(): Pool {
        return { hash: this.#primitives.startHash(), size: 0 }
    }
}

/** What one source adds: any number of bytes, cut into events that go through the pools in turn. */
export class EventStream {
    readonly #accumulator: Accumulator
    readonly #source: number
    #pool = 0

    constructor(accumulator: Accumulator, source: number) {
        this.#accumulator = accumulator
        this.#source = source
    }

    add(bytes: Uint8Array): void {
        for (let at = 0; at < bytes.length; at += longestEvent) {
            this.#accumulator.addEvent(this.#source, this.#pool, bytes.subarray(at, at + longestEvent))
            this.#pool = (this.#pool + 1) % poolCount
        }
    }
}
