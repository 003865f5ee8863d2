/** What a PDL answers to each message on one connection (PROTOCOL.md §8). */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { wireVersion } from "@tallylight/protocol/chain/genesis.js"
import { signWelcome, verifyHello } from "@tallylight/protocol/chain/hello.js"
import type { Role } from "@tallylight/protocol/chain/hello.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { OpenRound } from "@tallylight/protocol/ledger/state.js"
import type { SentEntry } from "@tallylight/protocol/ledger/verify.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import { encodeThreshold, threshold } from "@tallylight/protocol/round/eligibility.js"
import type { Message, RequestType } from "@tallylight/protocol/wire/messages.js"
import type { Handlers, Peer } from "@tallylight/protocol/wire/peer.js"
import { Refusal, require } from "@tallylight/protocol/wire/refusal.js"
import type { ServedChain } from "./served-chain.ts"
import { parseKinds } from "./subscription.ts"
import type { Subscription } from "./subscription.ts"

/** An answer ends with the entry that crosses this: so many may wait for a slow reader, on every connection. */
const answerBytes = 64 * 1024

export class Conversation {
    readonly #chain: ServedChain
    readonly #address: string | undefined
    #serverNonce: Uint8Array
    /** That was authenticated first: another one needs another connection. */
    #identity: Uint8Array | undefined
    #subscription: Subscription | undefined

    /** Whether a hello was answered. */
    greeted = false

    /** `address` is whom the limits per address count it to, if anybody. */
    constructor(chain: ServedChain, address?: string) {
        this.#chain = chain
        this.#address = address
        this.#serverNonce = chain.random(32)
    }

    readonly handlers = {
        ReqHello: (body: Message<"ReqHello">, peer: Peer) => later(() => this.#hello(body, peer)),

        ReqRegister: (body: Message<"ReqRegister">) => this.#logged((time) => registrationEntry(body, time)),
        ReqRevoke: (body: Message<"ReqRevoke">) =>
            this.#logged((time) => ({ ...body, kind: "revocation", time })),
        ReqAdmission: (body: Message<"ReqAdmission">) =>
            this.#logged((time) => ({ ...body, kind: "admission", time })),
        ReqGenTick: async (body: Message<"ReqGenTick">) => {
            const { receipt } = await this.#logged((time) => ({ ...body, kind: "request", time }))
            const waiting = this.#chain.state.queue
            const position = waiting.findIndex(({ index }) => index === receipt.index) + 1
            return { receipt, position }
        },
        ReqContribution: ({ ticket, ...body }: Message<"ReqContribution">) =>
            this.#answer(ticket, (time) => ({ ...body, kind: "contribution", time })),
        ReqAbstention: ({ ticket, ...body }: Message<"ReqAbstention">) =>
            this.#answer(ticket, (time) => ({ ...body, kind: "abstention", time })),
        ReqCommitment: (body: Message<"ReqCommitment">) =>
            this.#logged((time) => ({ ...body, kind: "commitment", time })),
        ReqPulse: (body: Message<"ReqPulse">) => this.#logged((time) => ({ ...body, kind: "pulse", time })),

        ReqThreshold: () =>
            later(() => {
                const { round, k, roster } = this.#open()
                const n = roster.size
                return { round, k, n, threshold: encodeThreshold(threshold(k, n)) }
            }),
        ReqTicket: () =>
            later(() => {
                const { round, index, ticket, k, roster, request, closesAt } = this.#open()
                return { round, index, ticket, k, n: roster.size, Y: request.Y, closesAt }
            }),
        ReqPubKey: () =>
            later(() => {
                const { current } = this.#chain.state
                if (current === undefined) throw new Refusal("no-round")
                const { commitments, members } = current.request.requester
                return {
                    round: current.round,
                    Y: current.request.Y,
                    commitments: [...commitments],
                    members: [...members],
                }
            }),

        ReqSubscribe: (body: Message<"ReqSubscribe">, peer: Peer) => later(() => this.#subscribe(body, peer)),
        ReqEntries: async ({ from, limit }: Message<"ReqEntries">) => {
            const entries = await this.#chain.entries(from, limit, answerBytes)
            return { from, entries }
        },
        ReqProof: ({ index, size }: Message<"ReqProof">) => this.#chain.tree.inclusion(index, size),
        ReqConsistency: async ({ from, to }: Message<"ReqConsistency">) => {
            const proof = await this.#chain.tree.consistency(from, to)
            return { proof }
        },
    } satisfies Handlers & Record<Exclude<RequestType, "ReqDecryption">, unknown>

    /** The connection is gone. */
    end(peer: Peer): void {
        this.#chain.decryptions.leave(peer)
        if (this.#subscription !== undefined) this.#chain.followers.unsubscribe(this.#subscription)
    }

    #hello(body: Message<"ReqHello">, peer: Peer): Message<"RespHello"> {
        require(body.versions.includes(wireVersion), "unsupported-version", { spoken: wireVersion })
        const { chain, state, messageKey } = this.#chain
        const hello = { chain, role: body.role, clientNonce: body.nonce, messageKey: messageKey.publicKey }
        if (body.identity !== null)
            this.#authenticate(body, { ...hello, serverNonce: this.#serverNonce }, peer)
        this.#serverNonce = this.#chain.random(32)
        this.greeted = true
        return {
            version: wireVersion,
            nonce: this.#serverNonce,
            genesis: encodeEntry(state.genesis),
            checkpoint: this.#chain.head.checkpoint,
            time: this.#chain.now(),
            signature: signWelcome(messageKey, { ...hello, serverNonce: this.#serverNonce }),
        }
    }

    #authenticate(body: Message<"ReqHello">, hello: Parameters<typeof verifyHello>[1], peer: Peer): void {
        const { identity, answering, signature } = body
        const answered = answering !== null && equalBytes(answering, this.#serverNonce)
        require(identity !== null && signature !== null && answered, "unauthenticated")
        require(equalBytes(identity, this.#identity ?? identity), "unauthenticated")
        verifyHello(identity, hello, signature)
        this.#identity = identity
        const role: Role = body.role
        if (role === "requester") this.#chain.decryptions.join(peer, identity)
    }

    async #logged(build: (time: UnixMs) => SentEntry) {
        const receipt = await this.#chain.acceptance.accept(build, this, this.#address)
        return { receipt }
    }

    /**
     * The message names its ticket, so that an answer meant for another round says so instead of failing a proof. One
     * that is logged already keeps its receipt, whichever round is open by now.
     */
    async #answer(ticket: Uint8Array, build: (time: UnixMs) => SentEntry) {
        const { acceptance, state } = this.#chain
        const receipt = acceptance.receiptOf(build(state.time))
        if (receipt !== undefined) return { receipt }
        const { current } = state
        if (current?.phase === "open") require(equalBytes(ticket, current.ticket), "wrong-ticket")
        return this.#logged(build)
    }

    #open(): OpenRound {
        const { current } = this.#chain.state
        if (current?.phase !== "open") throw new Refusal("no-round")
        return current
    }

    #subscribe(body: Message<"ReqSubscribe">, peer: Peer): Message<"RespSubscribe"> {
        require(this.#subscription === undefined, "already-subscribed")
        const { size } = this.#chain.head
        const kinds = parseKinds(body.kinds)
        require(body.index === null || body.round === null, "malformed", { path: "ReqSubscribe.round" })
        const from = body.round === null ? (body.index ?? size) : this.#chain.ticketIndex(body.round)
        require(from <= size, "no-such-entry", { size })
        this.#subscription = this.#chain.followers.subscribe(peer, from, kinds)
        return { from, size }
    }
}

/** Synchronous handlers, whose refusals become rejections. */
async function later<T>(answer: () => T): Promise<T> {
    await Promise.resolve()
    return answer()
}

function registrationEntry(body: Message<"ReqRegister">, time: UnixMs): SentEntry {
    switch (body.role) {
        case "party": {
            const { role: _, ...fields } = body
            return { ...fields, kind: "party-registration", time }
        }
        case "requester": {
            const { role: _, ...fields } = body
            return { ...fields, kind: "requester-registration", time }
        }
        case "entropy-node": {
            const { role: _, ...fields } = body
            return { ...fields, kind: "node-registration", time }
        }
    }
}
