/**
 * What contributions say of their entropy (PROTOCOL.md §5.10), counted by who says it. Testimony and not proof: that a
 * node signed is verified, and what it signed is its word.
 */
import { isInForce } from "../chain/entropy-node.ts"
import { hasEntropyNodes } from "../chain/genesis.ts"
import type { Entry } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState } from "../ledger/state.ts"
import { isSimulated, parseStatement } from "../round/statement.ts"
import type { EntropyAccount } from "../round/statement.ts"

/** What one entropy node signed for contributions. */
export type NodeTestimony = {
    readonly identity: Uint8Array
    /** Whether it was registered with the chain when it was named last; whoever gives bytes to parties need not be. */
    readonly registered: boolean
    readonly contributions: number
    /** Of these, those whose account names a simulated device. */
    readonly simulated: number
    /** Of these, those whose account names a source that had failed a health test, then or before. */
    readonly failed: number
}

export type TestimonyRecord = {
    readonly nodes: readonly NodeTestimony[]
    /** Contributions whose party says that it had no node's bytes, though it was to ask for them. */
    readonly absences: number
    /** Contributions that say nothing. */
    readonly silent: number
}

export class Testimony {
    readonly #nodes = new Map<string, NodeTestimony>()
    #absences = 0
    #silent = 0

    /** An entry that holds, and the state in which it was judged. */
    take(before: ChainState, entry: Entry): void {
        if (entry.kind !== "contribution") return
        // On a chain of version 1 a statement is bytes that mean nothing.
        const told = hasEntropyNodes(before.genesis) ? parseStatement(entry.statement) : undefined
        if (told === undefined) this.#silent += 1
        else if (told.of === "party") this.#absences += 1
        else this.#count(before, told.account)
    }

    /** Nodes in the order in which they were first named. */
    get record(): TestimonyRecord {
        return { nodes: [...this.#nodes.values()], absences: this.#absences, silent: this.#silent }
    }

    #count(before: ChainState, account: EntropyAccount): void {
        const { node: identity, sources } = account
        const name = nameOf(identity)
        const { contributions = 0, simulated = 0, failed = 0 } = this.#nodes.get(name) ?? {}
        const hasFailed = sources.some(({ state, failures }) => state === "failed" || failures > 0)
        this.#nodes.set(name, {
            identity,
            registered: isInForce(before, before.nodes.get(name)),
            contributions: contributions + 1,
            simulated: simulated + (isSimulated(account) ? 1 : 0),
            failed: failed + (hasFailed ? 1 : 0),
        })
    }
}
