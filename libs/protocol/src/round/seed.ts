/** What makes a ticket unpredictable to whoever asked for it (PROTOCOL.md §5.2). */
import type { PendingRequest } from "../ledger/state.ts"

/** Of requests that have waited through no round: there is nobody to elect, everybody contributes. */
export const noSeed: Uint8Array = new Uint8Array(64)

/**
 * The queue after the round with that ticket ended with `seed`. A request that was logged before the ticket, and
 * has no seed yet, gets it. It is the first round and not the latest: otherwise whoever can insert rounds, or make
 * them fail, could go on until a seed elects their friends.
 */
export function settleSeeds(
    queue: readonly PendingRequest[],
    ticketIndex: number,
    seed: Uint8Array,
): readonly PendingRequest[] {
    return queue.map((pending) => {
        const settles = pending.seed === undefined && pending.index < ticketIndex
        return settles ? { ...pending, seed } : pending
    })
}
