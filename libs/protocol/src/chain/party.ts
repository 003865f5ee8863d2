/** A party's registration: its identity, its VRF key, and proof that it holds both (PROTOCOL.md §4.2). */
import { uint64 } from "@tallylight/crypto/bytes.js"
import { vrfProve, vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { transcript } from "@tallylight/crypto/transcript.js"
import type { Claim } from "../ledger/claim.ts"
import type { EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState } from "../ledger/state.ts"
import { tags } from "../tags.ts"
import { require } from "../wire/refusal.ts"
import { claimKeys } from "./keys.ts"
import { sign, signatureClaim } from "./signer.ts"
import type { Signer, Statement } from "./signer.ts"

type Registration = Omit<EntryOf<"party-registration">, "kind" | "time">
type Identified = Pick<Registration, "identity" | "sequence" | "vrfKey">

/**
 * The VRF input that shows possession of the VRF key. It is longer than the 32 bytes of a ticket, so the proof
 * says nothing about any lottery.
 */
function possessionInput(chain: Uint8Array, { identity, sequence, vrfKey }: Identified): Uint8Array {
    return transcript(tags.vrfPossession, chain, identity, uint64(sequence), vrfKey)
}

function statement(chain: Uint8Array, party: Identified, possession: Uint8Array): Statement {
    return [
        tags.signPartyRegistration,
        chain,
        party.identity,
        uint64(party.sequence),
        party.vrfKey,
        possession,
    ]
}

export function makePartyRegistration(
    chain: Uint8Array,
    keys: { readonly signer: Signer; readonly vrfSeed: Uint8Array },
    sequence: number,
): Registration {
    const party = { identity: keys.signer.publicKey, sequence, vrfKey: vrfPublicKey(keys.vrfSeed) }
    const possession = vrfProve(keys.vrfSeed, possessionInput(chain, party))
    return signPartyRegistration(chain, keys.signer, { ...party, possession })
}

export function signPartyRegistration(
    chain: Uint8Array,
    signer: Signer,
    fields: Omit<Registration, "signature">,
): Registration {
    return { ...fields, signature: sign(signer, statement(chain, fields, fields.possession)) }
}

export function applyPartyRegistration(state: ChainState, entry: EntryOf<"party-registration">): ChainState {
    const name = nameOf(entry.identity)
    const { admission, registrationRounds } = state.genesis.parameters
    require(admission === "open" || state.admitted.has(name), "not-admitted")
    const former = state.parties.get(name)
    // A stolen key could otherwise undo the revocation that was to end it.
    require(former?.revoked !== true, "revoked")
    const last = former?.sequence ?? -1
    require(entry.sequence > last, "stale-sequence", { last })
    require(!state.requesters.has(name) && !state.nodes.has(name), "key-taken", { key: name })
    const party = {
        identity: entry.identity,
        vrfKey: entry.vrfKey,
        sequence: entry.sequence,
        lastRound: state.rounds + registrationRounds,
        revoked: false,
    }
    return {
        ...state,
        keys: claimKeys(state, name, [entry.vrfKey]),
        parties: state.parties.set(name, party),
    }
}

export function partyRegistrationClaims(
    { chain }: ChainState,
    entry: EntryOf<"party-registration">,
): readonly Claim[] {
    const { identity, vrfKey: publicKey, possession: proof, signature } = entry
    return [
        { claim: "key", of: "ed25519", key: identity },
        { claim: "key", of: "vrf", key: publicKey },
        signatureClaim(identity, statement(chain, entry, proof), signature),
        { claim: "vrf", publicKey, input: possessionInput(chain, entry), proof, code: "bad-possession" },
    ]
}
