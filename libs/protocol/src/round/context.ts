/** What every proof and signature inside a round is bound to (PROTOCOL.md §3.3). */
import { uint64 } from "@tallylight/crypto/bytes.js"
import type { OpenRound, SealedRound } from "../ledger/state.ts"

export type RoundContext = {
    readonly chain: Uint8Array
    readonly round: number
    readonly ticket: Uint8Array
    /** Leaf hash of the ticket entry: two ledgers that show two tickets never share a proof. */
    readonly leaf: Uint8Array
    readonly Y: Uint8Array
}

export function contextOf(chain: Uint8Array, current: OpenRound | SealedRound): RoundContext {
    const { round, ticket, leaf, request } = current
    return { chain, round, ticket, leaf, Y: request.Y }
}

/** The context's parts, then the identity that proves or signs. */
export function contextParts(context: RoundContext, identity: Uint8Array): Uint8Array[] {
    const { chain, round, ticket, leaf, Y } = context
    return [chain, uint64(round), ticket, leaf, Y, identity]
}
