/** A chain, as far as those who are connected to it may ask it and change it. */
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import type { Random, UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Head } from "@tallylight/protocol/ports/ledger-store.js"
import type { LogTree } from "../ledger/tree.ts"
import type { Acceptance } from "./acceptance.ts"
import type { Decryptions } from "./decryptions.ts"
import type { Followers } from "./followers.ts"

export type ServedChain = {
    /** Its id. */
    readonly chain: Uint8Array
    readonly state: ChainState
    readonly head: Head
    readonly tree: Pick<LogTree, "inclusion" | "consistency">
    readonly messageKey: Signer
    readonly acceptance: Pick<Acceptance, "accept" | "receiptOf">
    readonly decryptions: Pick<Decryptions, "join" | "leave">
    readonly random: Random
    readonly now: () => UnixMs
    readonly entries: (from: number, limit: number, mostBytes: number) => Promise<Uint8Array[]>
    readonly ticketIndex: (round: number) => number
    readonly followers: Pick<Followers, "subscribe" | "unsubscribe">
}
