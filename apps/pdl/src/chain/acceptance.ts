/**
 * From a message to a durable entry and its receipt: the cheap checks against the state, the proofs, then the
 * cheap checks again inside the writer, because the state moves while proofs are verified.
 */
import { isDeepStrictEqual } from "node:util"
import { toHex } from "@tallylight/crypto/bytes.js"
import { sha256 } from "@tallylight/crypto/hash.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { apply } from "@tallylight/protocol/ledger/apply.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { promiseOf, signReceipt } from "@tallylight/protocol/ledger/receipt.js"
import type { Promised } from "@tallylight/protocol/ledger/receipt.js"
import type { Claim } from "@tallylight/protocol/ledger/claim.js"
import { claimsOf } from "@tallylight/protocol/ledger/verify.js"
import type { SentEntry } from "@tallylight/protocol/ledger/verify.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { Refusal, require } from "@tallylight/protocol/wire/refusal.js"
import type { Appended, LedgerWriter } from "../ledger/writer.ts"
import { Census } from "../limits/census.ts"
import type { Intake } from "../limits/intake.ts"
import type { ProofLane } from "../proofs/lane.ts"
import { isCommittee, rankOf } from "../proofs/rank.ts"
import type { Meter } from "./meter.ts"

/** Receipts that an identical resend can still fetch: half a kilobyte each. */
const remembered = 16_384

/** Of the backlog, for one address: forged answers cost their sender nothing, and would keep everybody else's out. */
const shareOfAddress = 1 / 8

/** What makes two messages identical: everything but the times and verdicts that the server adds. */
function digest(entry: Entry): string {
    const bare = entry.kind === "share" ? { ...entry, time: 0, valid: false } : { ...entry, time: 0 }
    return toHex(sha256(encodeEntry(bare)))
}

type Options = {
    readonly writer: LedgerWriter
    readonly intake: Intake
    readonly messageKey: Signer
    readonly proofs: ProofLane
    /** Entries that may wait for their proofs or for the writer. */
    readonly backlog: number
    readonly meter?: Meter | undefined
}

export class Acceptance {
    readonly #options: Options
    /** In the order of arrival, so that the oldest are forgotten first. */
    readonly #receipts = new Map<string, Promised>()
    /** Entries of each address that wait for their proofs. */
    readonly #waiting = new Census()
    /** Whose committees are being verified. */
    readonly #committees = new Set<object>()

    constructor(options: Options) {
        this.#options = options
    }

    /** Called for every durable entry, at start-up for those of the past, in order. */
    remember({ index, entry }: Appended): void {
        this.#receipts.set(digest(entry), promiseOf(index, entry))
        const [oldest] = this.#receipts.keys()
        if (this.#receipts.size > remembered && oldest !== undefined) this.#receipts.delete(oldest)
    }

    /**
     * The receipt for `entry`, whose time is set when it is logged; an identical one gets the first receipt.
     * `sender` stands for the connection, `address` for where it comes from.
     */
    async accept(build: (time: UnixMs) => SentEntry, sender: object, address?: string): Promise<Receipt> {
        const { writer, intake, meter } = this.#options
        const entry = build(writer.now())
        const known = this.receiptOf(entry)
        if (known !== undefined) return known
        apply(writer.state, entry)
        intake.knock(entry, writer.state, address)
        const verified = this.#verifyInTurn(entry, sender, address)
        meter?.proving(entry.kind, verified)
        try {
            const judged = await verified
            const appended = await writer.submit((state, time) => {
                intake.enter(entry, state, address)
                // A renewal that was logged meanwhile brings another key than the one that they were judged under.
                if (entry.kind === "pulse") require(isDeepStrictEqual(claimsOf(state, entry), judged), "busy")
                return { ...entry, time }
            })
            if (appended === undefined) throw new Error("an entry was submitted and not appended")
            return this.#sign(promiseOf(appended.index, appended.entry))
        } catch (error) {
            // Its twin, sent at the same time, may have been logged first, while this one waited for its turn.
            const twin = error instanceof Refusal ? this.receiptOf(entry) : undefined
            if (twin === undefined) throw error
            return twin
        }
    }

    /** Of an identical entry, whatever its time, that is logged and remembered. */
    receiptOf(entry: Entry): Receipt | undefined {
        const promised = this.#receipts.get(digest(entry))
        return promised && this.#sign(promised)
    }

    #sign(promised: Promised): Receipt {
        this.#options.meter?.gaveReceipt()
        return signReceipt(this.#options.writer.state.chain, this.#options.messageKey, promised)
    }

    async #verifyInTurn(
        entry: SentEntry,
        sender: object,
        address: string | undefined,
    ): Promise<readonly Claim[]> {
        const { backlog, meter } = this.#options
        if (this.#waiting.of(address) >= backlog * shareOfAddress) {
            meter?.reached("backlog")
            throw new Refusal("busy", { backlog })
        }
        this.#waiting.add(address, 1)
        return this.#verify(entry, sender).finally(() => this.#waiting.add(address, -1))
    }

    async #verify(entry: SentEntry, sender: object): Promise<readonly Claim[]> {
        const { writer, proofs, backlog, meter } = this.#options
        const rank = rankOf(entry)
        // What goes first must not be turned away for what waits behind it.
        if (proofs.ahead(rank) + writer.backlog >= backlog) {
            meter?.reached("backlog")
            throw new Refusal("busy", { backlog })
        }
        let claims: readonly Claim[] = []
        const begin = () => (claims = claimsOf(writer.state, entry))
        if (!isCommittee(entry)) {
            await proofs.verify(rank, sender, begin)
            return claims
        }
        // Seconds each: one connection must not have a queue of them in front of everybody else's.
        if (this.#committees.has(sender)) throw new Refusal("busy")
        this.#committees.add(sender)
        await proofs.verify(rank, sender, begin).finally(() => this.#committees.delete(sender))
        return claims
    }
}
