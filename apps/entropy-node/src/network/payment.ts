/** How an entropy node pays each kind of debt: the entry is made of its key and its pulses, and sent. */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { makeNodeRegistration, pulseKeyPossession } from "@tallylight/protocol/chain/entropy-node.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { EntropyNode } from "@tallylight/protocol/ledger/state.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { encodePulseMessage } from "@tallylight/protocol/pulse/pulse.js"
import { chainDescription } from "@tallylight/protocol/round/beacon-pulse.js"
import { makeCommitment } from "@tallylight/protocol/round/commitment.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import type { Peer } from "@tallylight/protocol/wire/peer.js"
import type { PulseSigner } from "../hsm/pulse-signer.ts"
import { PulseDelayed } from "../pulses/pulse-maker.ts"
import type { BeaconPulses } from "../pulses/pulses.ts"
import type { Debt } from "./debts.ts"

export type Payer = {
    /** The id of the chain that something is owed to. */
    readonly id: Uint8Array
    readonly peer: Peer
    readonly identity: Signer
    readonly key: PulseSigner
    readonly chain: BeaconPulses
    readonly clock: Clock
}

/** The receipt is not verified yet; the entry is what it has to be for, but for the time, which the server gives it. */
export type Payment = { readonly receipt: Receipt; readonly entry: Entry }

/** Rejects with {@link PulseDelayed}, PeerRefused or Unanswered. */
export async function pay(debt: Debt, payer: Payer): Promise<Payment> {
    const { id, peer, identity, key, chain, clock } = payer
    switch (debt.what) {
        case "registration": {
            const proof = await key.sign(pulseKeyPossession(id, debt.plan)).catch((error: unknown) => {
                throw new PulseDelayed("the key of the pulses does not sign", { cause: error })
            })
            const made = makeNodeRegistration(id, identity, debt.plan, proof)
            const { receipt } = await peer.request("ReqRegister", { role: "entropy-node", ...made })
            return { receipt, entry: { ...made, kind: "node-registration", time: 0 } }
        }
        case "commitments": {
            const values = await chain.commitmentsAhead(debt.first, debt.count)
            const made = makeCommitment(id, identity, debt.first, values)
            const { receipt } = await peer.request("ReqCommitment", made)
            return { receipt, entry: { ...made, kind: "commitment", time: 0 } }
        }
        case "pulse": {
            const { ordinal, round, output } = debt.beacon
            const external = { source: chainDescription(id), statusCode: 0, value: output }
            const { pulse } = await chain.pulseOf({ ordinal, time: clock.now(), external })
            const message = encodePulseMessage(pulse)
            const made = { identity: identity.publicKey, round, message, proof: pulse.signatureValue }
            const { receipt } = await peer.request("ReqPulse", made)
            return { receipt, entry: { ...made, kind: "pulse", time: 0 } }
        }
    }
}

/** Whether what is kept here is what the ledger was promised: it is not where the pulses' file was lost. */
export async function canOpen(
    { commitments }: EntropyNode,
    ordinal: number,
    chain: Pick<BeaconPulses, "isPassed" | "commitmentsAhead">,
): Promise<boolean> {
    if (await chain.isPassed(ordinal)) return false
    const own = await chain.commitmentsAhead(ordinal, 2)
    return own.every((value, at) => {
        const promised = commitments.get(ordinal + at)
        return promised === undefined || equalBytes(promised.value, value)
    })
}
