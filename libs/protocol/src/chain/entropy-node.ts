/**
 * An entropy node's registration: its identity, and proof that it holds the RSA key that signs its pulses
 * (PROTOCOL.md §4.5).
 */
import { uint64 } from "@tallylight/crypto/bytes.js"
import { sha256 } from "@tallylight/crypto/hash.js"
import { transcript } from "@tallylight/crypto/transcript.js"
import type { Claim } from "../ledger/claim.ts"
import type { EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState, EntropyNode } from "../ledger/state.ts"
import { tags } from "../tags.ts"
import { Refusal, require } from "../wire/refusal.ts"
import { hasEntropyNodes } from "./genesis.ts"
import { claimKeys } from "./keys.ts"
import { sign, signatureClaim } from "./signer.ts"
import type { Signer, Statement } from "./signer.ts"

type Registration = Omit<EntryOf<"node-registration">, "kind" | "time">
export type NodePlan = Omit<Registration, "proof" | "signature">

/** What signing says, and the pulses have to keep to. */
function parts(chain: Uint8Array, node: NodePlan): Uint8Array[] {
    const { identity, sequence, pulseChain, hardware, modulus, certificateId } = node
    return [
        ...[chain, identity, uint64(sequence), uint64(pulseChain), Uint8Array.of(hardware ? 1 : 0)],
        ...[modulus, certificateId],
    ]
}

/** What the RSA key signs to show possession; no pulse has these bytes, since its second field is a version. */
export function pulseKeyPossession(chain: Uint8Array, node: NodePlan): Uint8Array {
    return transcript(tags.pulseKeyPossession, ...parts(chain, node))
}

function statement(chain: Uint8Array, node: NodePlan, proof: Uint8Array): Statement {
    return [tags.signNodeRegistration, ...parts(chain, node), proof]
}

/** `proof` is the RSA signature over {@link pulseKeyPossession}. */
export function makeNodeRegistration(
    chain: Uint8Array,
    signer: Signer,
    node: NodePlan,
    proof: Uint8Array,
): Registration {
    return { ...node, proof, signature: sign(signer, statement(chain, node, proof)) }
}

/** Kinds and statements that a chain of version 1 does not have are nothing that its readers could read. */
export function requireEntropyNodes({ genesis }: ChainState): void {
    require(hasEntropyNodes(genesis), "malformed-entry", { version: genesis.version })
}

/** Whether a registration is there and has neither been revoked nor lapsed. */
export function isInForce({ rounds }: ChainState, node: EntropyNode | undefined): node is EntropyNode {
    return node !== undefined && !node.revoked && node.lastRound >= rounds
}

/** The node that may commit and sign now, or a refusal. */
export function registeredNode(state: ChainState, identity: Uint8Array): EntropyNode {
    const node = state.nodes.get(nameOf(identity))
    if (!isInForce(state, node)) throw new Refusal("not-registered")
    return node
}

export function applyNodeRegistration(state: ChainState, entry: EntryOf<"node-registration">): ChainState {
    const name = nameOf(entry.identity)
    const { admission, registrationRounds } = state.genesis.parameters
    require(admission === "open" || state.admitted.has(name), "not-admitted")
    const former = state.nodes.get(name)
    require(former?.revoked !== true, "revoked")
    const last = former?.sequence ?? -1
    require(entry.sequence > last, "stale-sequence", { last })
    // Otherwise the ledger would show two first pulses of one chain of pulses.
    const lastChain = former?.pulseChain ?? 0
    require(entry.pulseChain >= lastChain, "stale-sequence", { lastPulseChain: lastChain })
    require(!state.parties.has(name) && !state.requesters.has(name), "key-taken", { key: name })
    const keys = claimKeys(state, name, [sha256(entry.modulus)])
    // Odd and of full length: everything else is no modulus of an RSA-4096 key.
    const [first = 0, least = 0] = [entry.modulus[0], entry.modulus.at(-1)]
    require(first >= 0x80 && least % 2 === 1, "bad-key")
    const { identity, sequence, pulseChain, hardware, modulus, certificateId } = entry
    const isSameChain = former?.pulseChain === pulseChain
    const node: EntropyNode = {
        ...{ identity, sequence, pulseChain, hardware, modulus, certificateId },
        lastRound: state.rounds + registrationRounds,
        revoked: false,
        // What it committed to and signed it cannot take back by renewing.
        commitments: former?.commitments ?? new Map(),
        nextCommitment: former?.nextCommitment ?? 0,
        signed: former?.signed ?? state.beacons,
        trail: isSameChain ? former.trail : undefined,
    }
    return {
        ...state,
        keys,
        nodes: state.nodes.set(name, node),
    }
}

export function nodeRegistrationClaims(
    { chain }: ChainState,
    entry: EntryOf<"node-registration">,
): readonly Claim[] {
    const { identity, modulus, proof, signature } = entry
    const message = pulseKeyPossession(chain, entry)
    return [
        { claim: "key", of: "ed25519", key: identity },
        signatureClaim(identity, statement(chain, entry, proof), signature),
        { claim: "rsa", modulus, message, signature: proof, code: "bad-possession" },
    ]
}
