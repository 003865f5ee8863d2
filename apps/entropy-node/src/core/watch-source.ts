/** What becomes of one source's bytes: some of each chunk go to the pool, the others to readers of raw bytes. */
import { healthCutoffs, UnusableSettings } from "@tallylight/entropy/cutoffs.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { AlarmBook } from "./alarms.ts"
import type { ConfiguredSource, CoreOptions } from "./core.ts"
import type { Meter } from "./meter.ts"
import type { SourceState } from "./node-core.ts"
import type { Pool } from "./pool.ts"
import type { RawQueue } from "./raw-queue.ts"
import { WatchedSource, type SourceUse } from "./watched-source.ts"

/** Of each chunk so many bytes go to the pool, as two events, and the others to readers of raw bytes. */
const poolShare = 64

export type Destination = Pick<CoreOptions, "settings" | "clock" | "random" | "log"> & {
    readonly alarms: Pick<AlarmBook, "add">
    readonly queue: RawQueue
    readonly pool: Pick<Pool, "admit" | "stream">
    readonly meter: Meter
    readonly onChanged: (source: string, state: SourceState, reason: string) => void
}

/** `index` is its place among the pool's sources: 0 is the operating system's, of which there are no raw bytes. */
export function watchSource(source: ConfiguredSource, index: number, to: Destination): WatchedSource {
    const { settings, clock, random } = to
    return new WatchedSource({
        ...source,
        cutoffs: cutoffsOf(source, settings.health.alphaExponent),
        startupSamples: settings.health.startupSamples,
        retry: settings.retry,
        clock,
        random,
        use: useOf(source, index, to),
    })
}

export function useOf(
    { name, driver: { simulated } }: ConfiguredSource,
    index: number,
    { settings: { pace }, clock, log, alarms, queue, pool, meter, onChanged }: Destination,
): SourceUse {
    const events = pool.stream(index)
    const isRaw = index > 0
    return {
        admit: (samples) => pool.admit(samples),
        demand() {
            if (!isRaw || queue.room === 0) return { bytes: poolShare, perSecond: pace.idleBytesPerSecond }
            const bytes = poolShare + Math.min(queue.settings.chunk, queue.room)
            return { bytes, perSecond: pace.bytesPerSecond }
        },
        async take(bytes) {
            // A byte has one consumer: whoever buys raw bytes does not know what went into the pool.
            events.add(bytes.subarray(0, poolShare))
            if (isRaw && bytes.length > poolShare) {
                await queue.put({ bytes: bytes.subarray(poolShare), source: name, simulated })
            }
        },
        count: (bytes) => meter.read(name, bytes),
        changed: (state, reason) => onChanged(name, state, reason),
        alarm: async (failure, what) => {
            meter.failed(name, failure)
            log.warn({ source: name, failure, reason: what }, "source failed")
            const time = clock.now()
            // A test notices late: what came before the samples with which it failed is no better. A device that is
            // gone says nothing of the bytes that it gave.
            const dropped = isRaw && failure !== "device" ? await queue.drop(name) : 0
            const said = dropped > 0 ? `${what}; ${dropped} raw bytes of it that waited were deleted` : what
            await alarms.add({ time, source: name, what: said })
        },
    }
}

function cutoffsOf({ name, sampleBits, minEntropy }: ConfiguredSource, alphaExponent: number) {
    try {
        return healthCutoffs({ sampleBits, minEntropy, alphaExponent })
    } catch (error) {
        if (!(error instanceof UnusableSettings)) throw error
        throw new UserError(`source ${name}: ${error.message}`)
    }
}
