/**
 * One party: registers, draws its lot on every ticket and answers once.
 *
 * What it sends in a round is on disk before it is sent, and after a crash the same bytes are sent again: a
 * second answer to one round would serve whoever shows two histories.
 */
import { concatBytes, equalBytes } from "@tallylight/crypto/bytes.js"
import { vrfPublicKey } from "@tallylight/crypto/ecvrf.js"
import { makePartyRegistration } from "@tallylight/protocol/chain/party.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { decodeEntry, encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { EntryOf } from "@tallylight/protocol/ledger/entry.js"
import { requireReceiptFor } from "@tallylight/protocol/ledger/receipt.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type { ChainState, OpenRound } from "@tallylight/protocol/ledger/state.js"
import type { Random } from "@tallylight/protocol/ports/clock.js"
import type { Notebook } from "@tallylight/protocol/ports/notebook.js"
import { makeAbstention } from "@tallylight/protocol/round/abstention.js"
import { drawPoint, makeContribution } from "@tallylight/protocol/round/contribution.js"
import { drawLot } from "@tallylight/protocol/round/eligibility.js"
import type { Lot } from "@tallylight/protocol/round/eligibility.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import type { Peer } from "@tallylight/protocol/wire/peer.js"
import { systemAlone } from "./entropy.ts"
import type { Entropy } from "./entropy.ts"

export type PartyKeys = { readonly signer: Signer; readonly vrfSeed: Uint8Array }

/** Not yet or no longer on a listed chain's list, which its operator may change; or ended for good by its own key. */
export type Bar = "not admitted" | "removed" | "revoked"

type Answer = EntryOf<"contribution"> | EntryOf<"abstention">

/** The PDL shows another ticket for a round that this party has answered: two histories. */
export class TwoTickets extends Error {
    override readonly name = "TwoTickets"
}

const lastAnswer = "last-answer"

export class Party {
    readonly identity: Uint8Array
    readonly #vrfKey: Uint8Array
    readonly #keys: PartyKeys
    readonly #notebook: Notebook
    readonly #random: Random
    readonly #entropy: Entropy
    /** Proved once for each ticket, however often its entropy node has to be asked. */
    #lot: { readonly leaf: Uint8Array; readonly lot: Lot } | undefined
    /** The latest answer, made or not. */
    #last: Promise<unknown> = Promise.resolve()

    constructor(keys: PartyKeys, notebook: Notebook, random: Random, entropy: Entropy = systemAlone) {
        this.identity = keys.signer.publicKey
        this.#vrfKey = vrfPublicKey(keys.vrfSeed)
        this.#keys = keys
        this.#notebook = notebook
        this.#random = random
        this.#entropy = entropy
    }

    /** Why no registration of this party would be taken now; undefined where one would be. */
    barredBy({ genesis, parties, admitted }: ChainState): Bar | undefined {
        const name = nameOf(this.identity)
        const party = parties.get(name)
        if (party?.revoked === true) return "revoked"
        if (genesis.parameters.admission !== "listed" || admitted.has(name)) return undefined
        return party === undefined ? "not admitted" : "removed"
    }

    /** Renewed when half of it has passed, so that a party that is away for a while stays on the roster. */
    needsRegistration(state: ChainState): boolean {
        const party = state.parties.get(nameOf(this.identity))
        if (party === undefined || !equalBytes(party.vrfKey, this.#vrfKey)) return true
        return party.lastRound - state.rounds <= state.genesis.parameters.registrationRounds / 2
    }

    async register(state: ChainState, peer: Peer): Promise<Receipt> {
        const sequence = (state.parties.get(nameOf(this.identity))?.sequence ?? -1) + 1
        const registration = makePartyRegistration(state.chain, this.#keys, sequence)
        const { receipt } = await peer.request("ReqRegister", { role: "party", ...registration })
        requireReceiptFor(receipt, { ...registration, kind: "party-registration", time: 0 }, state.range.size)
        return receipt
    }

    /** Whether this round waits for this party. */
    isAsked(current: OpenRound): boolean {
        const name = nameOf(this.identity)
        return current.roster.has(name) && !current.answered.has(name)
    }

    /**
     * The answer to an open round, durable before it is returned; undefined where the party stays silent.
     * Rejects with {@link TwoTickets} where it has answered another ticket of that round, with {@link NoEntropy} where
     * its entropy node is required and gives nothing; another try may fare better.
     */
    answer(state: ChainState, current: OpenRound): Promise<Answer | undefined> {
        // One after the other: a connection that is lost leaves its question behind, and neither would find a note.
        const answered = this.#last.then(() => this.#makeOrRecall(state, current))
        this.#last = answered.catch(() => undefined)
        return answered
    }

    async #makeOrRecall(state: ChainState, current: OpenRound): Promise<Answer | undefined> {
        const before = await this.#recall()
        const latest = before?.answer.round ?? 0
        if (latest > current.round) return undefined
        if (before !== undefined && latest === current.round) {
            if (!equalBytes(before.leaf, current.leaf))
                throw new TwoTickets(
                    `round ${current.round} has another ticket than the one that was answered`,
                )
            return before.answer
        }
        // What was drawn for a contribution that was not written down went nowhere: the next one is the first.
        const answer = await this.#makeAnswer(state, current)
        if (answer === undefined) return undefined
        await this.#notebook.write(lastAnswer, concatBytes(current.leaf, encodeEntry(answer)))
        return answer
    }

    /** Rejects with {@link WrongReceipt} where the PDL acknowledges something else. */
    async send(answer: Answer, state: ChainState, current: OpenRound, peer: Peer): Promise<Receipt> {
        const receipt = await deliver(answer, current, peer)
        requireReceiptFor(receipt, answer, state.range.size)
        return receipt
    }

    async #makeAnswer(state: ChainState, current: OpenRound): Promise<Answer | undefined> {
        const { signer } = this.#keys
        const lot = this.#lotFor(current)
        if (lot.elected) {
            const { fromNode, statement } = await this.#entropy.draw(state, current, this.identity)
            const point = drawPoint(fromNode, this.#random(64))
            const own = { signer, lot, point, statement }
            const contribution = makeContribution(state.chain, current, own, this.#random)
            return { ...contribution, kind: "contribution", time: 0 }
        }
        if (!state.genesis.parameters.everyoneAnswers) return undefined
        return { ...makeAbstention(state.chain, current, signer, lot), kind: "abstention", time: 0 }
    }

    #lotFor(current: OpenRound): Lot {
        const { leaf } = current
        if (this.#lot === undefined || !equalBytes(this.#lot.leaf, leaf))
            this.#lot = { leaf, lot: drawLot(this.#keys.vrfSeed, current) }
        return this.#lot.lot
    }

    /** The last answer, and the leaf hash of the ticket that it answers. */
    async #recall(): Promise<{ leaf: Uint8Array; answer: Answer } | undefined> {
        const bytes = await this.#notebook.read(lastAnswer)
        if (bytes === undefined) return undefined
        const answer = decodeEntry(bytes.slice(32))
        if (answer.kind !== "contribution" && answer.kind !== "abstention")
            throw new Error("the note of the last answer holds something else")
        return { leaf: bytes.slice(0, 32), answer }
    }
}

async function deliver(answer: Answer, { ticket }: OpenRound, peer: Peer): Promise<Receipt> {
    if (answer.kind === "contribution") {
        const { kind: _, time: __, ...body } = answer
        return (await peer.request("ReqContribution", { ...body, ticket })).receipt
    }
    const { kind: _, time: __, ...body } = answer
    return (await peer.request("ReqAbstention", { ...body, ticket })).receipt
}
