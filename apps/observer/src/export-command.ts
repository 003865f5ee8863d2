/** `observer export`: a ledger as static files, for archives, mirrors and auditors without a network. */
import { addOptions } from "@tallylight/node/cli.js"
import { Command } from "commander"
import { askedChain } from "./config.ts"
import type { WhomOptions } from "./config.ts"
import { amount } from "./amount.ts"
import { exportLedger } from "./export.ts"
import { httpFiles } from "./log-files.ts"
import { showProgress } from "./progress.ts"
import { terminal } from "./terminal.ts"
import type { Terminal } from "./terminal.ts"

export type ExportOptions = WhomOptions & { readonly out: string }

export function exportCommand(stop: AbortSignal): Command {
    const command = new Command("export")
        .description("copy a ledger into a folder of static files, or bring such a copy up to date")
        .requiredOption("--out <dir>", "the folder: new, empty, or an export of the same chain")
        .action(async (options: ExportOptions) => runExport(options, stop, terminal))
        .addHelpText(
            "after",
            "\nThe files lie at the paths of C2SP tlog-tiles, so any file server can serve them. Entries, hashes and\n" +
                "checkpoint are held against each other; `observer verify --dir` checks the rest.",
        )
    return addOptions(command, "config", "url", "chain", "ledgerKey", "ca", "logLevel")
}

export async function runExport(
    { out, ...whom }: ExportOptions,
    stop: AbortSignal,
    to: Terminal,
): Promise<void> {
    const { http, hex, id, ca } = await askedChain(whom, stop)
    const progress = showProgress("exporting")
    const { name, size, before } = await exportLedger({
        files: httpFiles(`${http}/log`, ca, stop),
        chain: id,
        folder: out,
        stop,
        onEntries: (done, of) => progress.update(done, of),
    }).finally(() => progress.clear())
    const entries = amount(size, "entry", "entries")
    const added = before === 0 ? entries : `${entries}, ${size - before} of them new,`
    await to.out(`${added} of chain ${hex} (${name}) in ${out}\n`)
}
