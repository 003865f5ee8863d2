/** How many there are of each name; what has none is not kept. Who has no name counts in the total only. */
export class Census {
    readonly #counts = new Map<string, number>()
    total = 0

    of(name: string | undefined): number {
        return name === undefined ? 0 : (this.#counts.get(name) ?? 0)
    }

    add(name: string | undefined, count: 1 | -1): void {
        this.total += count
        if (name === undefined) return
        const sum = this.of(name) + count
        if (sum === 0) this.#counts.delete(name)
        else this.#counts.set(name, sum)
    }
}
