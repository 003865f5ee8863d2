/** `observer verify`: the audit of a ledger, over HTTP or from files, and of the auditor itself. */
import { fromHex } from "@tallylight/crypto/bytes.js"
import { addOptions } from "@tallylight/node/cli.js"
import { requireLedgerKey } from "@tallylight/node/chain-identity.js"
import { UserError } from "@tallylight/node/user-error.js"
import { mutants } from "@tallylight/protocol/sample/mutants.js"
import { audit } from "@tallylight/protocol/verify/audit.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { Command, Option } from "commander"
import { checkEvidence } from "./check-evidence.ts"
import { askedChain } from "./config.ts"
import type { WhomOptions } from "./config.ts"
import { DoesNotHold } from "./does-not-hold.ts"
import { folderSource, httpSource } from "./ledger-source.ts"
import type { LedgerSource } from "./ledger-source.ts"
import { filePinnedEvidence } from "./pinned-evidence.ts"
import { readPinned, requireReplaceable, requireSigned, savePinned } from "./pinned.ts"
import { showProgress } from "./progress.ts"
import { selfTest } from "./self-test.ts"
import { terminal } from "./terminal.ts"
import type { Terminal } from "./terminal.ts"
import { brokenRule, reportJson, reportText } from "./verify-report.ts"

export type VerifyOptions = WhomOptions & {
    readonly dir?: string
    readonly pin?: string
    readonly saveCheckpoint?: string
    readonly evidence?: string
    readonly selfTest?: true
    readonly json?: true
}

export function verifyCommand(stop: AbortSignal): Command {
    const command = new Command("verify")
        .description("replay a ledger from its first byte and say of each rule whether it holds")
        .addOption(new Option("--dir <dir>", "a folder made by export, instead of a server").conflicts("url"))
        .option("--pin <file>", "a checkpoint seen before, which the ledger must extend")
        .option(
            "--save-checkpoint <file>",
            "where everything holds, keep the checkpoint there as the next --pin",
        )
        .addOption(
            new Option("--self-test", "show the auditor forged ledgers, one for each way to cheat").conflicts(
                [...["url", "dir", "chain", "ledgerKey", "pin", "saveCheckpoint"]],
            ),
        )
        .addOption(
            new Option(
                "--evidence <file>",
                "check an evidence file instead of a ledger, offline: 0 if it convicts the server",
            ).conflicts([...["url", "dir", "chain", "ledgerKey", "pin", "saveCheckpoint", "selfTest"]]),
        )
        .option("--json", "print the report as one JSON object")
        .action(async (options: VerifyOptions) => runVerify(options, stop, terminal))
        .addHelpText(
            "after",
            "\nEnds with 0 only if everything holds. Without --chain the chain is whichever is there: compare its id,\n" +
                "the hash of its first entry, with the one that you know from elsewhere.",
        )
    return addOptions(command, "config", "url", "chain", "ledgerKey", "ca", "logLevel")
}

/** Prints the report; rejects unless everything holds. */
export async function runVerify(options: VerifyOptions, stop: AbortSignal, to: Terminal): Promise<void> {
    try {
        if (options.evidence !== undefined) await checkEvidence(options.evidence, options.json === true, to)
        else if (options.selfTest) await selfTest(mutants, options, stop, to)
        else await verify(options, stop, to)
    } catch (error) {
        // Programs get their object also where there was nothing to report on.
        if (options.json && !(error instanceof DoesNotHold) && !stop.aborted)
            await to.out(`${JSON.stringify(problemJson(error))}\n`)
        throw error
    }
}

async function verify(options: VerifyOptions, stop: AbortSignal, to: Terminal): Promise<void> {
    const pinned = options.pin === undefined ? undefined : await readPinned(options.pin)
    if (options.saveCheckpoint !== undefined) await requireReplaceable(options.saveCheckpoint, options.pin)
    const { source, chain } = await openLedger(options, stop)
    const progress = showProgress("verifying")
    const report = await audit({
        entries: source.entries(),
        checkpoint: source.checkpoint,
        ...(chain && { chain }),
        ...(pinned && { pinned: pinned.checkpoint }),
        onEntry: (index) => progress.update(index, source.size),
    }).finally(() => progress.clear())
    if (pinned !== undefined && report.state !== undefined) requireSigned(pinned, report.state)
    // A server was asked for its genesis before; of files it is known by now.
    if (options.dir !== undefined && options.ledgerKey !== undefined && report.state !== undefined)
        requireLedgerKey(report.state.genesis, options.ledgerKey, options.dir)
    const json = reportJson(report, source)
    await to.out(options.json ? `${JSON.stringify(json)}\n` : reportText(json, to.colors))
    if (options.chain === undefined && json.chain !== null)
        to.err(
            `No --chain was given: the report is about the chain with this id, whosever it is: ${json.chain}\n`,
        )
    if (!report.holds) {
        const broken = brokenRule(report) ?? "the ledger does not hold"
        const forked = report.verdicts.some(
            ({ rule, verdict }) => rule === "append-only" && verdict === "broken",
        )
        if (!forked || pinned === undefined || report.state === undefined) throw new DoesNotHold(broken)
        const { path, convicts } = await filePinnedEvidence(pinned, source, report.state.genesis)
        const worth = convicts ? "and prove that it signed two histories" : "and convict nobody yet"
        throw new DoesNotHold(`${broken}; both signed checkpoints are in ${path}, ${worth}`)
    }
    if (options.saveCheckpoint !== undefined) await savePinned(options.saveCheckpoint, source.checkpoint)
}

async function openLedger(
    { dir, ...whom }: VerifyOptions,
    stop: AbortSignal,
): Promise<{ readonly source: LedgerSource; readonly chain: Uint8Array | undefined }> {
    if (dir !== undefined) {
        const { chain } = whom
        if (chain !== undefined && !/^[0-9a-f]{64}$/i.test(chain))
            throw new UserError(`“${chain}” is no chain id: 64 hexadecimal digits`)
        return {
            source: await folderSource(dir, stop),
            chain: chain === undefined ? undefined : fromHex(chain),
        }
    }
    const address = await askedChain(whom, stop)
    return { source: await httpSource(address, stop), chain: address.id }
}

function problemJson(error: unknown): {
    readonly holds: false
    readonly code: string | null
    readonly problem: string
} {
    const code = error instanceof Refusal ? error.code : null
    return { holds: false, code, problem: error instanceof Error ? error.message : String(error) }
}
