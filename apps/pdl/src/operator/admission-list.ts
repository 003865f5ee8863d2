/**
 * The operator's side of a listed chain: the list as the verified ledger has it, and admissions that count as done
 * only once the ledger shows them. Needs nothing of the server but its address: it runs where the operator's key is.
 */
import type { Follower } from "@tallylight/node/follower.js"
import { retry } from "@tallylight/node/backoff.js"
import type { Logger } from "@tallylight/node/logger.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import { makeAdmission } from "@tallylight/protocol/chain/admission.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { requireReceiptFor } from "@tallylight/protocol/ledger/receipt.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, Name } from "@tallylight/protocol/ledger/state.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import { Bell } from "@tallylight/protocol/session/bell.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import type { Message, Receipt } from "@tallylight/protocol/wire/messages.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"

/** By which entry an identity got onto the list. */
export type Listed = { readonly identity: Uint8Array; readonly index: number; readonly time: UnixMs }

/** Before a server that is busy or gone is asked again. */
const pause = { baseMs: 250, maxMs: 5000 }

export class AdmissionList {
    /** Those who are on it, in the order in which they were admitted. */
    readonly listed = new Map<Name, Listed>()
    readonly #follower: Follower
    readonly #log: Logger
    readonly #stop: AbortSignal
    #session: Session | undefined
    readonly #grown = new Bell()

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
        const list = new AdmissionList(follower, log, stop)
        const done = new AbortController()
        await follower.run({
            role: "observer",
            onSession: (session) => {
                const isFirst = list.#session === undefined
                list.#session = session
                if (!isFirst) return
                list.#reach(session.size)
                    .then((state) => work(list, state))
                    .then(() => done.abort())
                    .then(
                        () => follower.end(),
                        (error: unknown) => follower.end(error),
                    )
            },
            onSteps: (steps) => list.#take(steps),
        })
        if (!done.signal.aborted) stop.throwIfAborted()
    }

    private constructor(follower: Follower, log: Logger, stop: AbortSignal) {
        this.#follower = follower
        this.#log = log
        this.#stop = stop
    }

    /**
     * Signs an admission or removal, and resolves to its receipt once the ledger shows the entry. Rejects with a
     * {@link UserError} where the server refuses it.
     */
    async decide(operator: Signer, identity: Uint8Array, admitted: boolean): Promise<Receipt> {
        const state = this.#state()
        const sequence = nextSequence(state, systemClock.now())
        const admission = makeAdmission(state.chain, operator, { identity, admitted, sequence })
        const receipt = await retry(() => this.#send(admission), {
            ...{ ...pause, clock: systemClock, random: systemRandom, signal: this.#stop },
            onWait: (error) => this.#log.warn({ err: error }, "not logged yet; trying again"),
        })
        requireReceiptFor(receipt, { ...admission, kind: "admission", time: 0 }, state.range.size)
        const broken = this.#follower.receipts.add(receipt, state.genesis.messageKey)
        if (broken !== undefined) this.#follower.convict(broken)
        await this.#reach(receipt.index + 1)
        return receipt
    }

    async #send(admission: Message<"ReqAdmission">): Promise<Receipt> {
        if (this.#session === undefined) throw new Error("there is no connection yet")
        try {
            return (await this.#session.peer.request("ReqAdmission", admission)).receipt
        } catch (error) {
            if (error instanceof PeerRefused && error.action !== "wait")
                throw new UserError(`the ledger server refuses: ${error.detail}`, { cause: error })
            throw error
        }
    }

    #take(steps: readonly Step[]): void {
        for (const broken of this.#follower.receipts.compare(steps)) this.#follower.convict(broken)
        for (const { entry, index } of steps) {
            if (entry.kind !== "admission") continue
            const { identity, time } = entry
            const name = nameOf(identity)
            if (!entry.admitted) this.listed.delete(name)
            else if (!this.listed.has(name)) this.listed.set(name, { identity, index, time })
        }
        this.#grown.ring()
    }

    async #reach(size: number): Promise<ChainState> {
        const { replica } = this.#follower
        while ((replica.state?.range.size ?? 0) < size) await this.#grown.heard()
        return this.#state()
    }

    #state(): ChainState {
        const { state } = this.#follower.replica
        if (state === undefined) throw new Error("no checkpoint has covered anything yet")
        return state
    }
}

/** PROTOCOL.md §4.3: what a server held back can then not take effect after what was signed later. */
export function nextSequence({ admissionSequence }: ChainState, now: UnixMs): number {
    return Math.max(now, admissionSequence + 1)
}
