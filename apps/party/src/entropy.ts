/**
 * Where a party's contribution gets its entropy beside the operating system's, and what it says of that: a port, so
 * that parties decide without knowing of sockets.
 */
import type { ChainState, OpenRound } from "@tallylight/protocol/ledger/state.js"

export type Drawn = {
    /** Hashed together with as many bytes of the operating system; empty where there is no node. Never leaves the party. */
    readonly fromNode: Uint8Array
    /** For the contribution, as PROTOCOL.md §5.10 has it. */
    readonly statement: Uint8Array
}

export interface Entropy {
    /** For one contribution of that identity. Rejects with {@link NoEntropy} where the party has to stay out. */
    draw(state: ChainState, current: OpenRound, identity: Uint8Array): Promise<Drawn>
}

/** The party's node is required and gives nothing: the party contributes nothing either, for now. */
export class NoEntropy extends Error {
    override readonly name = "NoEntropy"
}

/** For parties without a node. */
export const systemAlone: Entropy = {
    draw: () => Promise.resolve({ fromNode: new Uint8Array(), statement: new Uint8Array() }),
}
