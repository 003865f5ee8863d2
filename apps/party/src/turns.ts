/** Work of which so much is done at once, and the rest in the order in which it came. */
export class Turns {
    readonly #lanes: Promise<unknown>[]
    #taken = 0

    constructor(atOnce: number) {
        this.#lanes = Array.from({ length: atOnce }, () => Promise.resolve())
    }

    /** Settles as the work does. */
    take<T>(work: () => Promise<T>): Promise<T> {
        const lane = this.#taken++ % this.#lanes.length
        const done = (this.#lanes[lane] ?? Promise.resolve()).then(work)
        this.#lanes[lane] = done.catch(() => undefined)
        return done
    }
}
