/** The command line of entropy nodes. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { addOptions, serverOverrides } from "@tallylight/node/cli.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { loadConfig } from "@tallylight/node/config.js"
import { initDataDir, lookIntoDataDir, openFreeDataDir } from "@tallylight/node/data-dir.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { serverSettings } from "@tallylight/node/server-settings.js"
import { UserError } from "@tallylight/node/user-error.js"
import { Command, InvalidArgumentError } from "commander"
import { z } from "zod"
import { entropyNodeConfig, sourceSettings } from "./config.ts"
import type { EntropyNodeConfig, SourceSettings } from "./config.ts"
import { doctorCommand } from "./doctor-command.ts"
import { fillNodeDir, nodeIdentity } from "./node-dir.ts"
import { revokeCommand } from "./revoke-command.ts"
import { runNode } from "./run.ts"
import type { RunningNode } from "./run.ts"

const defaultDir = "data/entropy-node"

type Options = CommonOptions & {
    readonly port?: number
    readonly simulated?: true
    readonly json?: true
}

const noOptions: Options = { logLevel: "info" }

export function entropyNodeCommand(stop: AbortSignal): Command {
    const command = new Command("entropy-node")
        .description("run an entropy node: it tests and serves random bytes of hardware, and signs beacons")
        .option("--port <port>", "serve HTTP at that port instead of the configured one", parsePort)
        .option("--simulated", "add a simulated chip as a source: no hardware, and everything says so")
        .option("--json", "print where it listens, or what was made, as one JSON object")
        .action(async (options: Options) => run(options, stop))
        .addHelpText(
            "after",
            `\nWith --url it follows and signs the beacons of that ledger server's chain, unless pulses.enabled or` +
                `\npulses.rounds.enabled is false in its configuration: then nothing signs.` +
                `\nWithout --data the folder ${defaultDir} is used, or ${defaultDir}-2 and so on where others run.`,
        )
    addOptions(command, "config", "data", "url", "chain", "ledgerKey", "ca", "logLevel")
    command
        .command("init")
        .description("make a data directory, with an identity and, without an HSM, a key for pulses")
        .action(async (_: unknown, { parent }: Command) => init(parent?.opts<Options>() ?? noOptions))
    command
        .command("identity")
        .description("print the node's identity, for parties to pin and for an operator to admit")
        .action(async (_: unknown, { parent }: Command) => {
            const { data, json } = parent?.opts<Options>() ?? noOptions
            const identity = await identityOf(data ?? defaultDir)
            process.stdout.write(`${json ? JSON.stringify({ identity }) : identity}\n`)
        })
    return command
        .addCommand(revokeCommand(defaultDir, load, stop))
        .addCommand(doctorCommand(defaultDir, load, stop))
}

async function identityOf(path: string): Promise<string> {
    return toHex((await nodeIdentity(await lookIntoDataDir(path, "entropy-node"))).publicKey)
}

async function init(options: Options): Promise<void> {
    const config = await load(options)
    const path = options.data ?? defaultDir
    const found: { key?: string | undefined } = {}
    await initDataDir(path, "entropy-node", async (dir) => {
        found.key = await fillNodeDir(dir, config.pulses)
    })
    const identity = await identityOf(path)
    const made = { data: path, identity, ...(found.key !== undefined && { existingKey: found.key }) }
    const used = found.key === undefined ? "" : `\n${usedKey(found.key)}`
    process.stdout.write(
        `${options.json ? JSON.stringify(made) : `made ${path}: entropy node ${identity}${used}`}\n`,
    )
}

function usedKey(key: string): string {
    return `its pulses are signed with a key that was there already, ${key}: no other node may have it`
}

async function run(options: Options, stop: AbortSignal): Promise<void> {
    const config = await load(options)
    requireSource(config)
    const log = makeLogger({ name: "entropy-node", level: options.logLevel })
    const dir = await openFreeDataDir({
        path: options.data ?? defaultDir,
        named: options.data !== undefined,
        role: "entropy-node",
        fill: async (made) => {
            const key = await fillNodeDir(made, config.pulses)
            if (key !== undefined) log.warn(usedKey(key))
        },
    })
    try {
        await runNode(dir, config, log, stop, (running) => {
            const data = dir.path
            const text = options.json
                ? `${JSON.stringify({ ...running, data })}\n`
                : inWords(running, config.sources, data)
            process.stdout.write(text)
        })
    } finally {
        await dir.release()
    }
}

/** The node refuses below its minimum anyway; but who has named no source at all has forgotten something. */
function requireSource({ sources, core: { minimumHealthySources } }: EntropyNodeConfig): void {
    if (sources.length >= minimumHealthySources) return
    const some = sources.length === 0 ? "no source is" : `only ${sources.length} of the sources are`
    throw new UserError(
        `${some} configured, and core.minimumHealthySources is ${minimumHealthySources}: name the hardware under ` +
            `“sources” in the file of --config (docs/HARDWARE.md), or try it out with --simulated`,
    )
}

function inWords(
    { urls, identity, certificate }: RunningNode,
    sources: readonly SourceSettings[],
    data: string,
): string {
    const named = sources.map((source) =>
        "simulated" in source && source.simulated ? `${source.name} (SIMULATED: no hardware)` : source.name,
    )
    return [
        `entropy node ${identity}`,
        `sources ${named.join(", ")}`,
        ...(certificate === undefined ? [] : [`pulses with certificate ${certificate.slice(0, 32)}…`]),
        `listening at ${urls.join(", ")}, data in ${data}`,
        "",
    ].join("\n")
}

const chainSettings = z.strictObject(serverSettings)

async function load({ config: file, port, simulated, ...given }: Options): Promise<EntropyNodeConfig> {
    const config = await loadConfig(entropyNodeConfig, file, {
        ...(port !== undefined && { http: { port } }),
    })
    const server = serverOverrides(given)
    const isNamed = Object.values(server).some((value) => value !== undefined)
    const chip = { kind: "atecc608a", name: "simulated-chip", simulated: true }
    return {
        ...config,
        chains: isNamed ? [await loadConfig(chainSettings, undefined, server)] : config.chains,
        sources: simulated ? [...config.sources, sourceSettings.parse(chip)] : config.sources,
    }
}

function parsePort(value: string): number {
    if (!/^[0-9]{1,5}$/.test(value) || Number(value) > 65_535)
        throw new InvalidArgumentError("A port from 0 to 65535 is needed; 0 picks a free one.")
    return Number(value)
}
