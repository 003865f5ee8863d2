/**
 * What is asked of the pulses that a node has published: directly, or through messages from the processes that serve
 * HTTP. Everything that crosses is plain data.
 */
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Pulse } from "@tallylight/protocol/pulse/pulse.js"

export type PublishedPulse = {
    readonly pulse: Pulse
    /** Whether its key, or a source of its local random value, is none of hardware. */
    readonly simulated: boolean
    /** Of the beacon that it signs; in a periodic chain the pulse's index. */
    readonly slot: number
}

export type PulseTime = "at-or-next" | "next" | "previous"

/** A list that has more pulses is not made: whoever wants them asks for parts of it. */
export const mostPulses = 1440

export class TooManyPulses extends Error {
    override readonly name = "TooManyPulses"
}

/**
 * Times are looked for, and the last chain is, among the periodic chains; in a node that has none, among all. What
 * there is none of is undefined.
 */
export interface PulseReader {
    /** The last one of that chain, or of the last chain. */
    last(chain: number | "last"): Promise<PublishedPulse | undefined>
    /** Of every chain that has one, in the order of their numbers. */
    lastOfEach(): Promise<readonly PublishedPulse[]>
    at(chain: number, index: number): Promise<PublishedPulse | undefined>
    byTime(time: UnixMs, which: PulseTime): Promise<PublishedPulse | undefined>
    /**
     * The fewest pulses through which links lead from the one of index `to` back to that of index `from`, both
     * included, oldest first. Rejects with {@link TooManyPulses}.
     */
    skipList(chain: number, from: number, to: number): Promise<readonly PublishedPulse[] | undefined>
    /** The same from the pulse at or next after one time to that at or next after another. */
    skipListByTime(from: UnixMs, to: UnixMs): Promise<readonly PublishedPulse[] | undefined>
    /** All between the times, both included, oldest first. Rejects with {@link TooManyPulses}. */
    between(from: UnixMs, to: UnixMs): Promise<readonly PublishedPulse[]>
    /** The DER of the certificate with that SHA-512. */
    certificate(id: Uint8Array): Promise<Uint8Array | undefined>
    /** The text with that SHA-512, which says what `external` is. */
    externalSource(id: Uint8Array): Promise<string | undefined>
}
