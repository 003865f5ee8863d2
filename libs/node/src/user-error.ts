/**
 * A sentence for the person at the terminal, who alone can mend what is wrong: a missing file, a wrong option.
 * It is shown without a stack, and nothing retries it.
 */
export class UserError extends Error {
    override readonly name = "UserError"
}

/** The code of a failed system call, such as ENOENT. */
export function systemCode(error: unknown): string | undefined {
    if (!(error instanceof Error) || !("code" in error)) return undefined
    return typeof error.code === "string" ? error.code : undefined
}
