/** Everything about the core that can be configured, with its default and the reason for it. */
import { z } from "zod"

const ms = z.int().min(1).max(0x7fffffff)

export const queueCapacity = z
    .int()
    .min(1024)
    .max(2 ** 30)

export const queueChunk = z.int().min(32).max(65_536)

/** What may be set over the API too, and then goes before what is configured. */
export const queueSettings = z.strictObject({
    /** Most raw bytes that wait: four of the longest reads. A smaller one that is set drops the oldest. */
    capacity: queueCapacity.default(4 * 2 ** 20),
    /** Raw bytes that are read at a time while there is room. A slow device gives as many as half a second brings. */
    chunk: queueChunk.default(4096),
})

export const consumption = z.enum(["once", "keep"])

export const coreSettings = z.strictObject({
    /** Below so many sources that count, the node gives nothing. The operating system's does not count. */
    minimumHealthySources: z.int().min(1).default(1),
    health: z
        .strictObject({
            /** A sound source fails a test by chance with a probability of 2^-30, each time: SP 800-90B wants 20 to 40. */
            alphaExponent: z.int().min(20).max(40).default(30),
            /** Consecutive samples of a start-up test; SP 800-90B §4.3 wants 1024. */
            startupSamples: z.int().min(1024).max(1_048_576).multipleOf(8).default(1024),
        })
        .prefault({}),
    queue: queueSettings.prefault({}),
    /** `once`: a byte leaves with its first reader. `keep`: bytes stay, and every answer says so. */
    consumption: consumption.default("once"),
    pace: z
        .strictObject({
            /** Raw bytes per second of one source at most, while the queue has room. */
            bytesPerSecond: z.number().min(32).default(65_536),
            /** The same while only the pool takes them, so that an idle node wakes four times a second. */
            idleBytesPerSecond: z.number().min(1).default(256),
        })
        .prefault({}),
    pool: z
        .strictObject({
            /** Fortuna's MINPOOLSIZE, with the two bytes that head each event of up to 32. */
            minPoolSize: z.int().min(32).default(64),
            /** The least between reseeds: ten a second, however fast pool 0 fills. */
            reseedIntervalMs: ms.min(100).default(100),
        })
        .prefault({}),
    seedFile: z.strictObject({ rewriteMs: ms.default(600_000) }).prefault({}),
    /** Pauses before a source that failed is opened again: the shortest, doubled each time up to the longest. */
    retry: z.strictObject({ baseMs: ms.default(1000), maxMs: ms.default(60_000) }).prefault({}),
})

export type CoreSettings = z.output<typeof coreSettings>
