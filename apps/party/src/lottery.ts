/** Any number of parties on one connection: who has to do what after each step of the ledger. */
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import type { BrokenPromise } from "@tallylight/protocol/session/receipts.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import type { ChainState, OpenRound } from "@tallylight/protocol/ledger/state.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { PeerRefused, Unanswered } from "@tallylight/protocol/wire/resp-error.js"
import { NoEntropy } from "./entropy.ts"
import type { Bar, Party } from "./party.ts"

export type LotteryEvents = {
    readonly onRegistered: (party: Party, receipt: Receipt) => void
    /** This party can not register, or no longer. */
    readonly onBarred: (party: Party, bar: Bar) => void
    readonly onAnswered: (party: Party, round: number, kind: string, receipt: Receipt) => void
    readonly onRefused: (party: Party, what: string, error: PeerRefused) => void
    readonly onBrokenPromise: (broken: BrokenPromise) => void
    /** Before anybody acts on a state: what it was must be durable, to recognise a history that contradicts it. */
    readonly beforeActing: (state: ChainState) => Promise<void>
    readonly onFault: (error: unknown) => void
}

/** After these, what was refused before may be taken. */
const openings: ReadonlySet<EntryKind> = new Set(["admission", "ticket", "extension", "beacon", "void"])

/** Before something is tried again that the PDL put off, or for which an entropy node gave nothing. */
const pauseMs = 1000

export class Lottery {
    readonly #parties: readonly Party[]
    readonly #events: LotteryEvents
    readonly #session: Session
    readonly #receipts: ReceiptBook
    readonly #clock: Clock
    #isOver = false
    #acted: Promise<void> = Promise.resolve()
    #state: ChainState
    /** What a party is doing, or has been told not to try again, in the open round or before the next. */
    readonly #busy = new Map<Party, object>()
    /** Who was told to stop asking for a registration, and is not admitted anew since. */
    readonly #refused = new Set<Party>()
    /** Who was told why it is kept out, and not let in since. */
    readonly #barred = new Map<Party, Bar>()

    /** For one connection; the next one gets a new lottery. */
    constructor(
        parties: readonly Party[],
        session: Session,
        state: ChainState,
        clock: Clock,
        receipts: ReceiptBook,
        events: LotteryEvents,
    ) {
        this.#clock = clock
        void session.ended.then(() => (this.#isOver = true))
        this.#parties = parties
        this.#events = events
        this.#session = session
        this.#state = state
        this.#receipts = receipts
    }

    /** Steps that are certain; returns at once. */
    take(steps: readonly Step[]): void {
        for (const broken of this.#receipts.compare(steps)) this.#events.onBrokenPromise(broken)
        const last = steps.at(-1)
        if (last !== undefined) this.#state = last.after
        if (steps.some(({ entry }) => openings.has(entry.kind))) this.#busy.clear()
        if (steps.some(({ entry }) => entry.kind === "admission")) this.#refused.clear()
        this.act()
    }

    act(): void {
        this.#acted = this.#acted
            .then(() => this.#actNow())
            .catch((error: unknown) => this.#events.onFault(error))
    }

    async #actNow(): Promise<void> {
        const state = this.#state
        // On the way through history every round looks open for a moment.
        if (state.range.size < this.#session.size) return
        this.#tellBarred(state)
        const { current } = state
        const idle = this.#parties.filter((party) => !this.#busy.has(party))
        const unregistered = idle.filter(
            (party) =>
                !this.#refused.has(party) &&
                party.barredBy(state) === undefined &&
                party.needsRegistration(state),
        )
        const asked = current?.phase === "open" ? idle.filter((party) => party.isAsked(current)) : []
        if (unregistered.length + asked.length === 0) return
        await this.#events.beforeActing(state)
        for (const party of unregistered)
            this.#start(party, "registration", () => this.#register(party, state))
        for (const party of asked) {
            if (current?.phase === "open" && !this.#busy.has(party))
                this.#start(party, "answer", () => this.#answer(party, state, current))
        }
    }

    #tellBarred(state: ChainState): void {
        for (const party of this.#parties) {
            const bar = party.barredBy(state)
            if (bar === undefined) this.#barred.delete(party)
            else if (this.#barred.get(party) !== bar) {
                this.#barred.set(party, bar)
                this.#events.onBarred(party, bar)
            }
        }
    }

    #start(party: Party, what: string, work: () => Promise<void>): void {
        const doing = {}
        this.#busy.set(party, doing)
        work().catch(async (error: unknown) => {
            if (error instanceof PeerRefused) {
                this.#events.onRefused(party, what, error)
                if (what === "registration" && error.action === "stop") this.#refused.add(party)
                // An answer that came too late for this round comes too late the next second as well.
                if (error.action !== "wait" || (what === "answer" && error.code !== "busy")) return
            } else if (!(error instanceof Unanswered || error instanceof NoEntropy))
                return this.#events.onFault(error)
            await this.#clock.sleep(pauseMs)
            // The next connection has a lottery of its own, which starts from what the ledger shows; and where the
            // ledger went on, the party has been asked anew.
            if (this.#isOver || this.#busy.get(party) !== doing) return
            this.#busy.delete(party)
            this.act()
        })
    }

    async #register(party: Party, state: ChainState): Promise<void> {
        const receipt = await party.register(state, this.#session.peer)
        this.#keep(receipt)
        this.#events.onRegistered(party, receipt)
        this.#busy.delete(party)
    }

    async #answer(party: Party, state: ChainState, current: OpenRound): Promise<void> {
        const answer = await party.answer(state, current)
        if (answer === undefined) return
        const receipt = await party.send(answer, state, current, this.#session.peer)
        this.#keep(receipt)
        this.#events.onAnswered(party, current.round, answer.kind, receipt)
    }

    #keep(receipt: Receipt): void {
        const broken = this.#receipts.add(receipt, this.#session.genesis.messageKey)
        if (broken !== undefined) this.#events.onBrokenPromise(broken)
    }
}
