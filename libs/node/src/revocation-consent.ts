/** What cannot be undone is done for whoever says so twice: with `--yes`, or at a terminal. */
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import { toHex } from "@tallylight/crypto/bytes.js"
import type { Command } from "commander"
import { UserError } from "./user-error.ts"

export type Terminal = { readonly input: Readable & { readonly isTTY?: boolean }; readonly output: Writable }

export const systemTerminal: Terminal = { input: process.stdin, output: process.stderr }

/** How much of an identity is typed: enough to have looked at it. */
const typedDigits = 8

/** Ends the command with wrong usage where nobody can be asked and nothing says that nobody need be. */
export function requireConsent(
    command: Command,
    { yes }: { readonly yes?: true },
    { input } = systemTerminal,
): void {
    if (yes || input.isTTY === true) return
    command.error("error: a revocation cannot be undone, and there is no terminal to ask at; add --yes")
}

/** Rejects with a {@link UserError} unless the beginning of that identity is typed, with the stop signal's reason. */
export async function confirm(
    text: string,
    identity: Uint8Array,
    { input, output }: Terminal,
    stop: AbortSignal,
): Promise<void> {
    stop.throwIfAborted()
    output.write(`${text}Type the first ${typedDigits} characters of the identity to revoke it: `)
    // It leaves the terminal as it is, where Ctrl-C is a signal.
    const lines = createInterface({ input, terminal: false })
    const close = (): void => lines.close()
    stop.addEventListener("abort", close, { once: true })
    const answer = await new Promise<string>((resolve) => {
        lines.once("line", resolve)
        lines.once("close", () => resolve(""))
    })
    stop.removeEventListener("abort", close)
    lines.close()
    stop.throwIfAborted()
    if (answer.trim().toLowerCase() !== toHex(identity).slice(0, typedDigits))
        throw new UserError("that is not the beginning of the identity, so it was not revoked")
}
