/** The entry that makes a chain, and whose hash is the chain's id (PROTOCOL.md §4.1). */
import { emptyRange } from "@tallylight/crypto/merkle.js"
import { isVrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { isEd25519PublicKey } from "@tallylight/crypto/ed25519.js"
import { sha256 } from "@tallylight/crypto/hash.js"
import { Set as PersistentSet } from "immutable"
import { encodeEntry } from "../ledger/entry.ts"
import { emptyRegistry, nameOf } from "../ledger/state.ts"
import type { ChainState, Genesis, Name } from "../ledger/state.ts"
import { require } from "../wire/refusal.ts"

/** Of the messages between a follower and the ledger server. */
export const wireVersion = 1

/** That new chains get. One of version 1 has no entropy nodes, and statements in it mean nothing. */
export const ledgerVersion = 2
const ledgerVersions: readonly number[] = [1, ledgerVersion]

export function chainId(genesis: Genesis): Uint8Array {
    return sha256(encodeEntry(genesis))
}

/** The state in front of entry 0: everything empty. The caller then applies the genesis as any other entry. */
export function stateBefore(genesis: Genesis): ChainState {
    checkParameters(genesis)
    const { parameters, witnesses } = genesis
    const operator = parameters.admission === "listed" ? [parameters.operatorKey] : []
    const cosigners = witnesses.map(({ key }) => key)
    const keys = [genesis.ledgerKey, genesis.messageKey, genesis.vrfKey, ...operator, ...cosigners].map(
        nameOf,
    )
    require(new Set(keys).size === keys.length, "bad-genesis", { problem: "one key in two places" })
    return {
        chain: chainId(genesis),
        genesis,
        range: emptyRange,
        time: genesis.time,
        admitted: PersistentSet(),
        admissionSequence: 0,
        parties: emptyRegistry(),
        requesters: emptyRegistry(),
        nodes: emptyRegistry(),
        keys: emptyRegistry<Name>().concat(keys.map((key) => [key, "pdl"] as const)),
        queue: [],
        rounds: 0,
        current: undefined,
        withheld: new Map(),
        beacons: 0,
        signable: [],
    }
}

function checkParameters(genesis: Genesis): void {
    const { parameters, witnesses, quorum } = genesis
    const problem = (holds: boolean, name: string) => require(holds, "bad-genesis", { problem: name })
    problem(ledgerVersions.includes(genesis.version), "version")
    problem(parameters.expectedContributors >= 1, "expectedContributors")
    problem(parameters.minimumContributors >= 1, "minimumContributors")
    problem(parameters.contributionWindowMs >= 1, "contributionWindowMs")
    problem(parameters.decryptionWindowMs >= 1, "decryptionWindowMs")
    problem(parameters.queueLength >= 1, "queueLength")
    problem(parameters.registrationRounds >= 2, "registrationRounds")
    // Nothing in this version checks cosignatures, and a quorum that nobody enforces would reassure for nothing.
    problem(quorum === 0, "quorum")
    problem(new Set(witnesses.map(({ name }) => name)).size === witnesses.length, "witnesses")
    const noOperator = parameters.operatorKey.every((byte) => byte === 0)
    problem(noOperator === (parameters.admission === "open"), "operatorKey")
}

/** Whether the chain takes entropy nodes and their statements. */
export function hasEntropyNodes({ version }: Pick<Genesis, "version">): boolean {
    return version >= 2
}

/** Every key of the genesis is what it claims to be; see ledger/verify.ts. */
export function verifyGenesis(genesis: Genesis): void {
    const { parameters, witnesses } = genesis
    const signers = [genesis.ledgerKey, genesis.messageKey, ...witnesses.map(({ key }) => key)]
    if (parameters.admission === "listed") signers.push(parameters.operatorKey)
    require(signers.every(isEd25519PublicKey), "bad-key")
    require(isVrfPublicKey(genesis.vrfKey), "bad-key")
}
