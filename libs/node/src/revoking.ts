/** Sends revocations to a chain's ledger server, and follows its ledger until that shows them. */
import { makeRevocation } from "@tallylight/protocol/chain/revocation.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { requireReceiptFor } from "@tallylight/protocol/ledger/receipt.js"
import { nameOf, type ChainState, type Name } from "@tallylight/protocol/ledger/state.js"
import { Bell } from "@tallylight/protocol/session/bell.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import type { Message, Receipt } from "@tallylight/protocol/wire/messages.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"
import { retry } from "./backoff.ts"
import type { Follower } from "./follower.ts"
import type { Logger } from "./logger.ts"
import { fileReceipt } from "./promises.ts"
import { systemClock } from "./system-clock.ts"
import { systemRandom } from "./system-random.ts"
import { UserError } from "./user-error.ts"

/** A registration that is to end, and where the receipts of its identity are kept, if anywhere. */
export type Revocable = { readonly signer: Signer; readonly receipts: string | undefined }

/** The highest number of all: a thief who renews the registration meanwhile would make any lower one stale. */
const lastSequence = Number.MAX_SAFE_INTEGER

/** Before a server that is busy or gone is asked again. */
const pause = { baseMs: 250, maxMs: 5000 }

export class Revoking {
    /** Who is revoked, by which entry. */
    readonly ended = new Map<Name, number>()
    readonly #follower: Follower
    readonly #log: Logger
    readonly #stop: AbortSignal
    #session: Session | undefined
    readonly #grown = new Bell()

    /** Does the work once all of the ledger was taken. Rejects with the stop signal's reason where that came first. */
    static async open(
        follower: Follower,
        log: Logger,
        stop: AbortSignal,
        work: (revoking: Revoking, state: ChainState) => Promise<void>,
    ): Promise<void> {
        const revoking = new Revoking(follower, log, stop)
        const done = new AbortController()
        await follower.run({
            role: "observer",
            onSession: (session) => {
                const isFirst = revoking.#session === undefined
                revoking.#session = session
                if (!isFirst) return
                revoking
                    .#reach(session.size)
                    .then((state) => work(revoking, state))
                    .then(() => done.abort())
                    .then(
                        () => follower.end(),
                        (error: unknown) => follower.end(error),
                    )
            },
            onSteps: (steps) => revoking.#take(steps),
        })
        if (!done.signal.aborted) stop.throwIfAborted()
    }

    private constructor(follower: Follower, log: Logger, stop: AbortSignal) {
        this.#follower = follower
        this.#log = log
        this.#stop = stop
    }

    /** Resolves to the receipt once the ledger shows the entry. */
    async end({ signer, receipts }: Revocable): Promise<Receipt> {
        const { chain, genesis, range } = this.#state()
        const revocation = makeRevocation(chain, signer, lastSequence)
        await this.#follower.remember()
        const receipt = await retry(() => this.#send(revocation), {
            ...{ ...pause, clock: systemClock, random: systemRandom, signal: this.#stop },
            onWait: (error) => this.#log.warn({ err: error }, "not logged yet; trying again"),
        })
        requireReceiptFor(receipt, { ...revocation, kind: "revocation", time: 0 }, range.size)
        const broken = this.#follower.receipts.add(receipt, genesis.messageKey)
        if (receipts !== undefined) await fileReceipt(receipts, receipt)
        if (broken !== undefined) this.#follower.convict(broken)
        await this.#reach(receipt.index + 1)
        return receipt
    }

    async #send(revocation: Message<"ReqRevoke">): Promise<Receipt> {
        if (this.#session === undefined) throw new Error("there is no connection yet")
        try {
            return (await this.#session.peer.request("ReqRevoke", revocation)).receipt
        } catch (error) {
            if (error instanceof PeerRefused && error.action !== "wait")
                throw new UserError(`the ledger server refuses: ${error.detail}`, { cause: error })
            throw error
        }
    }

    #take(steps: readonly Step[]): void {
        for (const broken of this.#follower.receipts.compare(steps)) this.#follower.convict(broken)
        for (const { entry, index } of steps)
            if (entry.kind === "revocation") this.ended.set(nameOf(entry.identity), index)
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
