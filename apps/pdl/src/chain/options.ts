/** What a chain is opened with: its store and keys, ports, limits, and whom it tells. */
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import type { Clock, Random } from "@tallylight/protocol/ports/clock.js"
import type { LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import type { OnSkew } from "../ledger/clock.ts"
import type { Appended } from "../ledger/writer.ts"
import type { IntakeLimits } from "../limits/intake.ts"
import type { ProofLane } from "../proofs/lane.ts"
import type { ConnectionLimits } from "./connections.ts"
import type { ChainKeys } from "./keys.ts"
import type { Meter } from "./meter.ts"

export type ChainOptions = {
    readonly store: LedgerStore
    readonly keys: ChainKeys
    readonly clock: Clock
    readonly random: Random
    readonly limits: ConnectionLimits & IntakeLimits
    readonly requestTimeoutMs: number
    readonly proofs: ProofLane
    /** Messages whose proofs may wait for verification. */
    readonly backlog: number
    /** Before a key holder that did not answer is asked again. */
    readonly pauseMs: number
    readonly breathe: () => Promise<void>
    readonly onCommit: (appended: Appended, state: ChainState) => void
    /** Told of what is done, and how often a limit is reached. */
    readonly meter?: Meter | undefined
    readonly onUnanswered: (members: readonly string[], round: number, error: unknown) => void
    readonly onSkew: OnSkew
    /** A defect or a failed store: this object is of no use any more, and its owner starts again from the store. */
    readonly onFault: (error: unknown) => void
}
