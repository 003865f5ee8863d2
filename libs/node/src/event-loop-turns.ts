/**
 * Shares out the event loop. Node reads a socket up to thirty-two times before it looks at the next one, and what is read is
 * worked on at once: thirty-two connections that sent as fast as they could held everybody else up for a minute.
 * Groups take turns, such as the chains of a server, and so do those within a group: many connections of one get no more
 * than few of another.
 */

/** What the work of one pass over the event loop may take before others have their turn. */
const passMs = 5

/** As many as a pass can do at best: each takes its time from the pass. */
const mostInPass = 32

type Pass = { begun: number | undefined }

export class Turns {
    /** Of each group, in the order in which they came; whose turn it is comes first. */
    readonly #waiting = new Map<object, (() => void)[]>()
    #count = 0
    #scheduled = 0

    /** Resolves when it is the turn of the caller, who is one of `group`, to work for some hundred microseconds at most. */
    next(group: object): Promise<void> {
        return new Promise((resolve) => {
            const before = this.#waiting.get(group)
            if (before === undefined) this.#waiting.set(group, [resolve])
            else before.push(resolve)
            this.#count += 1
            if (this.#scheduled === 0) this.#schedule()
        })
    }

    /** Immediates that are set now all run in the next pass, each with what it sets off before the next one. */
    #schedule(): void {
        const pass: Pass = { begun: undefined }
        this.#scheduled = Math.min(this.#count, mostInPass)
        for (let count = 0; count < this.#scheduled; count++) setImmediate(() => this.#give(pass))
    }

    #give(pass: Pass): void {
        const now = performance.now()
        pass.begun ??= now
        this.#scheduled -= 1
        if (now - pass.begun < passMs) this.#take()?.()
        if (this.#scheduled === 0 && this.#count > 0) this.#schedule()
    }

    #take(): (() => void) | undefined {
        for (const [group, waiting] of this.#waiting) {
            const first = waiting.shift()
            this.#count -= 1
            this.#waiting.delete(group)
            if (waiting.length > 0) this.#waiting.set(group, waiting)
            return first
        }
        return undefined
    }
}
