import type { KnownCommand } from "./commands.ts"

/** The chip did not do what it was told, however often. */
export class ChipFailure extends Error {
    override readonly name = "ChipFailure"
    /** What went wrong each time. */
    readonly attempts: readonly Error[]

    constructor(command: KnownCommand, attempts: readonly Error[]) {
        const tried = attempts.map((error, i) => `${i + 1}. ${error.message}`).join("; ")
        super(
            `${command.name} failed ${attempts.length} times, the chip put to sleep and woken between: ${tried}`,
        )
        this.attempts = attempts
    }
}
