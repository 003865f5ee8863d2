/** The command line of the ledger server. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { addOptions } from "@tallylight/node/cli.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { loadConfig } from "@tallylight/node/config.js"
import type { Overrides } from "@tallylight/node/config.js"
import { initDataDir, lookIntoDataDir, openDataDir } from "@tallylight/node/data-dir.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { UserError } from "@tallylight/node/user-error.js"
import { Command, InvalidArgumentError } from "commander"
import { admissionCommands } from "./admission-command.ts"
import { pdlConfig } from "./config.ts"
import type { PdlConfig } from "./config.ts"
import { doctorCommand } from "./doctor-command.ts"
import { chainFolder } from "./hosting/chain-folder.ts"
import { makeChain } from "./hosting/create.ts"
import { readChains } from "./hosting/read-chains.ts"
import { refusePlain } from "./http/plain.ts"
import { operatorKeyCommand } from "./operator-key-command.ts"
import { makesOperatorKey, operatorKeyMade } from "./operator/key.ts"
import { runPdl } from "./run.ts"
import type { Running } from "./run.ts"

const defaultDir = "data/pdl"

type Options = CommonOptions & {
    readonly json?: true
    readonly tlsCert?: string
    readonly tlsKey?: string
    readonly allowPlain?: true
    readonly metrics?: number
}

const noOptions: Options = { logLevel: "info" }

export function pdlCommand(stop: AbortSignal): Command {
    const command = new Command("pdl")
        .description("run the ledger server: it coordinates rounds and keeps the public ledger")
        .option("--json", "print where it listens, its chains, or what was made, as one JSON object")
        .option("--tls-cert <file>", "serve https and wss with this certificate, in PEM")
        .option("--tls-key <file>", "the key of that certificate, in PEM")
        .option("--allow-plain", "serve plain HTTP on an address that other machines can reach")
        .option("--metrics <port>", "serve metrics for Prometheus at that port of 127.0.0.1", parsePort)
        .action(async (options: Options) => run(options, stop))
        .addHelpText("after", `\nWithout --data the folder ${defaultDir} is used, and made on the first run.`)
    command.hook("preAction", (_, action) => requireBothTls(command, action.optsWithGlobals<Options>()))
    addOptions(command, "config", "data", "url", "logLevel")
    command
        .command("init")
        .description("make a data directory with the keys and the first entry of a new chain")
        .action(async (_: unknown, { parent }: Command) => init(parent?.opts<Options>() ?? noOptions))
    command
        .command("add-chain")
        .description("add a chain, with keys of its own, to a data directory on which no ledger server runs")
        .option("--name <name>", "what people call it; otherwise as the configuration says")
        .action(async ({ name }: { readonly name?: string }, { parent }: Command) =>
            addChain(parent?.opts<Options>() ?? noOptions, name),
        )
    command
        .command("chains")
        .description("list the chains of a data directory")
        .action(async (_: unknown, { parent }: Command) => listChains(parent?.opts<Options>() ?? noOptions))
    command.addCommand(operatorKeyCommand()).addCommand(doctorCommand(defaultDir, load, stop))
    for (const admission of admissionCommands(stop)) command.addCommand(admission)
    return command
}

async function init(options: Options): Promise<void> {
    const { chain } = await load(options)
    const path = options.data ?? defaultDir
    let id = ""
    await initDataDir(path, "pdl", async (dir) => {
        id = toHex(await newChain(dir, chain, (remark) => process.stderr.write(`${remark}\n`)))
    })
    const made = `made ${path}: a new chain named ${chain.name}`
    process.stdout.write(`${options.json ? madeJson(path, id, chain) : made}\n`)
}

function madeJson(data: string, chain: string, { name }: PdlConfig["chain"]): string {
    return JSON.stringify({ data, chain, name })
}

/** With what a person must do about it. */
async function newChain(
    dir: DataDir,
    config: PdlConfig["chain"],
    tell: (remark: string) => void,
): Promise<Uint8Array> {
    const id = await makeChain(dir, config)
    if (makesOperatorKey(config)) tell(operatorKeyMade(chainFolder(dir, config.name).path))
    return id
}

async function addChain(options: Options, name: string | undefined): Promise<void> {
    const { chain } = await load(options, { chain: { name } })
    const dir = await openDataDir({ path: options.data ?? defaultDir, named: true, role: "pdl" })
    try {
        const id = toHex(await newChain(dir, chain, (remark) => process.stderr.write(`${remark}\n`)))
        const added = `chain ${id} (${chain.name})\nadded to ${dir.path}; start the ledger server again`
        process.stdout.write(`${options.json ? madeJson(dir.path, id, chain) : added}\n`)
    } finally {
        await dir.release()
    }
}

async function listChains({ data, json }: Options): Promise<void> {
    const chains = await readChains(await lookIntoDataDir(data ?? defaultDir, "pdl"))
    const lines = chains.map(({ id, name, size }) => `chain ${id} (${name}), ${size} entries\n`)
    process.stdout.write(json ? `${JSON.stringify({ chains })}\n` : lines.join(""))
}

async function run(options: Options, stop: AbortSignal): Promise<void> {
    const config = await load(options)
    refusePlain(config)
    const log = makeLogger({ name: "pdl", level: options.logLevel })
    const dir = await openDataDir({
        path: options.data ?? defaultDir,
        named: options.data !== undefined,
        role: "pdl",
        fill: async (made) => {
            await newChain(made, config.chain, (remark) => log.warn(remark))
        },
    })
    try {
        await runPdl(dir, config, log, stop, (running) => {
            process.stdout.write(options.json ? listeningJson(running, dir) : listeningText(running, dir))
        })
    } finally {
        await dir.release()
    }
}

function listeningText({ url, chains }: Running, { path }: DataDir): string {
    const lines = [...chains].map(([id, { state }]) => `chain ${id} (${state.genesis.name})\n`)
    return `${lines.join("")}listening at ${url}, data in ${path}\n`
}

function listeningJson({ url, metrics, chains }: Running, { path: data }: DataDir): string {
    const named = [...chains].map(([id, { state }]) => ({ id, name: state.genesis.name }))
    const [first, second] = named
    // Only one that is alone can be meant without being named.
    const only = first !== undefined && second === undefined ? { chain: first.id, name: first.name } : {}
    return `${JSON.stringify({ url, metrics, ...only, data, chains: named })}\n`
}

async function load(options: Options, overrides: Overrides = {}): Promise<PdlConfig> {
    const { config, tlsCert, tlsKey, allowPlain, metrics: port } = options
    const address = options.url === undefined ? undefined : listenAt(options.url)
    const tls = tlsCert ?? tlsKey
    const loaded = await loadConfig(pdlConfig, config, {
        ...(address && { host: address.host, port: address.port }),
        ...(tls !== undefined && { tls: { certFile: tlsCert, keyFile: tlsKey } }),
        allowPlain,
        ...(port !== undefined && { metrics: { enabled: true, host: "127.0.0.1", port } }),
        ...overrides,
    })
    if (address !== undefined && address.secure !== (loaded.tls !== undefined))
        throw new UserError(
            address.secure
                ? `${options.url} needs a certificate: give --tls-cert and --tls-key, or set tls`
                : `${options.url} is plain, and a certificate is set: write https, or leave tls out`,
        )
    return loaded
}

/** One of the two may replace a file's. */
function requireBothTls(command: Command, { config, tlsCert, tlsKey }: Options): void {
    if (config === undefined && (tlsCert === undefined) !== (tlsKey === undefined))
        command.error("error: --tls-cert and --tls-key need each other")
}

function parsePort(value: string): number {
    if (!/^[0-9]{1,5}$/.test(value) || Number(value) > 65_535)
        throw new InvalidArgumentError("A port from 0 to 65535 is needed; 0 picks a free one.")
    return Number(value)
}

type Address = { readonly host: string; readonly port: number; readonly secure: boolean }

function listenAt(url: string): Address {
    const parsed = URL.canParse(url) ? new URL(url) : undefined
    if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:")
        throw new UserError(`“${url}” is no address such as http://127.0.0.1:7710`)
    const secure = parsed.protocol === "https:"
    const port = Number(parsed.port || (secure ? "443" : "80"))
    return { host: parsed.hostname.replace(/^\[|\]$/g, ""), port, secure }
}
