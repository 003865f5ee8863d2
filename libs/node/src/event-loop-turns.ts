/**
 * Shares out the event loop. Node reads a socket up to thirty-two times before it looks at the next one, and what is read is
 * worked on at once: thirty-two connections that sent as fast as they could held everybody else up for a minute.
 */

/** What the work of one pass over the event loop may take before others have their turn. */
const passMs = 5

/** As many as a pass can do at best: each takes its time from the pass. */
const mostInPass = 32

type Pass = { begun: number | undefined }

export class Turns {
    /** In the order in which they came. */
    readonly #waiting: (() => void)[] = []
    #scheduled = 0

    /** Resolves when it is the caller's turn to work, for some hundred microseconds at most. */
    next(): Promise<void> {
        return new Promise((resolve) => {
            this.#waiting.push(resolve)
            if (this.#scheduled === 0) this.#schedule()
        })
    }

    /** Immediates that are set now all run in the next pass, each with what it sets off before the next one. */
    #schedule(): void {
        const pass: Pass = { begun: undefined }
        this.#scheduled = Math.min(this.#waiting.length, mostInPass)
        for (let count = 0; count < this.#scheduled; count++) setImmediate(() => this.#give(pass))
    }

    #give(pass: Pass): void {
        const now = performance.now()
        pass.begun ??= now
        this.#scheduled -= 1
        if (now - pass.begun < passMs) this.#waiting.shift()?.()
        if (this.#scheduled === 0 && this.#waiting.length > 0) this.#schedule()
    }
}
