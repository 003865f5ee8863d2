/** Asks the key holders of sealed tallies for their shares, again and again until they answer or it is too late. */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import type { EntryOf, RecordedShare } from "@tallylight/protocol/ledger/entry.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, SealedRound } from "@tallylight/protocol/ledger/state.js"
import type { Clock, UnixMs } from "@tallylight/protocol/ports/clock.js"
import { tallies } from "@tallylight/protocol/round/schedule.js"
import { memberIndex } from "@tallylight/protocol/round/share.js"
import type { Message, Receipt } from "@tallylight/protocol/wire/messages.js"
import type { Peer } from "@tallylight/protocol/wire/peer.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import type { Acceptance } from "./acceptance.ts"

type Options = {
    readonly state: () => ChainState
    readonly acceptance: Acceptance
    /** The signed checkpoint whose last entry is the tally of that round. */
    readonly checkpointOf: (sealed: SealedRound) => string
    readonly clock: Clock
    /** Before a member that did not answer is asked again; twice as long each time, up to a minute. */
    readonly pauseMs: number
    readonly onUnanswered: (member: string, round: number, error: unknown) => void
}

const longestPauseMs = 60_000

export class Decryptions {
    readonly #options: Options
    /** Authenticated connections, each with the rounds it is being asked about. */
    readonly #holders = new Map<Peer, { readonly identity: Uint8Array; readonly asked: Set<number> }>()

    constructor(options: Options) {
        this.#options = options
    }

    join(peer: Peer, identity: Uint8Array): void {
        const known = this.#holders.get(peer)?.identity
        if (known === undefined || !equalBytes(known, identity))
            this.#holders.set(peer, { identity, asked: new Set() })
        this.update()
    }

    leave(peer: Peer): void {
        this.#holders.delete(peer)
    }

    /** After every commit, and whenever a member appears. */
    update(): void {
        for (const sealed of tallies(this.#options.state())) {
            for (const [peer, { identity, asked }] of this.#holders) {
                if (asked.has(sealed.round) || !this.#isMissing(sealed, identity)) continue
                asked.add(sealed.round)
                void this.#ask(peer, identity, sealed).finally(() => asked.delete(sealed.round))
            }
        }
    }

    #isMissing(sealed: SealedRound, identity: Uint8Array): boolean {
        const member = memberIndex(sealed, identity)
        return member !== undefined && !sealed.shares.some(({ share }) => share.member === member)
    }

    async #ask(peer: Peer, identity: Uint8Array, sealed: SealedRound): Promise<void> {
        const { round, ticket, tally, tallyIndex } = sealed
        const checkpoint = this.#options.checkpointOf(sealed)
        const body = { round, ticket, C: tally.C, D: tally.D, index: tallyIndex, checkpoint }
        for (let pauseMs = this.#options.pauseMs; this.#stillWants(peer, identity, round); pauseMs *= 2) {
            const { id, response } = peer.ask("ReqDecryption", body)
            try {
                const answer = await response
                if (!equalBytes(answer.identity, identity)) throw new Refusal("not-a-member")
                await peer.acknowledge(id, await this.#accept(round, answer))
                return
            } catch (error) {
                this.#options.onUnanswered(nameOf(identity), round, error)
                if (error instanceof Refusal) {
                    await peer.refuse(id, error).catch(() => undefined)
                    if (error.disposition !== "wait") return
                }
                await this.#options.clock.until(this.#options.clock.now() + Math.min(pauseMs, longestPauseMs))
            }
        }
    }

    #stillWants(peer: Peer, identity: Uint8Array, round: number): boolean {
        const waiting = tallies(this.#options.state()).find((sealed) => sealed.round === round)
        return this.#holders.has(peer) && waiting !== undefined && this.#isMissing(waiting, identity)
    }

    /** A share that its member signed is logged even where its proof is wrong: it convicts. */
    async #accept(round: number, answer: Message<"RespDecryption">): Promise<Receipt> {
        const { identity, member, S, c, z, signature } = answer
        const share: RecordedShare = { member, S, c, z, signature }
        const entry =
            (valid: boolean) =>
            (time: UnixMs): EntryOf<"share"> => {
                return { kind: "share", time, round, identity, share, valid }
            }
        try {
            return await this.#options.acceptance.accept(entry(true), this)
        } catch (error) {
            if (!(error instanceof Refusal) || error.code !== "bad-share") throw error
            return await this.#options.acceptance.accept(entry(false), this)
        }
    }
}
