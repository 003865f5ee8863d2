/** What the command lines of all apps have in common. */
import { CommanderError, InvalidArgumentError, Option, type Command } from "commander"

import type { Overrides } from "./config.ts"
import { logLevels, type LogLevel } from "./logger.ts"
import { parseAddress, parseChainId, parseLedgerKey } from "./parse-option.ts"
import { UserError } from "./user-error.ts"

const commonOptions = {
    config: () => new Option("--config <file>", "configuration file, JSON with comments"),
    data: () => new Option("--data <dir>", "data directory; made by init, and by observer watch itself"),
    url: () => new Option("--url <url>", "address of the ledger server"),
    ledgerKey: () =>
        new Option(
            "--ledger-key <key>",
            "the chain's ledger key, in hexadecimal or as a note's verifier key",
        ),
    ca: () => new Option("--ca <file>", "certificates in PEM to trust instead of the public authorities"),
    chain: () => new Option("--chain <id>", "id of the chain, the SHA-256 of its genesis in hexadecimal"),
    logLevel: () =>
        new Option("--log-level <level>", "what to log; debug and trace show where errors come from")
            .choices(logLevels)
            .default("info"),
}

/** What commander would do at once, but cannot for a command that says itself what is wrong with its options. */
const parsers: Readonly<Record<string, (value: string) => string>> = {
    url: parseAddress,
    chain: parseChainId,
    ledgerKey: parseLedgerKey,
}
const common = new WeakSet<Option>()

export type CommonOptions = {
    readonly config?: string
    readonly data?: string
    readonly url?: string
    readonly chain?: string
    readonly ledgerKey?: string
    readonly ca?: string
    readonly logLevel: LogLevel
}

/** Adds those of the common options that the command has a use for. */
export function addOptions(command: Command, ...names: (keyof typeof commonOptions)[]): Command {
    for (const name of names) {
        const option = commonOptions[name]()
        common.add(option)
        command.addOption(option)
    }
    return command
}

const judging = new WeakSet<Command>()

/** For a command that reports on what it is given: a wrong value is what it finds, and no wrong usage. */
export function judgeOptions(command: Command): Command {
    judging.add(command)
    return command
}

function refuseWrongOptions(action: Command): void {
    for (let command: Command | null = action; command !== null; command = command.parent)
        for (const option of command.options) refuseWrongOption(command, option)
}

function refuseWrongOption(command: Command, option: Option): void {
    const value: unknown = command.getOptionValue(option.attributeName())
    if (!common.has(option) || typeof value !== "string") return
    try {
        parsers[option.attributeName()]?.(value)
    } catch (error) {
        if (!(error instanceof InvalidArgumentError)) throw error
        command.error(`error: option '${option.flags}' argument '${value}' is invalid. ${error.message}`)
    }
}

/** What a client's command line says of the server that it talks to, to be laid over its configuration. */
export function serverOverrides({ url, chain, ledgerKey, ca }: Partial<CommonOptions>): Overrides {
    return { url, chain, ledgerKey, caFile: ca }
}

const exitCodes = { SIGINT: 130, SIGTERM: 143, EPIPE: 0 }

/** The signal's reason when somebody asked the process to stop, or has read enough of a command that only prints. */
export class Stopped extends Error {
    override readonly name = "Stopped"
    readonly exitCode: number

    constructor(cause: keyof typeof exitCodes) {
        super(`stopped by ${cause}`)
        this.exitCode = exitCodes[cause]
    }
}

const printing = new WeakSet<Command>()

/** For a command that prints without end, and does nothing else: it is told to stop when nobody reads that any more. */
export function stopUnread(command: Command): Command {
    printing.add(command)
    return command
}

/**
 * Runs the program that `build` makes, then ends the process: 0 when its action has resolved, also after a clean
 * stop; 1 on an error, shown as one sentence; 2 on wrong usage; 130 or 143 when the action gave up because of the
 * signal. The action resolves when the app has ended, not when it has started. What it prints after its reader has
 * gone is dropped; only what `stopUnread` marks ends with its reader.
 */
export async function runMain(build: (stop: AbortSignal) => Command, argv: readonly string[]): Promise<void> {
    const stop = stopOnSignals()
    const program = build(stop.signal)
    let showStack = false
    let running: Command | undefined
    // What a command takes before its subcommand's name, the subcommand takes as well.
    for (const command of withSubcommands(program))
        command.exitOverride().configureHelp({ showGlobalOptions: true })
    program.hook("preAction", (_, action) => {
        const { logLevel } = action.optsWithGlobals<Partial<CommonOptions>>()
        if (!judging.has(action)) refuseWrongOptions(action)
        running = action
        showStack = logLevel === "debug" || logLevel === "trace"
    })
    const fail = (error: unknown): never => {
        process.stderr.write(`${program.name()}: ${inWords(error, showStack)}\n`)
        process.exit(1)
    }
    process.on("unhandledRejection", fail)
    process.on("uncaughtException", fail)
    for (const stream of [process.stdout, process.stderr]) {
        stream.on("error", (error: NodeJS.ErrnoException) => {
            if (error.code !== "EPIPE") fail(error)
            // A reader such as `head` has seen enough.
            if (running !== undefined && printing.has(running)) stop.abort(new Stopped("EPIPE"))
        })
    }
    try {
        await program.parseAsync(argv)
    } catch (error) {
        if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2)
        if (error instanceof Stopped && error === stop.signal.reason) process.exit(error.exitCode)
        fail(error)
    }
    process.stdout.write("", () => process.exit(0))
}

/** Aborts at the first Ctrl-C or SIGTERM; a second one ends the process on the spot. */
function stopOnSignals(): AbortController {
    const stop = new AbortController()
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
        process.on(signal, () => {
            const stopped = new Stopped(signal)
            if (stop.signal.aborted) process.exit(stopped.exitCode)
            stop.abort(stopped)
        })
    }
    // Whoever started this process with a channel to itself wants it to end with itself, however that happens.
    if (process.connected) process.once("disconnect", () => stop.abort(new Stopped("SIGTERM")))
    // There was one, and that process ended while this one was still loading.
    else if (process.send !== undefined) process.exit(exitCodes.SIGTERM)
    return stop
}

function withSubcommands(command: Command): Command[] {
    return [command, ...command.commands.flatMap(withSubcommands)]
}

function inWords(error: unknown, showStack: boolean): string {
    if (!(error instanceof Error)) return String(error)
    return showStack && !(error instanceof UserError) ? (error.stack ?? error.message) : error.message
}
