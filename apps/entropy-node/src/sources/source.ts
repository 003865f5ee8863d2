/** What every driver gives: raw bytes of one device, in the order in which the device made them. */
import type { SourceKind } from "@tallylight/protocol/round/statement.js"

export { sourceKinds } from "@tallylight/protocol/round/statement.js"
export type { SourceKind } from "@tallylight/protocol/round/statement.js"

/** What a device says of itself, for status and statements: serial number, revision, lock state. */
export type SourceFacts = Readonly<Record<string, string | number | boolean>>

/**
 * A device says itself that its random bytes are none: a verdict, like a health test's, on those that it has given too.
 * Any other error of a device says nothing of them.
 */
export class SourceCondemned extends Error {
    override readonly name = "SourceCondemned"
}

/**
 * A device that can be opened. One that is not there rejects `open` with a UserError, whose sentence says what is
 * wrong and what to do; nothing ever takes its place. {@link SourceCondemned} as for a source.
 */
export type SourceDriver = {
    readonly kind: SourceKind
    /** Whether nothing of it is hardware. It is then said wherever its bytes appear. */
    readonly simulated: boolean
    readonly open: (signal: AbortSignal) => Promise<Source>
}

/**
 * An open device. A call that rejects leaves it unusable: its owner closes it and opens it again later. One call at a
 * time.
 */
export interface Source {
    readonly facts: SourceFacts
    /**
     * From 1 to `length` fresh raw bytes, which the device gives to nobody else. Rejects where it fails, is gone, says
     * nothing for longer than its driver allows, or answers what it cannot have meant; with {@link SourceCondemned} where it
     * finds itself at fault.
     */
    read(length: number, signal: AbortSignal): Promise<Uint8Array>
    close(): Promise<void>
}
