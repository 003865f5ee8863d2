/** What is told of the core's work as it happens, to whoever counts it. */
import type { SourceState } from "./node-core.ts"

/** Which test a source failed, where `self-test` is the device's own; or that its device did. */
export type SourceFailure = "device" | "self-test" | "startup" | "repetition" | "proportion"

export type Meter = {
    /** Raw bytes of that source. */
    readonly read: (source: string, bytes: number) => void
    readonly failed: (source: string, failure: SourceFailure) => void
    readonly changed: (source: string, state: SourceState) => void
    /** Whether the node gives bytes, whenever that changes. */
    readonly ready: (isReady: boolean) => void
    readonly reseeded: () => void
    /** Bytes that left: seeds for generators, raw ones, local values of pulses, a party's draws. */
    readonly gave: (what: "seed" | "raw" | "local-value" | "draw", bytes: number) => void
}

export const noMeter: Meter = {
    read: () => undefined,
    failed: () => undefined,
    changed: () => undefined,
    ready: () => undefined,
    reseeded: () => undefined,
    gave: () => undefined,
}
