/** One token bucket for each name that somebody goes by: an address, an identity. */
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { fullBucket, spend } from "@tallylight/protocol/wire/budget.js"
import type { Bucket, Budget } from "@tallylight/protocol/wire/budget.js"

/** Some 10 MB. Who has more addresses than this gets a full bucket with each that was forgotten. */
const mostNames = 65_536

export class Allowances {
    readonly #budget: Budget
    readonly #clock: Clock
    /** The one that was used longest ago first. */
    readonly #buckets = new Map<string, Bucket>()

    constructor(budget: Budget, clock: Clock) {
        this.#budget = budget
        this.#clock = clock
    }

    /** Takes so many tokens of that name's; false, and nothing taken, where there are not as many. */
    spend(name: string, tokens: number): boolean {
        const left = this.#left(name, tokens)
        if (left === undefined) return false
        this.#buckets.delete(name)
        this.#buckets.set(name, left)
        const [oldest] = this.#buckets.keys()
        if (this.#buckets.size > mostNames && oldest !== undefined) this.#buckets.delete(oldest)
        return true
    }

    /** Whether `spend` would be true now. */
    covers(name: string, tokens: number): boolean {
        return this.#left(name, tokens) !== undefined
    }

    #left(name: string, tokens: number): Bucket | undefined {
        const elapsed = this.#clock.elapsed()
        const bucket = this.#buckets.get(name) ?? fullBucket(this.#budget, elapsed)
        return spend(bucket, this.#budget, elapsed, tokens)
    }
}
