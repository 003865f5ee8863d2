/**
 * The operator's side of a listed chain: the list as the verified ledger has it, and admissions that count as done
 * only once the ledger shows them. Needs nothing of the server but its address: it runs where the operator's key is.
 */
import type { Follower } from "@tallylight/node/follower.js"
import { LedgerVisit } from "@tallylight/node/ledger-visit.js"
import type { Logger } from "@tallylight/node/logger.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { makeAdmission } from "@tallylight/protocol/chain/admission.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, Name } from "@tallylight/protocol/ledger/state.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"

/** By which entry an identity got onto the list. */
export type Listed = { readonly identity: Uint8Array; readonly index: number; readonly time: UnixMs }

export class AdmissionList {
    /** Those who are on it, in the order in which they were admitted. */
    readonly listed: ReadonlyMap<Name, Listed>
    readonly #visit: LedgerVisit

    /**
     * Follows the ledger, does the work once all of it was taken, and resolves when that is done. Rejects with the
     * stop signal's reason where that came first.
     */
    static async open(
        follower: Follower,
        log: Logger,
        stop: AbortSignal,
        work: (list: AdmissionList, state: ChainState) => Promise<void>,
    ): Promise<void> {
        const listed = new Map<Name, Listed>()
        const onSteps = (steps: readonly Step[]): void => keepList(listed, steps)
        await LedgerVisit.make({ follower, log, stop, onSteps }, (visit, state) =>
            work(new AdmissionList(visit, listed), state),
        )
    }

    private constructor(visit: LedgerVisit, listed: ReadonlyMap<Name, Listed>) {
        this.#visit = visit
        this.listed = listed
    }

    /**
     * Signs an admission or removal, and resolves to its receipt once the ledger shows the entry. Rejects with a
     * {@link UserError} where the server refuses it.
     */
    async decide(operator: Signer, identity: Uint8Array, admitted: boolean): Promise<Receipt> {
        const { state } = this.#visit
        const sequence = nextSequence(state, systemClock.now())
        const admission = makeAdmission(state.chain, operator, { identity, admitted, sequence })
        return this.#visit.logged({ ...admission, kind: "admission", time: 0 }, (peer) =>
            peer.request("ReqAdmission", admission),
        )
    }
}

function keepList(listed: Map<Name, Listed>, steps: readonly Step[]): void {
    for (const { entry, index } of steps) {
        if (entry.kind !== "admission") continue
        const { identity, time } = entry
        const name = nameOf(identity)
        if (!entry.admitted) listed.delete(name)
        else if (!listed.has(name)) listed.set(name, { identity, index, time })
    }
}

/** PROTOCOL.md §4.3: what a server held back can then not take effect after what was signed later. */
export function nextSequence({ admissionSequence }: ChainState, now: UnixMs): number {
    return Math.max(now, admissionSequence + 1)
}
