/** A requester at work on one connection: its requests kept queued ahead, its tallies opened when asked. */
import type { EntryOf } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import type { Clock, UnixMs } from "@tallylight/protocol/ports/clock.js"
import { Bell } from "@tallylight/protocol/session/bell.js"
import type { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import type { BrokenPromise } from "@tallylight/protocol/session/receipts.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import type { Message, Receipt } from "@tallylight/protocol/wire/messages.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { PeerRefused, Unanswered } from "@tallylight/protocol/wire/resp-error.js"
import type { Requester } from "./requester.ts"

export type CommissionEvents = {
    readonly onRegistered: (receipt: Receipt) => void
    readonly onRequested: (receipt: Receipt, notBefore: UnixMs) => void
    readonly onOpened: (round: number) => void
    /** One of the beacons that this process asked for. */
    readonly onBeacon: (beacon: EntryOf<"beacon">) => void
    /** Nothing more is asked for after a refusal with `stop`. */
    readonly onRefused: (what: string, error: PeerRefused) => void
    readonly onBrokenPromise: (broken: BrokenPromise) => void
    /** Before anything is sent that rests on a state: what it was must be durable. */
    readonly beforeActing: (state: ChainState) => Promise<void>
    readonly onFault: (error: unknown) => void
}

/** How many beacons are wanted, and how far apart their tickets should be. */
export type Demand = { readonly rounds: number; readonly intervalMs: number }

/** Before a refused request is tried again. */
const pauseMs = 1000

export class Commission {
    readonly #requester: Requester
    readonly #demand: Demand
    readonly #events: CommissionEvents
    readonly #clock: Clock
    #session: Session | undefined
    readonly #receipts: ReceiptBook
    #state: ChainState | undefined
    /** When the last request of this process is or was due. */
    #lastDue: UnixMs | undefined
    #history: number | undefined
    #acting = false
    /** Told to stop: the same would be refused at every step of the ledger. */
    #gaveUp = false
    #lookAgain = false
    /** Own beacons that came since this process started. */
    #beacons = 0
    /** Rings whenever the state moves. */
    readonly #moved = new Bell()

    /** One for the life of the process: its beacons are counted across connections. */
    constructor(
        requester: Requester,
        demand: Demand,
        clock: Clock,
        receipts: ReceiptBook,
        events: CommissionEvents,
    ) {
        this.#receipts = receipts
        this.#requester = requester
        this.#demand = demand
        this.#clock = clock
        this.#events = events
    }

    get done(): boolean {
        return this.#beacons >= this.#demand.rounds
    }

    /** A connection, after the first one or after another that ended. */
    attach(session: Session): void {
        this.#session = session
        this.#history ??= session.size
        this.#moved.ring()
        void this.act()
    }

    /** Steps that are certain; returns at once. */
    take(steps: readonly Step[]): void {
        for (const broken of this.#receipts.compare(steps)) this.#events.onBrokenPromise(broken)
        for (const { index, entry, before, after } of steps) {
            this.#state = after
            // What was there before the first connection was asked for by somebody before this process.
            if (index < (this.#history ?? 0)) continue
            const ended = before?.current
            if (entry.kind !== "beacon" || ended?.round !== entry.round) continue
            if (!this.#requester.isMine(ended.request)) continue
            this.#beacons += 1
            this.#events.onBeacon(entry)
        }
        this.#moved.ring()
        void this.act()
    }

    keep(receipt: Receipt): void {
        if (this.#session === undefined) return
        const broken = this.#receipts.add(receipt, this.#session.genesis.messageKey)
        if (broken !== undefined) this.#events.onBrokenPromise(broken)
    }

    /** The answer to a ReqDecryption, once the ledger that this side verifies has come as far as the question. */
    async open(asked: Message<"ReqDecryption">, timeoutMs: number): Promise<Message<"RespDecryption">> {
        const over = new AbortController()
        const tooLong = this.#clock.sleep(timeoutMs, over.signal).then(
            () => true,
            () => false,
        )
        while (!this.#hasSeen(asked.index)) {
            const isLate = await Promise.race([this.#moved.heard().then(() => false), tooLong])
            if (isLate) break
        }
        over.abort()
        const state = this.#state
        if (state === undefined || !this.#hasSeen(asked.index))
            throw new Refusal("no-tally", { round: asked.round })
        await this.#events.beforeActing(state)
        const answer = await this.#requester.open(state, asked)
        this.#events.onOpened(asked.round)
        return answer
    }

    #hasSeen(index: number): boolean {
        return (this.#state?.range.size ?? 0) > index
    }

    /** Registers or requests what is missing, one thing at a time, until nothing is. */
    async act(): Promise<void> {
        this.#lookAgain = true
        if (this.#acting) return
        this.#acting = true
        try {
            // Whoever calls meanwhile has news that the running look may have come too early for.
            while (this.#lookAgain) {
                this.#lookAgain = false
                while (await this.#actOnce());
            }
        } catch (error) {
            this.#events.onFault(error)
        } finally {
            this.#acting = false
        }
    }

    /** Whether something was done, and the state is worth another look. */
    async #actOnce(): Promise<boolean> {
        const [state, session] = [this.#state, this.#session]
        if (state === undefined || session === undefined || state.range.size < session.size) return false
        if (!this.#requester.asks || this.#gaveUp) return false
        const registers = this.#requester.needsRegistration(state)
        if (!registers && !this.#wantsRequest(state)) return false
        await this.#events.beforeActing(state)
        let receipt: Receipt
        try {
            if (registers) {
                receipt = await this.#requester.register(state, session.peer)
                this.keep(receipt)
                this.#events.onRegistered(receipt)
            } else {
                const notBefore = this.#notBefore(state)
                receipt = await this.#requester.request(state, notBefore, session.peer)
                this.keep(receipt)
                this.#lastDue = Math.max(notBefore, receipt.time)
                this.#events.onRequested(receipt, notBefore)
            }
        } catch (error) {
            if (error instanceof PeerRefused) {
                this.#gaveUp = error.action === "stop"
                this.#events.onRefused(registers ? "registration" : "request", error)
                if (this.#gaveUp) return false
            } else if (!(error instanceof Unanswered)) throw error
            await this.#clock.sleep(pauseMs)
            return true
        }
        // Acting on a state that does not show it yet would ask for the same thing again.
        while (!this.#hasSeen(receipt.index) && this.#session === session) await this.#moved.heard()
        return true
    }

    #wantsRequest(state: ChainState): boolean {
        const inProgress =
            state.current !== undefined && this.#requester.isMine(state.current.request) ? 1 : 0
        const coming = this.#requester.waiting(state).length + inProgress
        return this.#requester.hasRoom(state) && this.#beacons + coming < this.#demand.rounds
    }

    /** One interval after the request in front of it was or will be due. */
    #notBefore(state: ChainState): UnixMs {
        const { intervalMs } = this.#demand
        const last = this.#requester.waiting(state).at(-1)?.due ?? this.#lastDue
        return last === undefined ? 0 : last + intervalMs
    }
}
