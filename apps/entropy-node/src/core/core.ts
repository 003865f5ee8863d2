/** What the process that has the devices is made of, and what it gives to others in the same process. */
import type { SampleBits } from "@tallylight/entropy/cutoffs.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import type { Logger } from "@tallylight/node/logger.js"
import type { Clock, Random, UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { SourceDriver } from "../sources/source.ts"
import type { Meter } from "./meter.ts"
import type { NodeCore, SourceStatus } from "./node-core.ts"
import type { CoreSettings } from "./settings.ts"

export type ConfiguredSource = {
    /** Unique in the node. */
    readonly name: string
    readonly driver: SourceDriver
    /** The same for two names of one device, as far as the configuration tells; absent where it tells nothing. */
    readonly device?: string | undefined
    /** Declared bits of min-entropy per sample of `sampleBits` bits. */
    readonly minEntropy: number
    readonly sampleBits: SampleBits
}

export type CoreOptions = {
    readonly settings: CoreSettings
    /** Those that count, at most 255. */
    readonly sources: readonly ConfiguredSource[]
    /** The operating system's: always mixed in, never counted, and none of its bytes is raw. */
    readonly system: SourceDriver
    readonly dir: Pick<DataDir, "file">
    /** Shown in the status. */
    readonly identity: string
    readonly clock: Clock
    /** For the pauses between attempts to open a device. */
    readonly random: Random
    readonly log: Logger
    readonly meter?: Meter
    /** A failure that is no device's: the process must end, and start from what the disk has. */
    readonly onFault: (error: unknown) => void
}

/** A pulse's localRandomValue. */
export type LocalValue = {
    /** 64 bytes. */
    readonly value: Uint8Array
    /** Whose fresh bytes are in it: at least two, of which the operating system may be one. */
    readonly sources: readonly string[]
    readonly simulated: boolean
}

/** Bytes for a party's point, and what its statement says of where they come from. */
export type DrawnBytes = {
    /** 64 bytes of the pool's output. */
    readonly bytes: Uint8Array
    readonly time: UnixMs
    /** All of them, the operating system's last. */
    readonly sources: readonly SourceStatus[]
    readonly simulated: boolean
}

export interface Core extends NodeCore {
    /** Opens the sources, and keeps at it; once. */
    start(): void
    /** Resolves when the devices and files are closed, and the seed file is a new one. */
    stop(): Promise<void>
    /** Rejects with {@link NotReady}. */
    localValue(): Promise<LocalValue>
    /** Rejects with {@link NotReady}. */
    draw(): Promise<DrawnBytes>
}

/** What the operating system's source is called. */
export const systemName = "system"
