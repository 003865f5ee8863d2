/**
 * Hashes of the values that an entropy node's next pulses will open (PROTOCOL.md §5.9), logged before the tickets of
 * the rounds that they are for: when it chose them, nobody knew those outputs.
 */
import { concatBytes, uint64 } from "@tallylight/crypto/bytes.js"
import { registeredNode } from "../chain/entropy-node.ts"
import { sign, signatureClaim } from "../chain/signer.ts"
import type { Signer, Statement } from "../chain/signer.ts"
import type { Claim } from "../ledger/claim.ts"
import type { EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState, Commitment, EntropyNode } from "../ledger/state.ts"
import { tags } from "../tags.ts"
import { require } from "../wire/refusal.ts"

type Committed = Omit<EntryOf<"commitment">, "kind" | "time">

/** In beacons: what every follower has to remember of one node is bounded by it. */
export const farthestCommitment = 128

function statement(chain: Uint8Array, { identity, first, values }: Omit<Committed, "signature">): Statement {
    return [tags.signCommitment, chain, identity, uint64(first), concatBytes(...values)]
}

/** `values[i]` is SHA-512 of the value that the pulse of beacon `first + i` opens, 64 bytes. */
export function makeCommitment(
    chain: Uint8Array,
    signer: Signer,
    first: number,
    values: readonly Uint8Array[],
): Committed {
    const fields = { identity: signer.publicKey, first, values }
    return { ...fields, signature: sign(signer, statement(chain, fields)) }
}

/** The commitments that can still be opened, with others behind them. */
export function withCommitments(
    { signable }: ChainState,
    { commitments }: EntropyNode,
    more: Iterable<readonly [ordinal: number, commitment: Commitment]>,
): ReadonlyMap<number, Commitment> {
    const oldest = signable[0]?.ordinal ?? 0
    return new Map([...[...commitments].filter(([ordinal]) => ordinal >= oldest), ...more])
}

export function applyCommitment(state: ChainState, entry: EntryOf<"commitment">): ChainState {
    const node = registeredNode(state, entry.identity)
    const { first, values } = entry
    const { beacons } = state
    const next = Math.max(node.nextCommitment, beacons + 1)
    const last = first + values.length - 1
    require(first >= next && last <= beacons + farthestCommitment, "wrong-commitment", { next, beacons })
    const index = state.range.size
    const more = values.map((value, at) => [first + at, { value, index }] as const)
    const commitments = withCommitments(state, node, more)
    const committed = { ...node, commitments, nextCommitment: last + 1 }
    return { ...state, nodes: state.nodes.set(nameOf(node.identity), committed) }
}

export function commitmentClaims({ chain }: ChainState, entry: EntryOf<"commitment">): readonly Claim[] {
    return [signatureClaim(entry.identity, statement(chain, entry), entry.signature)]
}
