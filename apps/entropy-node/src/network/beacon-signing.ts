/**
 * What an entropy node owes a chain of beacons: a registration, commitments ahead of the tickets, and a pulse for each
 * beacon, in order. One thing at a time, each decided anew from what the ledger shows.
 */
import { equalBytes, toHex } from "@tallylight/crypto/bytes.js"
import { hasEntropyNodes } from "@tallylight/protocol/chain/genesis.js"
import { makeNodeRegistration, pulseKeyPossession } from "@tallylight/protocol/chain/entropy-node.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { requireReceiptFor } from "@tallylight/protocol/ledger/receipt.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, EntropyNode, SignableBeacon } from "@tallylight/protocol/ledger/state.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { encodePulseMessage } from "@tallylight/protocol/pulse/pulse.js"
import { chainDescription } from "@tallylight/protocol/round/beacon-pulse.js"
import { makeCommitment } from "@tallylight/protocol/round/commitment.js"
import type { ReceiptBook } from "@tallylight/protocol/session/receipts.js"
import type { BrokenPromise } from "@tallylight/protocol/session/receipts.js"
import type { Step } from "@tallylight/protocol/session/replica.js"
import type { Session } from "@tallylight/protocol/session/session.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { PeerRefused, Unanswered } from "@tallylight/protocol/wire/resp-error.js"
import type { PulseSigner } from "../hsm/pulse-signer.ts"
import { PulseDelayed } from "../pulses/pulse-maker.ts"
import type { BeaconPulses, Pulses } from "../pulses/pulses.ts"

export type SigningNode = {
    readonly identity: Signer
    readonly key: PulseSigner
    /** Whether key and sources are hardware, as the ledger is told. */
    readonly hardware: boolean
    readonly pulses: Pick<Pulses, "follow" | "certificate">
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

type Debt =
    | { readonly what: "registration"; readonly node: EntropyNode | undefined }
    | { readonly what: "commitments"; readonly first: number }
    | { readonly what: "pulse"; readonly node: EntropyNode; readonly beacon: SignableBeacon }

/**
 * So many beacons are committed to at a time: a value takes a slow chip a tenth of a second and more, during which no
 * beacon is signed.
 */
const commitAtOnce = 8
/** With fewer ahead there is time for more when no beacon waits; with hardly any, before all else. */
const [enoughAhead, leastAhead] = [24, 2]
/** Beacons that may come while values are drawn: doubled up to that each time they came sooner than the commitment. */
const longestMargin = 64

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
    /** Of the node's pulse chains for this chain of beacons, the one that is in use, from 1. */
    #generation = 0
    #chain: BeaconPulses | undefined
    /** Ordinals whose values are lost, or were passed over: their pulses cannot be made any more. */
    readonly #lost = new Set<number>()
    /** From the latest beacon to the first that is committed to, where there is no commitment yet to go on from. */
    #margin = 0
    #lastTried: Debt["what"] | undefined
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
        const chain = await this.#chainInUse(state)
        if (await this.#isTorn(state, chain)) {
            this.#generation += 1
            this.#chain = undefined
            this.act()
            return
        }
        const debt = this.#debt(state, chain)
        if (debt === undefined) return
        await this.#events.beforeActing()
        this.#lastTried = debt.what
        try {
            await this.#pay(debt, state, chain)
            this.#idleReason = ""
        } catch (error) {
            if (!this.#isPutOff(debt, error)) throw error
            await this.#clock.sleep(pauseMs)
            this.act()
        }
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
        if (error.code === "wrong-commitment")
            this.#margin = Math.min(longestMargin, Math.max(1, 2 * this.#margin))
        if (debt.what === "pulse" && (error.code === "bad-links" || error.code === "bad-pulse")) {
            // What the ledger has of the chain is not what is here: pulses got lost on one of the two sides.
            this.#generation += 1
            this.#chain = undefined
            return true
        }
        // The ledger moved on meanwhile, and what is owed is decided anew from it.
        return error.action === "wait" || movedOn.has(error.code)
    }

    #idle(reason: string): void {
        if (reason !== this.#idleReason) this.#events.onIdle(reason)
        this.#idleReason = reason
    }

    /** The pulse chain that the ledger knows, or the next one after all that it has seen. */
    async #chainInUse({ nodes, chain: id }: ChainState): Promise<BeaconPulses> {
        if (this.#chain !== undefined) return this.#chain
        const registered = nodes.get(nameOf(this.#node.identity.publicKey))?.pulseChain
        const of = (generation: number) => this.#node.pulses.follow(generationName(id, generation))
        if (this.#generation === 0) {
            this.#generation = 1
            let chain = await of(1)
            while (registered !== undefined && chain.chain < registered)
                chain = await of((this.#generation += 1))
        }
        return (this.#chain = await of(this.#generation))
    }

    /** Whether what the ledger has of that chain of pulses is not what is here: they got lost on one of the two sides. */
    async #isTorn({ nodes, signable }: ChainState, chain: BeaconPulses): Promise<boolean> {
        const node = nodes.get(nameOf(this.#node.identity.publicKey))
        const last = await chain.lastOrdinal()
        const shown = node?.pulseChain === chain.chain && node.trail !== undefined ? node.signed : undefined
        if (last === shown) return false
        // Made, and not logged: it can still be, as long as nothing that is owed comes before it.
        return last === undefined || last < (shown ?? 0) || !signable.some(({ ordinal }) => ordinal === last)
    }

    #debt(state: ChainState, { chain }: BeaconPulses): Debt | undefined {
        const { genesis, nodes, admitted, beacons, signable, rounds } = state
        const name = nameOf(this.#node.identity.publicKey)
        const node = nodes.get(name)
        const reason = !hasEntropyNodes(genesis)
            ? "this chain is of version 1, which has no entropy nodes"
            : node?.revoked === true
              ? "the registration of this node was revoked"
              : genesis.parameters.admission === "listed" && !admitted.has(name)
                ? `this chain admits listed nodes only: give this identity to its operator: ${name}`
                : undefined
        if (reason !== undefined) {
            this.#idle(reason)
            return undefined
        }
        const halfLife = genesis.parameters.registrationRounds / 2
        const isCurrent = node !== undefined && this.#isRegistered(node, chain)
        if (!isCurrent || node.lastRound - rounds <= halfLife) return { what: "registration", node }
        const first = Math.max(node.nextCommitment, beacons + 1 + this.#margin)
        const ahead = node.nextCommitment - 1 - beacons
        const beacon = signable.find(({ ordinal }) => ordinal > node.signed && !this.#lost.has(ordinal))
        // In turns where both are urgent: values of a slow chip must not keep back what can be signed.
        const isTurn = ahead >= leastAhead || this.#lastTried === "commitments"
        if (beacon !== undefined && isTurn) return { what: "pulse", node, beacon }
        return ahead < enoughAhead ? { what: "commitments", first } : undefined
    }

    #isRegistered({ modulus, certificateId, pulseChain, hardware }: EntropyNode, chain: number): boolean {
        const { key, pulses } = this.#node
        return (
            equalBytes(modulus, key.modulus) &&
            equalBytes(certificateId, pulses.certificate.id) &&
            hardware === this.#node.hardware &&
            pulseChain === chain
        )
    }

    async #pay(debt: Debt, state: ChainState, chain: BeaconPulses): Promise<void> {
        switch (debt.what) {
            case "registration":
                return this.#register(state, debt.node, chain.chain)
            case "commitments":
                return this.#commit(state, debt.first, chain)
            case "pulse":
                return this.#signBeacon(state, debt.node, debt.beacon, chain)
        }
    }

    async #register(state: ChainState, node: EntropyNode | undefined, pulseChain: number): Promise<void> {
        const { identity, key, hardware, pulses } = this.#node
        const plan = {
            ...{ identity: identity.publicKey, sequence: (node?.sequence ?? -1) + 1, pulseChain, hardware },
            ...{ modulus: key.modulus, certificateId: pulses.certificate.id },
        }
        const proof = await key.sign(pulseKeyPossession(state.chain, plan)).catch((error: unknown) => {
            throw new PulseDelayed("the key of the pulses does not sign", { cause: error })
        })
        const made = makeNodeRegistration(state.chain, identity, plan, proof)
        const { receipt } = await this.#session.peer.request("ReqRegister", { role: "entropy-node", ...made })
        this.#keep(receipt, { ...made, kind: "node-registration", time: 0 }, "registration")
    }

    async #commit(state: ChainState, first: number, chain: BeaconPulses): Promise<void> {
        const values = await chain.commitmentsAhead(first, commitAtOnce)
        const made = makeCommitment(state.chain, this.#node.identity, first, values)
        const { receipt } = await this.#session.peer.request("ReqCommitment", made)
        this.#margin = 0
        this.#keep(receipt, { ...made, kind: "commitment", time: 0 }, "commitments")
    }

    async #signBeacon(
        state: ChainState,
        node: EntropyNode,
        { ordinal, round, output }: SignableBeacon,
        chain: BeaconPulses,
    ): Promise<void> {
        if (!(await this.#canOpen(node, ordinal, chain))) {
            this.#lost.add(ordinal)
            this.#idle(`the value that was committed to for the beacon of round ${round} is lost`)
            this.act()
            return
        }
        const external = { source: chainDescription(state.chain), statusCode: 0, value: output }
        const { pulse } = await chain.pulseOf({ ordinal, time: this.#clock.now(), external })
        const { publicKey } = this.#node.identity
        const message = encodePulseMessage(pulse)
        const made = { identity: publicKey, round, message, proof: pulse.signatureValue }
        const { receipt } = await this.#session.peer.request("ReqPulse", made)
        this.#keep(receipt, { ...made, kind: "pulse", time: 0 }, "pulse", round)
    }

    /** Whether what is kept here is what the ledger was promised: it is not where the pulses' file was lost. */
    async #canOpen(node: EntropyNode, ordinal: number, chain: BeaconPulses): Promise<boolean> {
        if (await chain.isPassed(ordinal)) return false
        const own = await chain.commitmentsAhead(ordinal, 2)
        return own.every((value, at) => {
            const promised = node.commitments.get(ordinal + at)
            return promised === undefined || equalBytes(promised.value, value)
        })
    }

    #keep(receipt: Receipt, entry: Entry, what: Debt["what"], round?: number): void {
        requireReceiptFor(receipt, entry, this.#state.range.size)
        const broken = this.#receipts.add(receipt, this.#session.genesis.messageKey)
        if (broken !== undefined) this.#events.onBrokenPromise(broken)
        this.#sent = receipt.index
        this.#events.onLogged(what, receipt, round)
        this.act()
    }
}

/** What the pulses' store knows a pulse chain by. */
function generationName(chain: Uint8Array, generation: number): string {
    return generation === 1 ? toHex(chain) : `${toHex(chain)}/${generation}`
}
