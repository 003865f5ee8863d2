/** The operator's list of who may register as a party, on chains that have one (PROTOCOL.md §4.3). */
import { uint64 } from "@tallylight/crypto/bytes.js"
import type { Claim } from "../ledger/claim.ts"
import type { EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState } from "../ledger/state.ts"
import { tags } from "../tags.ts"
import { require } from "../wire/refusal.ts"
import { sign, signatureClaim } from "./signer.ts"
import type { Signer, Statement } from "./signer.ts"

type Admission = Omit<EntryOf<"admission">, "kind" | "time">

function statement(
    chain: Uint8Array,
    { identity, admitted, sequence }: Omit<Admission, "signature">,
): Statement {
    return [tags.signAdmission, chain, identity, Uint8Array.of(admitted ? 1 : 0), uint64(sequence)]
}

export function makeAdmission(
    chain: Uint8Array,
    operator: Signer,
    fields: Omit<Admission, "signature">,
): Admission {
    return { ...fields, signature: sign(operator, statement(chain, fields)) }
}

export function applyAdmission(state: ChainState, entry: EntryOf<"admission">): ChainState {
    require(state.genesis.parameters.admission === "listed", "not-operator")
    require(entry.sequence > state.admissionSequence, "stale-sequence", { last: state.admissionSequence })
    const name = nameOf(entry.identity)
    const party = state.parties.get(name)
    const node = state.nodes.get(name)
    // For later requests only, and not for ever: who is admitted again may register again.
    const ended = <T extends { readonly lastRound: number }>(one: T): T => ({
        ...one,
        lastRound: Math.min(one.lastRound, state.rounds),
    })
    const ends = !entry.admitted
    return {
        ...state,
        admitted: entry.admitted ? state.admitted.add(name) : state.admitted.remove(name),
        admissionSequence: entry.sequence,
        parties: party && ends ? state.parties.set(name, ended(party)) : state.parties,
        nodes: node && ends ? state.nodes.set(name, ended(node)) : state.nodes,
    }
}

export function admissionClaims(state: ChainState, entry: EntryOf<"admission">): readonly Claim[] {
    const { operatorKey } = state.genesis.parameters
    return [
        { claim: "key", of: "ed25519", key: entry.identity },
        signatureClaim(operatorKey, statement(state.chain, entry), entry.signature),
    ]
}
