/**
 * SIGHUP, by which a running server is told of a renewed certificate. It ends a process that does not listen for it; so
 * it shall where it means that the terminal was closed.
 */
import { isatty } from "node:tty"

export class Hangups {
    /** None while the server starts: whatever was renewed by then is read later anyway. */
    #answer: () => void = () => undefined
    readonly #hear = (): void => this.#answer()

    constructor(isOnTerminal = isatty(0)) {
        if (!isOnTerminal) process.on("SIGHUP", this.#hear)
    }

    /** What is done about each one from now on. */
    answer(answer: () => void): void {
        this.#answer = answer
    }

    end(): void {
        process.off("SIGHUP", this.#hear)
    }
}
