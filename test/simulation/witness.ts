/**
 * Holds a simulated network to what it promises, after every step. It is the verifier, and goes on where it was: to
 * begin anew each time would take longer than everything else. What it finds stays found.
 */
import { equalBytes, toHex } from "@tallylight/crypto/bytes.js"
import { openCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { apply, begin } from "@tallylight/protocol/ledger/apply.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import { verifyEntry } from "@tallylight/protocol/ledger/verify.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { RoundJudge } from "./promises.ts"
import type { Network, Sent } from "./network.ts"

export class Witness {
    readonly problems: string[] = []
    readonly #network: Network
    #state: ChainState | undefined
    readonly #leaves: Uint8Array[] = []
    /** roots[i] is of the tree of i + 1 entries. */
    readonly #roots: Uint8Array[] = []
    readonly #rounds = new RoundJudge()
    #receipts = 0
    #sent = 0
    /** What somebody said once and may not say differently, by what it is. */
    readonly #said = new Map<string, string>()

    constructor(network: Network) {
        this.#network = network
    }

    get size(): number {
        return this.#leaves.length
    }

    get receipts(): number {
        return this.#receipts
    }

    async look(): Promise<void> {
        await this.#verifyNewEntries()
        this.#compareReceipts()
        this.#compareFollowers()
        this.#compareAnswers()
        const { broken, faults } = this.#network
        for (const { receipt } of broken.splice(0))
            this.problems.push(`somebody saw the promise at ${receipt.index} broken`)
        for (const fault of faults.splice(0))
            this.problems.push(
                `a process gave up: ${fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)}`,
            )
    }

    async #verifyNewEntries(): Promise<void> {
        const { size, checkpoint: note } = await this.#network.head()
        if (size < this.size) this.problems.push(`the ledger shrank from ${this.size} to ${size} entries`)
        for await (const bytes of this.#network.read(Math.min(this.size, size), size)) this.#take(bytes)
        const state = this.#state
        if (state === undefined || this.problems.length > 0) return
        const { origin, ledgerKey: publicKey } = state.genesis
        const checkpoint = openCheckpoint(note, { origin, publicKey })
        const root = rangeRoot(state.range)
        if (checkpoint?.size !== size || !equalBytes(checkpoint.root, root))
            this.problems.push(`the checkpoint is not of the ${size} entries next to it`)
    }

    #take(bytes: Uint8Array): void {
        const index = this.size
        try {
            const entry = decodeEntry(bytes)
            const before = this.#state
            const after = before === undefined ? begin(entry) : apply(before, entry)
            verifyEntry(before ?? after, entry)
            this.problems.push(...this.#rounds.judge(before, entry, index))
            // Its key holders sign that checkpoint: it must be one that the server is bound to after a crash.
            if (entry.kind === "tally" && !this.#network.checkpointSizes.has(index + 1))
                this.problems.push(`no checkpoint ends with the tally at ${index}`)
            this.#state = after
            this.#leaves.push(leafHash(bytes))
            this.#roots.push(rangeRoot(after.range))
        } catch (error) {
            if (!(error instanceof Refusal)) throw error
            this.problems.push(`entry ${index} is refused: ${error.code}`)
        }
    }

    /** Each is kept from the moment in which it is given. */
    #compareReceipts(): void {
        const { receipts } = this.#network
        for (const { index, leaf } of receipts.slice(this.#receipts)) {
            const kept = this.#leaves[index]
            if (kept === undefined) this.problems.push(`the entry promised at ${index} is not there`)
            else if (!equalBytes(kept, leaf)) this.problems.push(`another entry than promised is at ${index}`)
        }
        this.#receipts = receipts.length
    }

    /** What each of them saw is a beginning of the ledger. */
    #compareFollowers(): void {
        for (const { name, replica } of this.#network.everybody) {
            const state = replica?.state
            if (state === undefined) continue
            const root = this.#roots[state.range.size - 1]
            if (root === undefined || !equalBytes(root, rangeRoot(state.range)))
                this.problems.push(`${name} saw ${state.range.size} entries that are not the ledger's first`)
        }
    }

    /** Nobody answers one round, or opens one tally, in two ways, whatever happened in between. */
    #compareAnswers(): void {
        const { sent } = this.#network
        for (const one of sent.slice(this.#sent)) {
            const key = answered(one)
            if (key === undefined) continue
            const said = textOf(one.frame.body)
            const before = this.#said.get(key)
            this.#said.set(key, said)
            if (before !== undefined && before !== said) this.problems.push(`${key} was given in two ways`)
        }
        this.#sent = sent.length
    }
}

/** What somebody answers once; undefined for what may be said again in other words. */
function answered({ by, frame }: Sent): string | undefined {
    if (frame.type === "ReqContribution" || frame.type === "ReqAbstention")
        return `the answer of ${toHex(frame.body.identity).slice(0, 8)} to ticket ${toHex(frame.body.ticket).slice(0, 8)}`
    // The point S is the same for every proof of one tally by one key.
    if (frame.type === "RespDecryption") return `the share ${toHex(frame.body.S).slice(0, 16)} of ${by}`
    return undefined
}

function textOf(body: unknown): string {
    return JSON.stringify(body, (_, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value))
}
