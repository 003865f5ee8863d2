/**
 * An entropy node's pulse about a beacon (PROTOCOL.md §5.9): a pulse of its NIST chain whose external value is R, and
 * whose local random value it committed to before. What consumers combine is Z, in which neither has the last word.
 */
import { equalBytes, toHex, uint64, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { transcript } from "@tallylight/crypto/transcript.js"
import { registeredNode } from "../chain/entropy-node.ts"
import type { Claim } from "../ledger/claim.ts"
import type { EntryOf } from "../ledger/entry.ts"
import { nameOf } from "../ledger/state.ts"
import type { ChainState, EntropyNode, SignableBeacon } from "../ledger/state.ts"
import type { UnixMs } from "../ports/clock.ts"
import { decodePulseMessage, noValue, precommitmentOf, pulseOutput } from "../pulse/pulse.ts"
import type { PulseMessage } from "../pulse/pulse.ts"
import { checkSuccessor, extendTrail, hasStatus } from "../pulse/trail.ts"
import { tags } from "../tags.ts"
import { Refusal, require } from "../wire/refusal.ts"
import { withCommitments } from "./commitment.ts"

/** The text behind a pulse's external source id. */
export function chainDescription(chain: Uint8Array): string {
    return `Outputs R of the rounds of Tallylight chain ${toHex(chain)}, one for each pulse.\n`
}

/** SHA-512 of the description, 64 bytes. */
export function externalSourceId(chain: Uint8Array): Uint8Array {
    return sha512(utf8(chainDescription(chain)))
}

/** Z, 64 bytes: worth something only where the node committed to the value in time. */
export function combinedValue(
    chain: Uint8Array,
    { round, output }: Pick<SignableBeacon, "round" | "output">,
    localRandomValue: Uint8Array,
): Uint8Array {
    return sha512(transcript(tags.combined, chain, uint64(round), localRandomValue, output))
}

/** What of a pulse for the ledger's beacons is the same in all of them. */
export const beaconPulse = { version: "2.0", cipherSuite: 0, period: 0 } as const

type Signing = {
    readonly node: EntropyNode
    readonly beacon: SignableBeacon
    readonly message: PulseMessage
}

/** The pulse's node, beacon and message, or a refusal. */
function signing(state: ChainState, entry: EntryOf<"pulse">): Signing {
    const node = registeredNode(state, entry.identity)
    const beacon = state.signable.find(({ round }) => round === entry.round)
    if (beacon === undefined) throw new Refusal("no-beacon", { round: entry.round })
    require(beacon.ordinal > node.signed, "already-signed", { round: entry.round })
    const message = decodePulseMessage(entry.message)
    if (message === undefined) throw new Refusal("bad-pulse", { field: "message" })
    return { node, beacon, message }
}

/** The first field that is not as the registration, the beacon and this protocol have it. */
function wrongField(chain: Uint8Array, { node, beacon, message }: Signing): string | undefined {
    const { external } = message
    const expected: Readonly<Record<string, boolean>> = {
        version: message.version === beaconPulse.version,
        cipherSuite: message.cipherSuite === beaconPulse.cipherSuite,
        period: message.period === beaconPulse.period,
        chainIndex: message.chainIndex === node.pulseChain,
        certificateId: equalBytes(message.certificateId, node.certificateId),
        sourceId: equalBytes(external.sourceId, externalSourceId(chain)),
        externalStatus: external.statusCode === 0,
        externalValue: equalBytes(external.value, beacon.output),
        // A beacon was passed over: the pulse says that there is a gap in front of it.
        gap: hasStatus(message, "gap") === (node.trail !== undefined && beacon.ordinal !== node.signed + 1),
    }
    return Object.keys(expected).find((field) => !expected[field])
}

export function applyPulse(state: ChainState, entry: EntryOf<"pulse">): ChainState {
    const found = signing(state, entry)
    const { node, beacon, message } = found
    const field = wrongField(state.chain, found)
    require(field === undefined, "bad-pulse", { field: field ?? "" })
    const [problem] = checkSuccessor(node.trail, message)
    require(problem === undefined, "bad-links", { problem: problem ?? "" })
    const committed = node.commitments.get(beacon.ordinal)
    const opens = committed === undefined || isOpenedBy(committed.value, message)
    require(opens, "bad-opening", { field: "localRandomValue" })
    const next = node.commitments.get(beacon.ordinal + 1)
    // The last pulse of a chain promises nothing, whatever was committed to.
    const isLast = hasStatus(message, "lastPulse") && equalBytes(message.precommitmentValue, noValue)
    const keeps = next === undefined || isLast || equalBytes(next.value, message.precommitmentValue)
    require(keeps, "bad-opening", { field: "precommitmentValue" })
    const signed: EntropyNode = {
        ...precommitted(state, node, beacon.ordinal + 1, message.precommitmentValue),
        signed: beacon.ordinal,
        trail: extendTrail(node.trail, message, pulseOutput(entry.message, entry.proof)),
    }
    return { ...state, nodes: state.nodes.set(nameOf(node.identity), signed) }
}

function isOpenedBy(commitment: Uint8Array, { localRandomValue }: PulseMessage): boolean {
    return equalBytes(commitment, precommitmentOf(localRandomValue))
}

/** The pulse is itself the commitment to the next value, where that beacon is still to come and has none. */
function precommitted(state: ChainState, node: EntropyNode, ordinal: number, value: Uint8Array): EntropyNode {
    if (ordinal <= state.beacons || node.commitments.has(ordinal) || equalBytes(value, noValue)) return node
    const index = state.range.size
    const commitments = withCommitments(state, node, [[ordinal, { value, index }]])
    return { ...node, commitments, nextCommitment: Math.max(node.nextCommitment, ordinal + 1) }
}

export function pulseClaims(state: ChainState, entry: EntryOf<"pulse">): readonly Claim[] {
    const { modulus } = registeredNode(state, entry.identity)
    const { message, proof: signature } = entry
    return [{ claim: "rsa", modulus, message, signature, code: "bad-signature" }]
}

export type BeaconPulse = {
    readonly round: number
    readonly ordinal: number
    readonly localRandomValue: Uint8Array
    /** Whether the node was bound to its value before the ticket of that round: only then anybody should use Z. */
    readonly isBound: boolean
    readonly Z: Uint8Array
    /** Beacons that the node owed and passed over since its last pulse. */
    readonly missed: number
    readonly hardware: boolean
    /** When it was made, as the node says. */
    readonly timeStamp: UnixMs
}

/** What a pulse that `apply(before, entry)` takes comes to. */
export function beaconPulseOf(before: ChainState, entry: EntryOf<"pulse">): BeaconPulse {
    const { node, beacon, message } = signing(before, entry)
    const { round, ordinal, ticketIndex } = beacon
    const { localRandomValue, timeStamp } = message
    const committed = node.commitments.get(ordinal)
    return {
        ...{ round, ordinal, localRandomValue, timeStamp, hardware: node.hardware },
        isBound: committed !== undefined && committed.index < ticketIndex,
        Z: combinedValue(before.chain, beacon, localRandomValue),
        missed: ordinal - node.signed - 1,
    }
}
