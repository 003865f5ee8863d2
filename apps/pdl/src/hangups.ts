/** SIGHUP, by which a running server is told of a renewed certificate. It ends a process that does not listen for it. */
export class Hangups {
    /** None while the server starts: whatever was renewed by then is read later anyway. */
    #answer: () => void = () => undefined
    readonly #hear = (): void => this.#answer()

    constructor() {
        process.on("SIGHUP", this.#hear)
    }

    /** What is done about each one from now on. */
    answer(answer: () => void): void {
        this.#answer = answer
    }

    end(): void {
        process.off("SIGHUP", this.#hear)
    }
}
