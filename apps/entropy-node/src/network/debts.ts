/**
 * What an entropy node owes a chain of beacons, decided anew from what the ledger shows each time: a registration,
 * commitments ahead of the tickets, and a pulse for each beacon, in order.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { isInForce } from "@tallylight/protocol/chain/entropy-node.js"
import type { NodePlan } from "@tallylight/protocol/chain/entropy-node.js"
import { hasEntropyNodes } from "@tallylight/protocol/chain/genesis.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, EntropyNode, SignableBeacon } from "@tallylight/protocol/ledger/state.js"
import type { MadePulse } from "../pulses/pulse-maker.ts"

/** What the node would register as now. */
export type OwnPlan = Omit<NodePlan, "sequence">

export type Debt =
    | { readonly what: "registration"; readonly plan: NodePlan }
    | { readonly what: "commitments"; readonly first: number; readonly count: number }
    | { readonly what: "pulse"; readonly node: EntropyNode; readonly beacon: SignableBeacon }

/** What came of trying, which no ledger shows. */
export type Attempts = {
    /** Ordinals whose values are lost, or were passed over: their pulses cannot be made any more. */
    readonly lost: Set<number>
    /** From the latest beacon to the first that is committed to, where there is no commitment yet to go on from. */
    margin: number
    last: Debt["what"] | undefined
    /** The last pulse of the chain in use, which need not be logged. */
    made: MadePulse | undefined
}

/**
 * So many beacons are committed to at a time: a value takes a slow chip a tenth of a second and more, during which no
 * beacon is signed.
 */
const commitAtOnce = 8
/** With fewer ahead there is time for more when no beacon waits; with hardly any, before all else. */
const [enoughAhead, leastAhead] = [24, 2]
/** Beacons that may come while values are drawn: doubled up to that each time they came sooner than the commitment. */
const longestMargin = 64

/** Why nothing is owed, whatever the ledger shows of the node's entries; a sentence for its operator. */
export function whyNothingIsOwed(
    { genesis, nodes, admitted }: ChainState,
    identity: Uint8Array,
): string | undefined {
    const name = nameOf(identity)
    if (!hasEntropyNodes(genesis)) return "this chain is of version 1, which has no entropy nodes"
    if (nodes.get(name)?.revoked === true) return "the registration of this node was revoked"
    if (genesis.parameters.admission === "listed" && !admitted.has(name))
        return `this chain admits listed nodes only: give this identity to its operator: ${name}`
    return undefined
}

/** What comes first, where {@link whyNothingIsOwed} knows no reason; undefined while all is paid. */
export function debtOf(
    state: ChainState,
    own: OwnPlan,
    { lost, margin, last, made }: Readonly<Attempts>,
): Debt | undefined {
    const { genesis, nodes, beacons, signable, rounds } = state
    const node = nodes.get(nameOf(own.identity))
    const halfLife = genesis.parameters.registrationRounds / 2
    const owed = signable.filter(({ ordinal }) => ordinal > (node?.signed ?? 0) && !lost.has(ordinal))
    if (node === undefined || !isRegisteredAs(node, own) || node.lastRound - rounds <= halfLife) {
        const unlogged = owed.find(({ ordinal }) => ordinal === made?.slot)
        // Once another certificate is registered it is refused, and so is all that would go on from it.
        if (unlogged !== undefined && isInForce(state, node) && isNamed(node, own, made))
            return { what: "pulse", node, beacon: unlogged }
        return { what: "registration", plan: { ...own, sequence: (node?.sequence ?? -1) + 1 } }
    }
    const ahead = node.nextCommitment - 1 - beacons
    const [beacon] = owed
    // In turns where both are urgent: values of a slow chip must not keep back what can be signed.
    const isTurn = ahead >= leastAhead || last === "commitments"
    if (beacon !== undefined && isTurn) return { what: "pulse", node, beacon }
    if (ahead >= enoughAhead) return undefined
    const first = Math.max(node.nextCommitment, beacons + 1 + margin)
    return { what: "commitments", first, count: commitAtOnce }
}

/** After a commitment that came too late for its first beacon. */
export function widerMargin(margin: number): number {
    return Math.min(longestMargin, Math.max(1, 2 * margin))
}

/** Whether that pulse is of the chain and certificate that are registered. */
function isNamed(node: EntropyNode, { pulseChain }: OwnPlan, made: MadePulse | undefined): boolean {
    return (
        made !== undefined &&
        node.pulseChain === pulseChain &&
        equalBytes(node.certificateId, made.certificateId)
    )
}

function isRegisteredAs(node: EntropyNode, own: OwnPlan): boolean {
    return (
        equalBytes(node.modulus, own.modulus) &&
        equalBytes(node.certificateId, own.certificateId) &&
        node.hardware === own.hardware &&
        node.pulseChain === own.pulseChain
    )
}
