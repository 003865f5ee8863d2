/** The claims of one entry, on their way to verifiers and back. */
import type { Claim } from "@tallylight/protocol/ledger/claim.js"

/** As many as a contribution has: some milliseconds, tens of them for members of the largest committees. */
const batchSize = 4

export type Batch = { readonly job: Job; readonly from: number; readonly claims: readonly Claim[] }

export class Job {
    /** Rejects with the failure of the first claim that does not hold, whatever was judged first. */
    readonly done: Promise<void>
    readonly #begin: () => readonly Claim[]
    #claims: readonly Claim[] | undefined
    #given = 0
    #outstanding = 0
    #failure: { readonly at: number; readonly error: unknown } | undefined
    #resolve: () => void = () => undefined
    #reject: (error: unknown) => void = () => undefined

    constructor(begin: () => readonly Claim[]) {
        this.#begin = begin
        this.done = new Promise((resolve, reject) => {
            this.#resolve = resolve
            this.#reject = reject
        })
    }

    /** Whether there is nothing more to take. */
    get isGiven(): boolean {
        return (
            this.#failure !== undefined || (this.#claims !== undefined && this.#given >= this.#claims.length)
        )
    }

    take(): Batch | undefined {
        if (this.isGiven) return undefined
        try {
            this.#claims ??= this.#begin()
        } catch (error) {
            this.end(error)
            return undefined
        }
        const from = this.#given
        const claims = this.#claims.slice(from, from + batchSize)
        this.#given += claims.length
        this.#outstanding += 1
        return { job: this, from, claims }
    }

    /** The batch from there on is judged: it holds where there is no error. */
    judged(from: number, error: unknown): void {
        this.#outstanding -= 1
        if (error !== undefined && (this.#failure === undefined || from < this.#failure.at))
            this.#failure = { at: from, error }
        if (!this.isGiven || this.#outstanding > 0) return
        if (this.#failure === undefined) this.#resolve()
        else this.#reject(this.#failure.error)
    }

    /** Whatever is still being judged. */
    end(error: unknown): void {
        this.#failure = { at: 0, error }
        this.#reject(error)
    }
}
