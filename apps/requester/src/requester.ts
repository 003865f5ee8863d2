/**
 * A requester that holds its key alone: registers, keeps its next request queued, and opens sealed tallies.
 *
 * It opens a tally only in a ledger that it has verified itself, and only once: what it answered is on disk
 * before it is sent, and the same bytes are sent again when it is asked again.
 */
import { concatBytes, equalBytes } from "@tallylight/crypto/bytes.js"
import { openCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import type { Scalar } from "@tallylight/crypto/scalar.js"
import { makeSoloRegistration } from "@tallylight/protocol/chain/requester.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { decodeEntry, encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { EntryOf, RecordedShare } from "@tallylight/protocol/ledger/entry.js"
import { requireReceiptFor } from "@tallylight/protocol/ledger/receipt.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type {
    ChainState,
    PendingRequest,
    Requester as Registered,
    SealedRound,
} from "@tallylight/protocol/ledger/state.js"
import type { Random, UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Notebook } from "@tallylight/protocol/ports/notebook.js"
import { sealedRound } from "@tallylight/protocol/round/phase.js"
import { makeRequest, requestsPerRequester } from "@tallylight/protocol/round/request.js"
import { memberIndex, openTally } from "@tallylight/protocol/round/share.js"
import type { Message, Receipt } from "@tallylight/protocol/wire/messages.js"
import type { Peer } from "@tallylight/protocol/wire/peer.js"
import { Refusal, require } from "@tallylight/protocol/wire/refusal.js"

export type RequesterKeys = { readonly signer: Signer; readonly secret: Scalar }

const lastShare = "last-share"

export class Requester {
    readonly identity: Uint8Array
    readonly #Y: Uint8Array
    readonly #keys: RequesterKeys
    readonly #notebook: Notebook
    readonly #random: Random

    constructor(keys: RequesterKeys, notebook: Notebook, random: Random) {
        this.identity = keys.signer.publicKey
        this.#Y = encodePoint(ristretto255.multiplyBase(keys.secret))
        this.#keys = keys
        this.#notebook = notebook
        this.#random = random
    }

    registered(state: ChainState): Registered | undefined {
        const requester = state.requesters.get(nameOf(this.identity))
        return requester === undefined || requester.revoked ? undefined : requester
    }

    needsRegistration(state: ChainState): boolean {
        const requester = this.registered(state)
        const half = state.genesis.parameters.registrationRounds / 2
        if (requester === undefined || requester.lastRound - state.rounds <= half) return true
        // Under another key than its own it could only sign wrong shares.
        return !equalBytes(requester.commitments[0] ?? new Uint8Array(), this.#Y)
    }

    async register(state: ChainState, peer: Peer): Promise<Receipt> {
        const sequence = (state.requesters.get(nameOf(this.identity))?.sequence ?? -1) + 1
        const registration = makeSoloRegistration(state.chain, this.#keys, sequence, this.#random(32))
        const { receipt } = await peer.request("ReqRegister", { role: "requester", ...registration })
        const sent = { ...registration, kind: "requester-registration", time: 0 } as const
        requireReceiptFor(receipt, sent, state.range.size)
        return receipt
    }

    /** Its requests that wait for a ticket. */
    waiting(state: ChainState): readonly PendingRequest[] {
        return state.queue.filter(({ identity }) => equalBytes(identity, this.identity))
    }

    hasRoom(state: ChainState): boolean {
        return this.waiting(state).filter(({ retry }) => !retry).length < requestsPerRequester
    }

    isMine(request: PendingRequest): boolean {
        return equalBytes(request.identity, this.identity)
    }

    async request(state: ChainState, notBefore: UnixMs, peer: Peer): Promise<Receipt> {
        const requester = this.registered(state)
        const Y = requester?.commitments[0]
        if (requester === undefined || Y === undefined) throw new Error("a request needs a registration")
        const fields = { Y, nonce: this.#random(32), sequence: requester.requestSequence + 1, notBefore }
        const request = makeRequest(state.chain, this.#keys.signer, fields)
        const { receipt } = await peer.request("ReqGenTick", request)
        requireReceiptFor(receipt, { ...request, kind: "request", time: 0 }, state.range.size)
        return receipt
    }

    /** The share for a tally that `state`, every proof of which was verified here, holds sealed. */
    async open(state: ChainState, asked: Message<"ReqDecryption">): Promise<Message<"RespDecryption">> {
        const sealed = sealedRound(state, asked.round)
        const member = memberIndex(sealed, this.identity)
        require(member !== undefined, "not-a-member")
        compareTally(state, sealed, asked)
        const share = (await this.#recall(sealed)) ?? (await this.#open(state, sealed, member))
        const { S, c, z, signature } = share
        return { identity: this.identity, member, S, c, z, signature }
    }

    async #open(state: ChainState, sealed: SealedRound, member: number): Promise<RecordedShare> {
        const own = { member, ...this.#keys, random: this.#random(32) }
        const share = openTally(state.chain, sealed, own)
        const note = {
            kind: "share",
            time: 0,
            round: sealed.round,
            identity: this.identity,
            share,
            valid: true,
        } as const
        await this.#notebook.write(lastShare, concatBytes(sealed.tallyLeaf, encodeEntry(note)))
        return share
    }

    /**
     * The share that was made for this tally before. Only the last one is kept: an older tally that is asked for
     * again was withheld, and is in the ledger that this side has verified since.
     */
    async #recall(sealed: SealedRound): Promise<RecordedShare | undefined> {
        const bytes = await this.#notebook.read(lastShare)
        if (bytes === undefined) return undefined
        const note = decodeEntry(bytes.slice(32))
        if (note.kind !== "share") throw new Error("the note of the last share holds something else")
        if (note.round !== sealed.round) return undefined
        // Opening two tallies of one round would serve a PDL that shows two histories.
        require(equalBytes(bytes.slice(0, 32), sealed.tallyLeaf), "already-answered", { round: sealed.round })
        return note.share
    }
}

/** What the ledger is going to say of that answer, if its proof holds. */
export function shareEntry(round: number, answer: Message<"RespDecryption">): EntryOf<"share"> {
    const { identity, member, S, c, z, signature } = answer
    return { kind: "share", time: 0, round, identity, share: { member, S, c, z, signature }, valid: true }
}

/** What the PDL asks to be opened is the tally of the ledger that this side sees, in the checkpoint it signed. */
function compareTally(state: ChainState, sealed: SealedRound, asked: Message<"ReqDecryption">): void {
    const { tally, tallyIndex, tallyRoot, ticket } = sealed
    const same = equalBytes(asked.C, tally.C) && equalBytes(asked.D, tally.D) && asked.index === tallyIndex
    require(same && equalBytes(asked.ticket, ticket), "no-tally", { round: asked.round })
    const { origin, ledgerKey: publicKey } = state.genesis
    const checkpoint = openCheckpoint(asked.checkpoint, { origin, publicKey })
    if (checkpoint === undefined) throw new Refusal("bad-checkpoint")
    require(checkpoint.size === tallyIndex + 1 && equalBytes(checkpoint.root, tallyRoot), "forked")
}
