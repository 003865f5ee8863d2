/** What a serving process counts, until the process with the metrics takes it. */

/** Plain data, for messages between processes: labels joined by a space, and how often. */
export type Counted = {
    /** `METHOD ROUTE STATUS`. */
    readonly answers: ReadonlyMap<string, number>
    /** Bytes handed out, by source. */
    readonly bytes: ReadonlyMap<string, number>
}

export class Counts {
    #answers = new Map<string, number>()
    #bytes = new Map<string, number>()

    answered(method: string, route: string, status: number): void {
        add(this.#answers, `${method} ${route} ${status}`, 1)
    }

    gave(source: "trng" | "fortuna", bytes: number): void {
        add(this.#bytes, source, bytes)
    }

    add({ answers, bytes }: Counted): void {
        for (const [labels, times] of answers) add(this.#answers, labels, times)
        for (const [source, count] of bytes) add(this.#bytes, source, count)
    }

    /** Everything since the last time, which then begins at zero. */
    take(): Counted {
        const counted = { answers: this.#answers, bytes: this.#bytes }
        this.#answers = new Map()
        this.#bytes = new Map()
        return counted
    }
}

function add(map: Map<string, number>, key: string, count: number): void {
    map.set(key, (map.get(key) ?? 0) + count)
}
