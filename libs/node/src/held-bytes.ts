/** What all connections together hold for readers that have not taken it: one slow reader is cheap, a crowd is not. */

export type Holder = {
    /** Gives up what it holds, as soon as it can. */
    readonly drop: () => void
}

export class HeldBytes {
    readonly #most: number
    readonly #onFull: () => void
    readonly #held = new Map<Holder, number>()
    #total = 0

    constructor(most: number, onFull: () => void) {
        this.#most = most
        this.#onFull = onFull
    }

    get total(): number {
        return this.#total
    }

    /** Says how much `holder` holds now. Where all together hold too much, whoever holds most is dropped first. */
    set(holder: Holder, bytes: number): void {
        this.#total += bytes - (this.#held.get(holder) ?? 0)
        if (bytes === 0) this.#held.delete(holder)
        else this.#held.set(holder, bytes)
        while (this.#total > this.#most) {
            const [largest] = [...this.#held].reduce((a, b) => (b[1] > a[1] ? b : a))
            this.#onFull()
            // Forgotten at once, since it is on its way out: nobody else goes for what it still holds.
            this.set(largest, 0)
            largest.drop()
        }
    }
}
