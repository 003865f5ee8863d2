/** `verify --self-test`: the honest sample, then every mutant of it, shown to the auditor on this machine. */
import { setImmediate as turn } from "node:timers/promises"
import { honest } from "@tallylight/protocol/sample/mutant.js"
import type { Mutant, Served } from "@tallylight/protocol/sample/mutant.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { audit } from "@tallylight/protocol/verify/audit.js"
import type { Report } from "@tallylight/protocol/verify/audit.js"
import type { RuleName } from "@tallylight/protocol/verify/rules.js"
import type { RefusalCode } from "@tallylight/protocol/wire/refusal.js"
import { DoesNotHold } from "./does-not-hold.ts"
import { showProgress } from "./progress.ts"
import type { Colors, Terminal } from "./terminal.ts"

export type Tried = {
    readonly rule: RuleName
    readonly breaks: string
    /** The code that must refuse it, and the one that did; null where nothing did. */
    readonly code: RefusalCode
    readonly got: RefusalCode | null
    readonly refused: boolean
}

export async function selfTest(
    mutants: readonly Mutant[],
    { json }: { readonly json?: true },
    stop: AbortSignal,
    to: Terminal,
): Promise<void> {
    const sample = sampleLedger()
    const held = (await replay(honest(sample))).holds
    const progress = showProgress("forging")
    const tried: Tried[] = []
    try {
        for (const mutant of mutants) {
            await turn()
            stop.throwIfAborted()
            tried.push(judge(mutant, await replay(mutant.mutate(sample))))
            progress.update(tried.length, mutants.length)
        }
    } finally {
        progress.clear()
    }
    const holds = held && tried.every(({ refused }) => refused)
    await to.out(
        json
            ? `${JSON.stringify({ holds, honest: held, entries: sample.entries.length, mutants: tried })}\n`
            : text(held, tried, to.colors),
    )
    if (!holds) throw new DoesNotHold("this auditor does not do what it must: do not rely on it")
}

function judge({ rule, breaks, code }: Mutant, { holds, verdicts }: Report): Tried {
    const broken = verdicts.filter(({ verdict }) => verdict === "broken")
    const [first] = broken
    const refused = !holds && broken.length === 1 && first?.rule === rule && first.first?.code === code
    return { rule, breaks, code, got: first?.first?.code ?? null, refused }
}

function replay({ entries, checkpoint, pinned }: Served): Promise<Report> {
    return audit({ entries: each(entries), checkpoint, ...(pinned && { pinned }) })
}

async function* each(entries: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    for (const entry of entries) yield await Promise.resolve(entry)
}

function text(held: boolean, tried: readonly Tried[], colors: Colors): string {
    const failed = tried.filter(({ refused }) => !refused).length
    const lines = tried.map((mutant) => `${mark(mutant, colors)}  ${mutant.rule}: ${mutant.breaks}`)
    return [
        held
            ? `${colors.green("accepted".padEnd(width))}  the honest ledger`
            : colors.red("the honest ledger is refused"),
        ...lines,
        "",
        failed === 0 && held
            ? colors.green(`the honest ledger holds, and all ${tried.length} forged ones are refused`)
            : colors.red(
                  colors.bold(`${failed} of ${tried.length} forged ledgers are not refused as they must be`),
              ),
        "",
    ].join("\n")
}

const width = "wrong-encryption-key".length

function mark({ refused, code, got }: Tried, { red, bold, green }: Colors): string {
    if (refused) return green(code.padEnd(width))
    return red(bold(got === null ? `ACCEPTED, not ${code}` : `${got}, not ${code}`))
}
