/**
 * A command's visit to a chain: it follows the ledger, does its work once all of that was taken, and goes. What it has
 * logged counts as done only once the verified ledger shows it.
 */
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { requireReceiptFor } from "@tallylight/protocol/ledger/receipt.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { Bell } from "@tallylight/protocol/session/bell.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { PeerRefused } from "@tallylight/protocol/wire/resp-error.js"
import { retry } from "./backoff.ts"
import type { Follower } from "./follower.ts"
import type { Logger } from "./logger.ts"
import { fileReceipt } from "./promises.ts"
import { systemClock } from "./system-clock.ts"
import { systemRandom } from "./system-random.ts"
import { UserError } from "./user-error.ts"

export type VisitOptions = {
    readonly follower: Follower
    readonly log: Logger
    readonly stop: AbortSignal
    /** Told of all that is taken, before the work and during it. */
    readonly onSteps: (steps: readonly Step[]) => void
}

/** Before a server that is busy or gone is asked again. */
const pause = { baseMs: 250, maxMs: 5000 }

export class LedgerVisit {
    readonly #options: VisitOptions
    #session: Session | undefined
    readonly #grown = new Bell()

    /** Resolves when the work is done. Rejects with the stop signal's reason where that came first. */
    static async make(
        options: VisitOptions,
        work: (visit: LedgerVisit, state: ChainState) => Promise<void>,
    ): Promise<void> {
        const { follower, stop } = options
        const visit = new LedgerVisit(options)
        const done = new AbortController()
        await follower.run({
            role: "observer",
            onSession: (session) => {
                const isFirst = visit.#session === undefined
                visit.#session = session
                if (!isFirst) return
                visit
                    .#reach(session.size)
                    .then((state) => work(visit, state))
                    .then(() => done.abort())
                    .then(
                        () => follower.end(),
                        (error: unknown) => follower.end(error),
                    )
            },
            onSteps: (steps) => visit.#take(steps),
        })
        if (!done.signal.aborted) stop.throwIfAborted()
    }

    private constructor(options: VisitOptions) {
        this.#options = options
    }

    get state(): ChainState {
        const { state } = this.#options.follower.replica
        if (state === undefined) throw new Error("no checkpoint has covered anything yet")
        return state
    }

    /**
     * Sends what asks for that entry until it is logged, and resolves to its receipt, which is also written to the file of
     * `receipts`, once the ledger shows the entry. Rejects with a {@link UserError} where the server refuses it.
     */
    async logged(
        entry: Entry,
        send: (peer: Session["peer"]) => Promise<{ readonly receipt: Receipt }>,
        receipts?: string,
    ): Promise<Receipt> {
        const { follower, log, stop } = this.#options
        const { genesis, range } = this.state
        await follower.remember()
        const receipt = await retry(() => this.#ask(send), {
            ...{ ...pause, clock: systemClock, random: systemRandom, signal: stop },
            onWait: (error) => log.warn({ err: error }, "not logged yet; trying again"),
        })
        requireReceiptFor(receipt, entry, range.size)
        const broken = follower.receipts.add(receipt, genesis.messageKey)
        if (receipts !== undefined) await fileReceipt(receipts, receipt)
        if (broken !== undefined) follower.convict(broken)
        await this.#reach(receipt.index + 1)
        return receipt
    }

    async #ask(send: (peer: Session["peer"]) => Promise<{ readonly receipt: Receipt }>): Promise<Receipt> {
        if (this.#session === undefined) throw new Error("there is no connection yet")
        try {
            return (await send(this.#session.peer)).receipt
        } catch (error) {
            if (error instanceof PeerRefused && error.action !== "wait")
                throw new UserError(`the ledger server refuses: ${error.detail}`, { cause: error })
            throw error
        }
    }

    #take(steps: readonly Step[]): void {
        const { follower, onSteps } = this.#options
        for (const broken of follower.receipts.compare(steps)) follower.convict(broken)
        onSteps(steps)
        this.#grown.ring()
    }

    async #reach(size: number): Promise<ChainState> {
        const { replica } = this.#options.follower
        while ((replica.state?.range.size ?? 0) < size) await this.#grown.heard()
        return this.state
    }
}
