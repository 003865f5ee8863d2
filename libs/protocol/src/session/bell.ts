/** Something that happens again and again, for which anybody may wait. */
export class Bell {
    #waiting: (() => void)[] = []

    /** Resolves the next time it rings. */
    heard(): Promise<void> {
        return new Promise((resolve) => this.#waiting.push(resolve))
    }

    ring(): void {
        const waiting = this.#waiting
        this.#waiting = []
        for (const resolve of waiting) resolve()
    }
}
