/** Asks the key holders of sealed tallies for their shares, again and again until they answer or it is too late. */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import type { EntryOf, RecordedShare } from "@tallylight/protocol/ledger/entry.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, SealedRound } from "@tallylight/protocol/ledger/state.js"
import type { Clock, UnixMs } from "@tallylight/protocol/ports/clock.js"
import { findSealed } from "@tallylight/protocol/round/phase.js"
import { tallies } from "@tallylight/protocol/round/schedule.js"
import type { Message, Receipt } from "@tallylight/protocol/wire/messages.js"
import type { Peer } from "@tallylight/protocol/wire/peer.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { PeerRefused, Unanswered } from "@tallylight/protocol/wire/resp-error.js"
import type { Acceptance } from "./acceptance.ts"

type Options = {
    readonly state: () => ChainState
    readonly acceptance: Acceptance
    /** The signed checkpoint whose last entry is the tally of that round. */
    readonly checkpointOf: (sealed: SealedRound) => string
    readonly clock: Clock
    /** Before a member that did not answer is asked again; twice as long each time, up to a minute. */
    readonly pauseMs: number
    readonly onUnanswered: (members: readonly string[], round: number, error: unknown) => void
}

const longestPauseMs = 60_000

/** An authenticated connection, with the rounds it is being asked about. */
type Holder = {
    readonly peer: Peer
    readonly identity: Uint8Array
    readonly name: string
    readonly asked: Set<number>
}

export class Decryptions {
    readonly #options: Options
    readonly #holders = new Map<Peer, Holder>()
    /**
     * The same by name: anybody may say that it is a requester, and nobody shall pay for a crowd of those at each
     * commit. Strangers are kept as well, since a requester says hello before it registers.
     */
    readonly #byName = new Map<string, Set<Holder>>()
    /** Where the last tally is, whose absent members were told. */
    #called = -1

    constructor(options: Options) {
        this.#options = options
    }

    /** Once or again; a connection has one identity. */
    join(peer: Peer, identity: Uint8Array): void {
        const name = nameOf(identity)
        const holder = this.#holders.get(peer) ?? this.#add({ peer, identity, name, asked: new Set() })
        for (const sealed of tallies(this.#options.state())) {
            if (isMissing(sealed, name)) this.#start(holder, sealed)
        }
    }

    #add(holder: Holder): Holder {
        this.#holders.set(holder.peer, holder)
        const others = this.#byName.get(holder.name) ?? new Set()
        this.#byName.set(holder.name, others.add(holder))
        return holder
    }

    leave(peer: Peer): void {
        const holder = this.#holders.get(peer)
        if (holder === undefined) return
        this.#holders.delete(peer)
        const others = this.#byName.get(holder.name)
        others?.delete(holder)
        if (others?.size === 0) this.#byName.delete(holder.name)
    }

    /** After every commit. */
    update(): void {
        this.#callRoll()
        // Of a withheld one, whoever is here was asked when it was sealed, or on joining: a requester that withholds
        // all its rounds must not make every commit slower.
        const { current } = this.#options.state()
        if (current?.phase !== "sealed") return
        for (const name of numbersOf(current).keys()) {
            const holders = this.#byName.get(name)
            if (holders === undefined || !isMissing(current, name)) continue
            for (const holder of holders) this.#start(holder, current)
        }
    }

    /** Says who is not there to be asked, once for each tally. */
    #callRoll(): void {
        const { current } = this.#options.state()
        if (current?.phase !== "sealed" || current.tallyIndex === this.#called) return
        this.#called = current.tallyIndex
        const absent = [...numbersOf(current).keys()].filter((name) => !this.#byName.has(name))
        if (absent.length > 0)
            this.#options.onUnanswered(absent, current.round, new Unanswered("not connected"))
    }

    #start(holder: Holder, sealed: SealedRound): void {
        const { round } = sealed
        if (holder.asked.has(round)) return
        holder.asked.add(round)
        void this.#ask(holder, sealed).finally(() => holder.asked.delete(round))
    }

    async #ask(holder: Holder, sealed: SealedRound): Promise<void> {
        const { peer, identity, name } = holder
        const { round, ticket, tally, tallyIndex } = sealed
        const checkpoint = this.#options.checkpointOf(sealed)
        const body = { round, ticket, C: tally.C, D: tally.D, index: tallyIndex, checkpoint }
        for (let pauseMs = this.#options.pauseMs; this.#stillWants(holder, round); pauseMs *= 2) {
            const { id, response } = peer.ask("ReqDecryption", body)
            try {
                const answer = await response
                if (!equalBytes(answer.identity, identity)) throw new Refusal("not-a-member")
                await peer.acknowledge(id, await this.#accept(round, answer, peer))
                return
            } catch (error) {
                if (!this.#isLate(holder, round, error)) this.#options.onUnanswered([name], round, error)
                if (error instanceof Refusal) {
                    await peer.refuse(id, error).catch(() => undefined)
                    if (error.disposition !== "wait") return
                }
                await this.#options.clock.sleep(Math.min(pauseMs, longestPauseMs))
            }
        }
    }

    /** Any t members open a round; the others find it opened, through no fault of theirs. */
    #isLate(holder: Holder, round: number, error: unknown): boolean {
        const said = error instanceof Refusal || error instanceof PeerRefused
        return said && error.code === "no-tally" && !this.#stillWants(holder, round)
    }

    #stillWants(holder: Holder, round: number): boolean {
        const waiting = findSealed(this.#options.state(), round)
        const isHere = this.#holders.get(holder.peer) === holder
        return isHere && waiting !== undefined && isMissing(waiting, holder.name)
    }

    /** A share that its member signed is logged even where its proof is wrong: it convicts. */
    async #accept(round: number, answer: Message<"RespDecryption">, sender: Peer): Promise<Receipt> {
        const { identity, member, S, c, z, signature } = answer
        const share: RecordedShare = { member, S, c, z, signature }
        const entry =
            (valid: boolean) =>
            (time: UnixMs): EntryOf<"share"> => {
                return { kind: "share", time, round, identity, share, valid }
            }
        try {
            return await this.#options.acceptance.accept(entry(true), sender)
        } catch (error) {
            if (!(error instanceof Refusal) || error.code !== "bad-share") throw error
            return await this.#options.acceptance.accept(entry(false), sender)
        }
    }
}

type Members = SealedRound["request"]["requester"]

const numbers = new WeakMap<Members, ReadonlyMap<string, number>>()

/** The members' numbers by name; kept, since one committee is looked up at every commit. */
function numbersOf({ request: { requester } }: SealedRound): ReadonlyMap<string, number> {
    let known = numbers.get(requester)
    if (known === undefined) {
        known = new Map(requester.members.map((member, at) => [nameOf(member), at + 1]))
        numbers.set(requester, known)
    }
    return known
}

function isMissing(sealed: SealedRound, name: string): boolean {
    const member = numbersOf(sealed).get(name)
    return member !== undefined && !sealed.shares.some(({ share }) => share.member === member)
}
