export type CloseReason = { readonly code: number; readonly reason: string }

/** RFC 6455 §7.4: 1xxx as registered there, 4xxx are ours (PROTOCOL.md §8.4). */
export const closeCodes = {
    done: 1000,
    goingAway: 1001,
    malformed: 1007,
    policy: 1008,
    oversized: 1009,
    fault: 1011,
    slowReader: 4001,
    silent: 4002,
} as const

/**
 * One reliable, ordered, two-way stream of binary frames.
 *
 * `send` hands the frame over at once, before any later `close`, and resolves once the transport can take the next
 * one, so a caller that awaits it never queues more than one frame beyond the transport's own bound; it rejects
 * once the channel is closed. The bytes belong to the channel from the call on, and must not be changed. `frames`
 * may be iterated once; it ends when either side closes and drops nothing that arrived before. While nobody pulls,
 * the transport stops reading, so a sender feels the receiver's pace. Only the first `close` counts.
 */
export interface Channel {
    send(frame: Uint8Array): Promise<void>
    readonly frames: AsyncIterable<Uint8Array>
    close(code: number, reason: string): void
    /** Resolves, never rejects, once the channel is closed, by whichever side. */
    readonly closed: Promise<CloseReason>
}
