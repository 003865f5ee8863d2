/** `doctor`: checks that look and leave nothing behind, each with a sentence, none of which keeps another from being made. */
import { isatty } from "node:tty"
import { styleText } from "node:util"

import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { untilAny } from "@tallylight/protocol/ports/until-any.js"

import { systemClock } from "./system-clock.ts"
import { UserError } from "./user-error.ts"

export type Finding = {
    readonly verdict: "ok" | "warn" | "fail"
    /** What was found. */
    readonly says: string
    /** What to do about it. */
    readonly advice?: string
}

export type Check = {
    readonly name: string
    /** Whatever it rejects with is a failure. The signal comes when its time is over. */
    readonly look: (signal: AbortSignal) => Promise<Finding>
}

export type Diagnosis = Finding & { readonly name: string }

export const ok = (says: string): Finding => ({ verdict: "ok", says })
export const warn = (says: string, advice: string): Finding => ({ verdict: "warn", says, advice })
export const fail = (says: string, advice: string): Finding => ({ verdict: "fail", says, advice })

const limitMs = 15_000

/** Of each check, in their order, as soon as it is known. */
export async function* examine(
    checks: readonly Check[],
    stop: AbortSignal,
    clock: Clock = systemClock,
): AsyncGenerator<Diagnosis> {
    for (const { name, look } of checks) {
        stop.throwIfAborted()
        yield { name, ...(await limited(look, stop, clock)) }
    }
}

async function limited(look: Check["look"], stop: AbortSignal, clock: Clock): Promise<Finding> {
    const late = fail(`came to no end within ${limitMs / 1000} s`, "look at what it waits for, and try again")
    try {
        return await untilAny([stop], (over) =>
            Promise.race([look(over), clock.sleep(limitMs, over).then(() => late)]),
        )
    } catch (error) {
        stop.throwIfAborted()
        return { verdict: "fail", says: error instanceof Error ? error.message : String(error) }
    }
}

/** Prints what is found. Rejects with a {@link UserError}, so that the process ends with 1, if a check failed. */
export async function runDoctor(
    checks: readonly Check[],
    { json }: { readonly json?: true | undefined },
    stop: AbortSignal,
): Promise<void> {
    const found: Diagnosis[] = []
    const colored = isatty(1) && process.env.NO_COLOR === undefined
    for await (const diagnosis of examine(checks, stop)) {
        found.push(diagnosis)
        if (!json) process.stdout.write(diagnosisText(diagnosis, colored))
    }
    const failed = found.filter(({ verdict }) => verdict === "fail").length
    if (json) process.stdout.write(`${JSON.stringify({ healthy: failed === 0, checks: found })}\n`)
    if (failed > 0) throw new UserError(`${failed} of ${found.length} checks failed`)
}

const words = { ok: "ok  ", warn: "warn", fail: "FAIL" } as const
const colors = { ok: "green", warn: "yellow", fail: "red" } as const
const nameWidth = 16

export function diagnosisText({ name, verdict, says, advice }: Diagnosis, colored: boolean): string {
    const word = colored
        ? styleText(colors[verdict], words[verdict], { validateStream: false })
        : words[verdict]
    const indent = " ".repeat(words.ok.length + nameWidth + 4)
    const then = advice === undefined ? "" : `${indent}${printable(advice, indent)}\n`
    return `${word}  ${name.padEnd(nameWidth)}  ${printable(says, indent)}\n${then}`
}

/** What a server said is in there, and a terminal would obey it. */
function printable(text: string, indent: string): string {
    return text
        .split("\n")
        .map((line) => line.replace(/\p{C}/gu, "?"))
        .join(`\n${indent}`)
}
