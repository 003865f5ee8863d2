/** How a ledger begins: once with its first entry, and ever after with what is stored, folded again. */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { openCheckpoint, signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { apply, begin } from "@tallylight/protocol/ledger/apply.js"
import { decodeEntry, encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState, Genesis } from "@tallylight/protocol/ledger/state.js"
import type { Head, LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { RoundIndex } from "./round-index.ts"
import { LogTree } from "./tree.ts"
import type { Appended } from "./writer.ts"

export type Recovered = {
    readonly state: ChainState
    readonly tree: LogTree
    readonly rounds: RoundIndex
    /** The newest of its entries, at least 20,000 where it has as many. */
    readonly past: readonly Appended[]
}

/** The ledger's first entry and checkpoint: makes the chain. */
export async function createChain(
    store: LedgerStore,
    genesis: Genesis,
    ledgerSeed: Uint8Array,
): Promise<void> {
    const state = begin(genesis)
    await store.append(await store.head(), [encodeEntry(genesis)], checkpointOf(state, ledgerSeed))
}

function checkpointOf(state: ChainState, ledgerSeed: Uint8Array): string {
    const { size } = state.range
    return signCheckpoint({ origin: state.genesis.origin, size, root: rangeRoot(state.range) }, ledgerSeed)
}

/** Replays the store, which is how every start begins, after a crash or not. */
export async function recover(store: LedgerStore, head: Head): Promise<Recovered> {
    const tree = new LogTree(store)
    const rounds = new RoundIndex()
    let state: ChainState | undefined
    let past: Appended[] = []
    for await (const bytes of store.read(0, head.size)) {
        const entry = decodeEntry(bytes)
        const index = tree.size
        state = state === undefined ? begin(entry) : apply(state, entry)
        tree.append(bytes)
        rounds.add(index, entry)
        past.push({ index, entry })
        if (past.length > 40_000) past = past.slice(-20_000)
    }
    if (state === undefined) throw new Error("the ledger is empty: it was never initialised")
    const { origin, ledgerKey: publicKey } = state.genesis
    const checkpoint = openCheckpoint(head.checkpoint, { origin, publicKey })
    if (checkpoint?.size !== head.size || !equalBytes(checkpoint.root, rangeRoot(state.range)))
        throw new Error(
            "the stored ledger does not hash to its own signed checkpoint: it was damaged or edited",
        )
    return { state, tree, rounds, past }
}
