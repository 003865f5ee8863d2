/** The command line of the ledger server. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { addOptions } from "@tallylight/node/cli.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { loadConfig } from "@tallylight/node/config.js"
import { initDataDir, openDataDir } from "@tallylight/node/data-dir.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { UserError } from "@tallylight/node/user-error.js"
import { Command } from "commander"
import { pdlConfig } from "./config.ts"
import type { PdlConfig } from "./config.ts"
import { fillDataDir } from "./create.ts"
import { runPdl } from "./run.ts"

const defaultDir = "data/pdl"

type Options = CommonOptions & { readonly json?: true }

export function pdlCommand(stop: AbortSignal): Command {
    const command = new Command("pdl")
        .description("run the ledger server: it coordinates rounds and keeps the public ledger")
        .option("--json", "print where it listens as one JSON object")
        .action(async (options: Options) => run(options, stop))
        .addHelpText("after", `\nWithout --data the folder ${defaultDir} is used, and made on the first run.`)
    addOptions(command, "config", "data", "url", "logLevel")
    const init = new Command("init")
        .description("make a data directory with new keys and the first entry of a new chain")
        .action(async (_: unknown, { parent }: Command) => {
            const options = parent?.opts<Options>() ?? { logLevel: "info" }
            const config = await load(options)
            const path = options.data ?? defaultDir
            await initDataDir(path, "pdl", (dir) => fillDataDir(dir, config.chain))
            process.stdout.write(`made ${path}: a new chain named ${config.chain.name}\n`)
        })
    return command.addCommand(init)
}

async function run(options: Options, stop: AbortSignal): Promise<void> {
    const config = await load(options)
    const log = makeLogger({ name: "pdl", level: options.logLevel })
    const dir = await openDataDir({
        path: options.data ?? defaultDir,
        named: options.data !== undefined,
        role: "pdl",
        fill: (made) => fillDataDir(made, config.chain),
    })
    try {
        await runPdl(dir, config, log, stop, ({ url, chain }) => {
            const id = toHex(chain.chain)
            const { name } = chain.state.genesis
            const text = `chain ${id} (${name})\nlistening at ${url}, data in ${dir.path}\n`
            const json = `${JSON.stringify({ url, chain: id, name, data: dir.path })}\n`
            process.stdout.write(options.json ? json : text)
        })
    } finally {
        await dir.release()
    }
}

async function load({ config, url }: Options): Promise<PdlConfig> {
    return loadConfig(pdlConfig, config, url === undefined ? {} : listenAt(url))
}

function listenAt(url: string): { host: string; port: number } {
    const parsed = URL.canParse(url) ? new URL(url) : undefined
    if (parsed?.protocol !== "http:")
        throw new UserError(`“${url}” is no address such as http://127.0.0.1:7710`)
    return { host: parsed.hostname.replace(/^\[|\]$/g, ""), port: Number(parsed.port || "80") }
}
