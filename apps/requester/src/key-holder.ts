/**
 * Whoever holds a key, or a share of one, and opens sealed tallies with it.
 *
 * It opens a tally only in a ledger that it has verified itself, and only once: what it answered is on disk
 * before it is sent, and the same bytes are sent again when it is asked again.
 */
import { concatBytes, equalBytes } from "@tallylight/crypto/bytes.js"
import { openCheckpoint } from "@tallylight/crypto/checkpoint.js"
import type { Scalar } from "@tallylight/crypto/scalar.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { decodeEntry, encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { EntryOf, RecordedShare } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState, SealedRound } from "@tallylight/protocol/ledger/state.js"
import type { Random } from "@tallylight/protocol/ports/clock.js"
import type { Notebook } from "@tallylight/protocol/ports/notebook.js"
import { sealedRound } from "@tallylight/protocol/round/phase.js"
import { memberIndex, openTally } from "@tallylight/protocol/round/share.js"
import type { Message } from "@tallylight/protocol/wire/messages.js"
import { Refusal, require } from "@tallylight/protocol/wire/refusal.js"

export type HolderKeys = {
    readonly signer: Signer
    readonly secret: Scalar
    /** Of the key that `secret` is, or is a share of. */
    readonly commitments: readonly Uint8Array[]
}

const lastShare = "last-share"

export class KeyHolder {
    readonly #keys: HolderKeys
    readonly #notebook: Notebook
    readonly #random: Random
    /** The latest opening, done or not. */
    #last: Promise<unknown> = Promise.resolve()

    constructor(keys: HolderKeys, notebook: Notebook, random: Random) {
        this.#keys = keys
        this.#notebook = notebook
        this.#random = random
    }

    /** The share for a tally that `state`, every proof of which was verified here, holds sealed. */
    open(state: ChainState, asked: Message<"ReqDecryption">): Promise<Message<"RespDecryption">> {
        // One after the other: of two questions at once neither would find the other's note, and both got an answer.
        const opened = this.#last.then(() => this.#openOrRecall(state, asked))
        this.#last = opened.catch(() => undefined)
        return opened
    }

    async #openOrRecall(
        state: ChainState,
        asked: Message<"ReqDecryption">,
    ): Promise<Message<"RespDecryption">> {
        const sealed = sealedRound(state, asked.round)
        const identity = this.#keys.signer.publicKey
        const member = memberIndex(sealed, identity)
        // Under another key than its own it could only sign wrong shares.
        const isOwn = sameCommitments(sealed.request.requester.commitments, this.#keys.commitments)
        require(member !== undefined && isOwn, "not-a-member")
        compareTally(state, sealed, asked)
        const share = (await this.#recall(sealed)) ?? (await this.#open(state, sealed, member))
        const { S, c, z, signature } = share
        return { identity, member, S, c, z, signature }
    }

    async #open(state: ChainState, sealed: SealedRound, member: number): Promise<RecordedShare> {
        const { signer, secret } = this.#keys
        const share = openTally(state.chain, sealed, { member, signer, secret, random: this.#random(32) })
        const { round, tallyLeaf } = sealed
        const note = shareNote(round, signer.publicKey, share)
        await this.#notebook.write(lastShare, concatBytes(tallyLeaf, encodeEntry(note)))
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
    const { identity, ...share } = answer
    return shareNote(round, identity, share)
}

function shareNote(round: number, identity: Uint8Array, share: RecordedShare): EntryOf<"share"> {
    return { kind: "share", time: 0, round, identity, share, valid: true }
}

export function sameCommitments(some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean {
    return equalBytes(concatBytes(...some), concatBytes(...others))
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
