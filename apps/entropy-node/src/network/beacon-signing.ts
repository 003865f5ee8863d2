/**
 * Pays what an entropy node owes a chain of beacons, one debt at a time: the entry is sent, its receipt is kept, and what
 * is put off is tried again.
 */
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { requireReceiptFor } from "@tallylight/protocol/ledger/receipt.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, SignableBeacon } from "@tallylight/protocol/ledger/state.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import type { BrokenPromise } from "@tallylight/protocol/session/receipts.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { PeerRefused, Unanswered } from "@tallylight/protocol/wire/resp-error.js"
import type { PulseSigner } from "../hsm/pulse-signer.ts"
import { PulseDelayed } from "../pulses/pulse-maker.ts"
import type { BeaconPulses, Pulses } from "../pulses/pulses.ts"
import { debtOf, whyNothingIsOwed, widerMargin } from "./debts.ts"
import type { Attempts, Debt } from "./debts.ts"
import { canOpen, pay } from "./payment.ts"
import type { Payment } from "./payment.ts"
import { isTorn, PulseChainInUse } from "./pulse-chain-in-use.ts"

export type SigningNode = {
    readonly identity: Signer
    readonly key: PulseSigner
    readonly pulses: Pick<Pulses, "follow">
}

export type SigningEvents = {
    readonly onLogged: (what: Debt["what"], receipt: Receipt, round: number | undefined) => void
    readonly onRefused: (what: Debt["what"], error: PeerRefused) => void
    /** Why it signs nothing for now; each reason once. */
    readonly onIdle: (reason: string) => void
    readonly onBrokenPromise: (broken: BrokenPromise) => void
    /** Before anybody acts on a state: what it was must be durable, to recognise a history that contradicts it. */
    readonly beforeActing: () => Promise<void>
    readonly onFault: (error: unknown) => void
}

/** What an honest server answers to whoever acted on a state that is no longer the latest. */
const movedOn: ReadonlySet<string> = new Set([
    ...["wrong-commitment", "stale-sequence", "no-beacon", "already-signed"],
    ...["not-registered", "not-admitted", "revoked"],
])

/** Before something that was put off, by the server or for want of a key or a source, is tried again. */
const pauseMs = 1000

export class BeaconSigning {
    readonly #node: SigningNode
    readonly #session: Session
    readonly #receipts: ReceiptBook
    readonly #clock: Clock
    readonly #events: SigningEvents
    #state: ChainState
    #isOver = false
    #acted: Promise<void> = Promise.resolve()
    #isWaiting = false
    /** What was acknowledged last: until the ledger shows it, nothing new can be owed. */
    #sent = -1
    readonly #chainInUse: PulseChainInUse
    readonly #attempts: Attempts = { lost: new Set(), margin: 0, last: undefined, made: undefined }
    #idleReason = ""

    /** For one connection; the next one gets a new one. */
    constructor(
        node: SigningNode,
        session: Session,
        state: ChainState,
        clock: Clock,
        receipts: ReceiptBook,
        events: SigningEvents,
    ) {
        this.#node = node
        this.#session = session
        this.#state = state
        this.#clock = clock
        this.#receipts = receipts
        this.#events = events
        this.#chainInUse = new PulseChainInUse(node.pulses, state.chain)
        void session.ended.then(() => (this.#isOver = true))
    }

    /** Steps that are certain; returns at once. */
    take(steps: readonly Step[]): void {
        for (const broken of this.#receipts.compare(steps)) this.#events.onBrokenPromise(broken)
        const last = steps.at(-1)
        if (last !== undefined) this.#state = last.after
        this.act()
    }

    act(): void {
        if (this.#isWaiting) return
        this.#isWaiting = true
        this.#acted = this.#acted
            .then(() => {
                this.#isWaiting = false
                return this.#actNow()
            })
            .catch((error: unknown) => this.#events.onFault(error))
    }

    async #actNow(): Promise<void> {
        const state = this.#state
        // On the way through history everything looks owed for a moment.
        if (this.#isOver || state.range.size < this.#session.size || state.range.size <= this.#sent) return
        const node = state.nodes.get(nameOf(this.#node.identity.publicKey))
        const chain = await this.#chainInUse.current(node)
        this.#attempts.made = await chain.lastMade()
        if (isTorn(chain.chain, this.#attempts.made, node, state)) {
            this.#chainInUse.leave()
            this.act()
            return
        }
        const debt = await this.#debt(state, chain)
        if (debt === undefined) return
        await this.#events.beforeActing()
        this.#attempts.last = debt.what
        try {
            await this.#pay(debt, state, chain)
            this.#idleReason = ""
        } catch (error) {
            if (!this.#isPutOff(debt, error)) throw error
            await this.#clock.sleep(pauseMs)
            this.act()
        }
    }

    async #debt(state: ChainState, chain: BeaconPulses): Promise<Debt | undefined> {
        const { identity, key } = this.#node
        const reason = whyNothingIsOwed(state, identity.publicKey)
        if (reason !== undefined) {
            this.#idle(reason)
            return undefined
        }
        const plan = await chain.plan()
        const own = {
            ...{ identity: identity.publicKey, pulseChain: chain.chain, modulus: key.modulus },
            ...{ hardware: plan.hardware, certificateId: plan.certificateId },
        }
        return debtOf(state, own, this.#attempts)
    }

    /** Whether trying again may help; anything else is a fault. */
    #isPutOff(debt: Debt, error: unknown): boolean {
        if (error instanceof Unanswered) return true
        if (error instanceof PulseDelayed) {
            this.#idle(`${error.message}${error.cause instanceof Error ? `: ${error.cause.message}` : ""}`)
            return true
        }
        if (!(error instanceof PeerRefused)) return false
        this.#events.onRefused(debt.what, error)
        if (error.code === "wrong-commitment") this.#attempts.margin = widerMargin(this.#attempts.margin)
        if (debt.what === "pulse" && (error.code === "bad-links" || error.code === "bad-pulse")) {
            // What the ledger has of the chain is not what is here: pulses got lost on one of the two sides.
            this.#chainInUse.leave()
            return true
        }
        // The ledger moved on meanwhile, and what is owed is decided anew from it.
        return error.action === "wait" || movedOn.has(error.code)
    }

    #idle(reason: string): void {
        if (reason !== this.#idleReason) this.#events.onIdle(reason)
        this.#idleReason = reason
    }

    async #pay(debt: Debt, { chain: id }: ChainState, chain: BeaconPulses): Promise<void> {
        const { identity, key } = this.#node
        if (debt.what === "pulse" && !(await canOpen(debt.node, debt.beacon.ordinal, chain))) {
            this.#passOver(debt.beacon)
            return
        }
        const payer = { id, peer: this.#session.peer, identity, key, chain, clock: this.#clock }
        const payment = await pay(debt, payer)
        if (debt.what === "commitments") this.#attempts.margin = 0
        this.#keep(payment, debt)
    }

    #passOver({ ordinal, round }: SignableBeacon): void {
        this.#attempts.lost.add(ordinal)
        this.#idle(`the value that was committed to for the beacon of round ${round} is lost`)
        this.act()
    }

    #keep({ receipt, entry }: Payment, debt: Debt): void {
        requireReceiptFor(receipt, entry, this.#state.range.size)
        const broken = this.#receipts.add(receipt, this.#session.genesis.messageKey)
        if (broken !== undefined) this.#events.onBrokenPromise(broken)
        this.#sent = receipt.index
        this.#events.onLogged(debt.what, receipt, debt.what === "pulse" ? debt.beacon.round : undefined)
        this.act()
    }
}
