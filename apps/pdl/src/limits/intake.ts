/**
 * What strangers may add to the ledger and to the queue. Everybody can make keys, so whoever limits identities limits
 * nobody: addresses are counted, and all newcomers together. Who is registered has an allowance of its own, which no
 * flood of newcomers touches.
 */
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import { farthestCommitment } from "@tallylight/protocol/round/commitment.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { Budget } from "@tallylight/protocol/wire/budget.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { Allowances } from "./allowances.ts"

/** Budgets are of kibibytes begun, so that a committee of 256 costs what it weighs. */
export type IntakeLimits = {
    readonly registrations: Budget
    readonly registrationsPerAddress: Budget
    readonly renewalsPerIdentity: Budget
    readonly queuedPerAddress: number
}

/** Commitments and pulses are not among them: the ledger itself takes only a number of them for each beacon. */
const registrationKinds = [
    "party-registration",
    "requester-registration",
    "node-registration",
    "revocation",
] as const

type Registration = Extract<Entry, { kind: (typeof registrationKinds)[number] }>

const everybody = "everybody"

/** A new entropy node may commit to as many beacons to come, each in an entry of its own, before any of them is out. */
const nodeKibibytes = (farthestCommitment * 192) / 1024

export class Intake {
    readonly #limits: IntakeLimits
    readonly #onLimit: (limit: keyof IntakeLimits) => void
    readonly #newcomers: Allowances
    readonly #newcomersOfAddress: Allowances
    readonly #knownOfAddress: Allowances
    readonly #knownOfIdentity: Allowances
    /** From which address the entry of that index came, for requests that may still wait. */
    readonly #queuedBy = new Map<number, string>()

    constructor(limits: IntakeLimits, clock: Clock, onLimit: (limit: keyof IntakeLimits) => void) {
        this.#limits = limits
        this.#onLimit = onLimit
        this.#newcomers = new Allowances(limits.registrations, clock)
        this.#newcomersOfAddress = new Allowances(limits.registrationsPerAddress, clock)
        this.#knownOfAddress = new Allowances(limits.registrationsPerAddress, clock)
        this.#knownOfIdentity = new Allowances(limits.renewalsPerIdentity, clock)
    }

    /**
     * Before any proof: counts the attempt to the address, if it has one to count. Nothing is counted to the identity,
     * which anybody may have written there.
     */
    knock(entry: Entry, state: ChainState, address: string | undefined): void {
        if (isRegistration(entry)) {
            const known = isKnown(state, entry)
            const cost = costOf(entry, known)
            // Looked at first: an address must not pay for what all others have used up.
            if (!known && !this.#newcomers.covers(everybody, cost)) this.#refuse("registrations")
            const allowance = known ? this.#knownOfAddress : this.#newcomersOfAddress
            if (address !== undefined && !allowance.spend(address, cost))
                this.#refuse("registrationsPerAddress")
        }
        if (entry.kind === "request") this.#requireRoom(state, address)
    }

    /** Right before it is logged, in that state: whoever is named has signed it. */
    enter(entry: Entry, state: ChainState, address: string | undefined): void {
        if (isRegistration(entry)) {
            const cost = costOf(entry, isKnown(state, entry))
            // There is one revocation of an identity, and whoever stole its key must not use up what that takes.
            const isFree = entry.kind === "revocation"
            if (!isKnown(state, entry)) {
                if (!this.#newcomers.spend(everybody, cost)) this.#refuse("registrations")
            } else if (!isFree && !this.#knownOfIdentity.spend(nameOf(entry.identity), cost))
                this.#refuse("renewalsPerIdentity")
        }
        if (entry.kind === "request") {
            this.#requireRoom(state, address)
            if (address !== undefined) this.#queuedBy.set(state.range.size, address)
        }
    }

    #requireRoom({ queue, range }: ChainState, address: string | undefined): void {
        const waiting = new Set(queue.map(({ index }) => index))
        // What is beyond that state may be on its way to the disk.
        const gone = [...this.#queuedBy.keys()].filter((index) => index < range.size && !waiting.has(index))
        for (const index of gone) this.#queuedBy.delete(index)
        if (address === undefined) return
        const own = [...this.#queuedBy.values()].filter((by) => by === address)
        if (own.length >= this.#limits.queuedPerAddress) this.#refuse("queuedPerAddress")
    }

    #refuse(limit: keyof IntakeLimits): never {
        this.#onLimit(limit)
        throw new Refusal("rate-limited", { limit })
    }
}

function isRegistration(entry: Entry): entry is Registration {
    return (registrationKinds as readonly string[]).includes(entry.kind)
}

function isKnown(state: ChainState, { identity }: Registration): boolean {
    const name = nameOf(identity)
    return state.parties.has(name) || state.requesters.has(name) || state.nodes.has(name)
}

/** In kibibytes. */
function costOf(entry: Registration, known: boolean): number {
    const own = Math.ceil(encodeEntry(entry).length / 1024)
    return entry.kind === "node-registration" && !known ? own + nodeKibibytes : own
}
