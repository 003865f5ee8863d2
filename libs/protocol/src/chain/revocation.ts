/** The signed end of a registration; it counts for requests logged after it (PROTOCOL.md §4.2). */
import { uint64 } from "@tallylight/crypto/bytes.js"
import type { Claim } from "../ledger/claim.ts"
import type { EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState } from "../ledger/state.ts"
import { tags } from "../tags.ts"
import { Refusal, require } from "../wire/refusal.ts"
import { sign, signatureClaim } from "./signer.ts"
import type { Signer, Statement } from "./signer.ts"

type Revocation = Omit<EntryOf<"revocation">, "kind" | "time">

function statement(chain: Uint8Array, identity: Uint8Array, sequence: number): Statement {
    return [tags.signRevocation, chain, identity, uint64(sequence)]
}

export function makeRevocation(chain: Uint8Array, signer: Signer, sequence: number): Revocation {
    const identity = signer.publicKey
    return { identity, sequence, signature: sign(signer, statement(chain, identity, sequence)) }
}

export function applyRevocation(state: ChainState, entry: EntryOf<"revocation">): ChainState {
    const name = nameOf(entry.identity)
    const { sequence } = entry
    const party = state.parties.get(name)
    const requester = state.requesters.get(name)
    const node = state.nodes.get(name)
    const registered = party ?? requester ?? node
    if (registered === undefined || registered.revoked) throw new Refusal("not-registered")
    // The last one will do: whoever stole the key may have used up every number above it.
    require(sequence >= registered.sequence, "stale-sequence", { last: registered.sequence })
    const ended = { sequence, revoked: true }
    return {
        ...state,
        parties: party ? state.parties.set(name, { ...party, ...ended }) : state.parties,
        requesters: requester ? state.requesters.set(name, { ...requester, ...ended }) : state.requesters,
        nodes: node ? state.nodes.set(name, { ...node, ...ended, commitments: new Map() }) : state.nodes,
    }
}

export function revocationClaims({ chain }: ChainState, entry: EntryOf<"revocation">): readonly Claim[] {
    const { identity, sequence, signature } = entry
    return [signatureClaim(identity, statement(chain, identity, sequence), signature)]
}
