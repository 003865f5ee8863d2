/**
 * A requester: registers the key under which its rounds are sealed, and keeps its next request queued. Its key is its
 * own, or that of a committee for which it speaks; a committee's other members only open.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { makeRequesterRegistration, makeSoloRegistration } from "@tallylight/protocol/chain/requester.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import type { Entry, EntryOf } from "@tallylight/protocol/ledger/entry.js"
import { requireReceiptFor } from "@tallylight/protocol/ledger/receipt.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import type {
    ChainState,
    PendingRequest,
    Requester as Registered,
} from "@tallylight/protocol/ledger/state.js"
import type { Random, UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Notebook } from "@tallylight/protocol/ports/notebook.js"
import { makeRequest, requestsPerRequester } from "@tallylight/protocol/round/request.js"
import type { Message, Receipt } from "@tallylight/protocol/wire/messages.js"
import type { Peer } from "@tallylight/protocol/wire/peer.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { PeerRefused, respError } from "@tallylight/protocol/wire/resp-error.js"
import { KeyHolder, sameCommitments } from "./key-holder.ts"
import type { RequesterKeys } from "./keys.ts"

export class Requester {
    /** Under which the rounds are asked for; a member's own is another. */
    readonly identity: Uint8Array
    readonly #commitments: readonly Uint8Array[]
    readonly #keys: RequesterKeys
    readonly #holder: KeyHolder
    readonly #random: Random

    constructor(keys: RequesterKeys, notebook: Notebook, random: Random) {
        const { signer, secret, membership } = keys
        const plan = membership?.committee.plan
        this.identity = plan?.identity ?? signer.publicKey
        this.#commitments = plan?.commitments ?? [encodePoint(ristretto255.multiplyBase(secret))]
        this.#keys = keys
        this.#holder = new KeyHolder({ signer, secret, commitments: this.#commitments }, notebook, random)
        this.#random = random
    }

    /** Signs as `identity`; undefined for a member that does not have that key. */
    get #requester(): Signer | undefined {
        const { signer, membership } = this.#keys
        return membership === undefined ? signer : membership.requester
    }

    /** Whether this process registers and asks for rounds, rather than only opening them. */
    get asks(): boolean {
        return this.#requester !== undefined
    }

    registered(state: ChainState): Registered | undefined {
        const requester = state.requesters.get(nameOf(this.identity))
        return requester === undefined || requester.revoked ? undefined : requester
    }

    isEndedBy(entry: Entry): boolean {
        return entry.kind === "revocation" && equalBytes(entry.identity, this.identity)
    }

    needsRegistration(state: ChainState): boolean {
        const requester = this.registered(state)
        const half = state.genesis.parameters.registrationRounds / 2
        if (requester === undefined || requester.lastRound - state.rounds <= half) return true
        return !sameCommitments(requester.commitments, this.#commitments)
    }

    /** Rejects with PeerRefused also where the ledger shows already that its registration was ended for good. */
    async register(state: ChainState, peer: Peer): Promise<Receipt> {
        const former = state.requesters.get(nameOf(this.identity))
        // As the server would; but there need be no number above that of a revocation to ask it with.
        if (former?.revoked === true) throw new PeerRefused(respError(new Refusal("revoked")))
        const sequence = (former?.sequence ?? -1) + 1
        const registration = this.#registration(state.chain, sequence)
        const { receipt } = await peer.request("ReqRegister", { role: "requester", ...registration })
        const sent = { ...registration, kind: "requester-registration", time: 0 } as const
        requireReceiptFor(receipt, sent, state.range.size)
        return receipt
    }

    #registration(
        chain: Uint8Array,
        sequence: number,
    ): Omit<EntryOf<"requester-registration">, "kind" | "time"> {
        const { membership } = this.#keys
        if (membership === undefined)
            return makeSoloRegistration(chain, this.#keys, sequence, this.#random(32))
        const { plan, members } = membership.committee
        return makeRequesterRegistration(chain, plan, sequence, this.#signs(), members)
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
        const request = makeRequest(state.chain, this.#signs(), fields)
        const { receipt } = await peer.request("ReqGenTick", request)
        requireReceiptFor(receipt, { ...request, kind: "request", time: 0 }, state.range.size)
        return receipt
    }

    #signs(): Signer {
        if (this.#requester === undefined) throw new Error("this member does not speak for its committee")
        return this.#requester
    }

    async open(state: ChainState, asked: Message<"ReqDecryption">): Promise<Message<"RespDecryption">> {
        return this.#holder.open(state, asked)
    }
}
