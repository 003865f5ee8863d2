/** `observer verify-pulse`: the pulses of a NIST Randomness Beacon 2.0, ours or another, over HTTP or from files. */
import { setImmediate as turn } from "node:timers/promises"
import { addOptions } from "@tallylight/node/cli.js"
import { readAuthorities } from "@tallylight/node/server-settings.js"
import { UserError } from "@tallylight/node/user-error.js"
import { parseAddress } from "@tallylight/node/parse-option.js"
import { Command, Option } from "commander"
import { DoesNotHold } from "./does-not-hold.ts"
import { parseCount } from "./parse-count.ts"
import { showProgress } from "./progress.ts"
import { terminal } from "./terminal.ts"
import type { Terminal } from "./terminal.ts"
import { certificateWithId } from "./verify-pulse-certificates.ts"
import { readCertificateFiles, readPulseFiles } from "./verify-pulse-files.ts"
import { pulseProblem, PulseReport, pulseReportText } from "./verify-pulse-report.ts"
import { httpPulses } from "./verify-pulse-source.ts"
import type { PulseSource, SignerSource } from "./verify-pulse-source.ts"
import { walkList, walkRange } from "./verify-pulse-walk.ts"
import type { PulseRange, VerifiedPulse } from "./verify-pulse-walk.ts"

export type VerifyPulseOptions = {
    readonly url?: string
    readonly file?: readonly string[]
    readonly certificate?: readonly string[]
    readonly chain?: number
    readonly pulse?: number
    readonly from?: number
    readonly to?: number
    readonly last?: number
    readonly all?: true
    readonly ca?: string
    readonly json?: true
}

export function verifyPulseCommand(stop: AbortSignal): Command {
    const selection = ["chain", "pulse", "from", "to", "last", "all"]
    const command = new Command("verify-pulse")
        .description("verify pulses of a NIST Randomness Beacon 2.0 and say of each check whether it holds")
        .option(
            "--url <url>",
            "where the beacon is, such as https://beacon.nist.gov/beacon/2.0",
            parseAddress,
        )
        .addOption(
            new Option(
                "--file <files...>",
                "JSON files with a pulse or a list of pulses, instead of a beacon",
            ).conflicts(["url", "ca", ...selection]),
        )
        .option(
            "--certificate <files...>",
            "the beacon's certificates in PEM, instead of those that it serves",
        )
        .addOption(new Option("--chain <n>", "that chain (default: the last one)").argParser(parseCount))
        .addOption(
            new Option("--pulse <n>", "that pulse (default: the last one)")
                .argParser(parseCount)
                .conflicts(["from", "to", "last", "all"]),
        )
        .addOption(
            new Option("--from <n>", "from that pulse on").argParser(parseCount).conflicts(["last", "all"]),
        )
        .addOption(
            new Option("--to <n>", "up to that pulse (default: the last one)")
                .argParser(parseCount)
                .conflicts("last"),
        )
        .addOption(new Option("--last <n>", "the last n pulses").argParser(parseCount).conflicts("all"))
        .option("--all", "the chain from its first pulse on")
        .option("--json", "print the report as one JSON object")
        .action(async (options: VerifyPulseOptions) => {
            if ((options.url === undefined) === (options.file === undefined))
                command.error("error: either --url or --file is needed", { exitCode: 2 })
            if (options.to !== undefined && options.from === undefined && options.all === undefined)
                command.error("error: --to needs --from or --all", { exitCode: 2 })
            await runVerifyPulse(options, stop, terminal)
        })
        .addHelpText(
            "after",
            "\nEnds with 0 only if everything that can be checked holds and the signatures were verified. Without\n" +
                "--certificate they are verified with the certificates that the beacon serves: who owns those is for you to\n" +
                "find out.",
        )
    return addOptions(command, "ca", "logLevel")
}

/** Prints the report; rejects unless everything that can be checked holds and every signature is verified. */
export async function runVerifyPulse(
    options: VerifyPulseOptions,
    stop: AbortSignal,
    to: Terminal,
): Promise<void> {
    try {
        await verifyPulses(options, stop, to)
    } catch (error) {
        // Programs get their object also where there was nothing to report on.
        if (options.json && !(error instanceof DoesNotHold) && !stop.aborted) {
            const problem = error instanceof Error ? error.message : String(error)
            await to.out(`${JSON.stringify({ holds: false, class: null, problem })}\n`)
        }
        throw error
    }
}

type Walk = {
    readonly where: string
    readonly total: number
    readonly pulses: AsyncIterable<VerifiedPulse>
    /** Whether the certificates come from where the pulses do. */
    readonly ownWord: boolean
}

async function verifyPulses(options: VerifyPulseOptions, stop: AbortSignal, to: Terminal): Promise<void> {
    const { where, total, pulses, ownWord } = await openWalk(options, stop)
    const report = new PulseReport(where)
    const progress = showProgress("verifying", "pulses")
    let done = 0
    try {
        for await (const verified of pulses) {
            // Verifying takes all the time there is: sockets and signals get their turn here.
            await turn()
            stop.throwIfAborted()
            report.add(verified)
            progress.update((done += 1), total)
        }
    } finally {
        progress.clear()
    }
    const json = report.toJson()
    await to.out(options.json ? `${JSON.stringify(json)}\n` : pulseReportText(json, to.colors))
    if (ownWord && json.certificates.length > 0)
        to.err("No --certificate was given: that the signers above are the beacon's is only its own word.\n")
    if (!json.holds) throw new DoesNotHold(pulseProblem(json))
}

async function openWalk(options: VerifyPulseOptions, stop: AbortSignal): Promise<Walk> {
    const given = await readCertificateFiles(options.certificate ?? [])
    const ownWord = given.length === 0
    if (options.file !== undefined) {
        const { where, pulses, certificates } = await readPulseFiles(options.file)
        const known = ownWord ? certificates : given
        const signer: SignerSource = {
            certificate: (id) => Promise.resolve(certificateWithId(known, id)),
            sourceText: () => Promise.resolve(undefined),
        }
        if (pulses.length === 0) throw new UserError(`there is no pulse in ${where}`)
        return { where, total: pulses.length, pulses: walkList(pulses, signer), ownWord }
    }
    const source = httpPulses(options.url ?? "", given, await readAuthorities(options.ca), stop)
    const range = await chosenRange(source, options)
    // Whoever asks for too much learns that; what is missing in between is the beacon's fault.
    if ((await source.pulse(range.chain, range.to)) === undefined)
        throw new UserError(`${source.where} has no pulse ${range.to} in chain ${range.chain}`)
    const total = range.to - range.from + 1
    return { where: source.where, total, pulses: walkRange(source, range), ownWord }
}

async function chosenRange(source: PulseSource, options: VerifyPulseOptions): Promise<PulseRange> {
    const { pulse: one, from, to, last: count, all } = options
    const wanted = one ?? to
    if (options.chain !== undefined && wanted !== undefined) {
        const first = one ?? from ?? 1
        return checkedRange({ chain: options.chain, from: first, to: wanted })
    }
    const newest = await source.pulse(options.chain ?? "last", "last")
    if (newest === undefined) {
        const where = options.chain === undefined ? "" : ` in chain ${options.chain}`
        throw new UserError(`${source.where} has no pulse${where}`)
    }
    const name =
        newest.kind === "pulse" ? newest.pulse : newest.kind === "unsupported" ? newest.name : undefined
    const { chainIndex: chain, pulseIndex: last } = name ?? {}
    if (chain === undefined || last === undefined || last < 1)
        throw new UserError(`what ${source.where} gives as its last pulse does not say which it is`)
    if (one !== undefined) return { chain, from: one, to: one }
    if (count !== undefined) return { chain, from: Math.max(1, last - count + 1), to: last }
    if (all) return checkedRange({ chain, from: 1, to: to ?? last })
    return checkedRange({ chain, from: from ?? last, to: to ?? last })
}

function checkedRange(range: PulseRange): PulseRange {
    if (range.from > range.to) throw new UserError(`there is no pulse from ${range.from} to ${range.to}`)
    return range
}
