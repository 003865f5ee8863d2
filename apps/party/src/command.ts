/** The command line of parties. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { addOptions, serverOverrides } from "@tallylight/node/cli.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { loadConfig } from "@tallylight/node/config.js"
import { initDataDir, openFreeDataDir } from "@tallylight/node/data-dir.js"
import { Follower } from "@tallylight/node/follower.js"
import { makeLogger } from "@tallylight/node/logger.js"
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"
import { serverSettings } from "@tallylight/node/server-settings.js"
import { Command, InvalidArgumentError } from "commander"
import { z } from "zod"
import { doctorCommand } from "./doctor-command.ts"
import { entropyNodeSettings } from "./entropy-node-settings.ts"
import { identityCommand } from "./identity-command.ts"
import { revokeCommand } from "./revoke-command.ts"
import { openEntropy, openParty, runParties } from "./run.ts"

const defaultDir = "data/party"

export const partyConfig = z.strictObject({
    ...serverSettings,
    /** Parties in this process, each with keys of its own. */
    count: z.int().min(1).max(1000).default(1),
    /** Which all of them draw from, beside the operating system. */
    entropyNode: entropyNodeSettings.optional(),
})

type Options = CommonOptions & { readonly count?: number; readonly entropyNode?: string }

const unproved: ReadonlySet<EntryKind> = new Set(["contribution", "abstention", "tally", "share"])

export function partyCommand(stop: AbortSignal): Command {
    const command = new Command("party")
        .description("run parties: they draw their lots on every ticket and contribute sealed random points")
        .option("--count <n>", "how many parties this process hosts, each with its own keys", parseCount)
        .option("--entropy-node <url>", "address of the entropy node whose identity the configuration names")
        .action(async (options: Options) => run(options, stop))
        .addHelpText(
            "after",
            `\nWithout --data the folder ${defaultDir} is used, or ${defaultDir}-2 and so on where others run.`,
        )
    addOptions(command, "config", "data", "url", "chain", "ledgerKey", "ca", "logLevel")
    const init = new Command("init")
        .description("make a data directory, with new keys for each party")
        .option("--json", "print what was made as one JSON object")
        .action(async ({ json }: { readonly json?: true }, { parent }: Command) => {
            const options = parent?.opts<Options>() ?? { logLevel: "info" }
            const { count } = await load(options)
            const path = options.data ?? defaultDir
            const parties: { readonly party: number; readonly identity: string }[] = []
            await initDataDir(path, "party", async (dir) => {
                for (let party = 1; party <= count; party++)
                    parties.push({ party, identity: toHex((await openParty(dir, party)).identity) })
            })
            const made = `made ${path}: keys for ${count} ${count === 1 ? "party" : "parties"}`
            process.stdout.write(`${json ? JSON.stringify({ data: path, parties }) : made}\n`)
        })
    return command
        .addCommand(init)
        .addCommand(identityCommand(defaultDir))
        .addCommand(revokeCommand(defaultDir, load, stop))
        .addCommand(doctorCommand(defaultDir, load, stop))
}

async function run(options: Options, stop: AbortSignal): Promise<void> {
    const { count, entropyNode, ...server } = await load(options)
    const log = makeLogger({ name: "party", level: options.logLevel })
    const entropy = await openEntropy(entropyNode, log)
    const dir = await openFreeDataDir({
        path: options.data ?? defaultDir,
        named: options.data !== undefined,
        role: "party",
    })
    try {
        log.info({ data: dir.path, parties: count }, "starting")
        const parties = []
        for (let number = 1; number <= count; number++) parties.push(await openParty(dir, number, entropy))
        const follower = await Follower.start({
            ...{ server, dir, log, stop },
            // Everything that a contribution is bound to. What others contributed, and how it was opened, changes
            // nothing about one's own; whether that is in order is for key holders and auditors to say.
            proves: ({ kind }) => !unproved.has(kind),
        })
        await runParties(follower, parties, dir, log)
    } finally {
        await dir.release()
    }
}

async function load({
    config,
    count,
    entropyNode: url,
    ...given
}: Options): Promise<z.output<typeof partyConfig>> {
    const entropyNode = url === undefined ? undefined : { url }
    return loadConfig(partyConfig, config, { ...serverOverrides(given), count, entropyNode })
}

function parseCount(value: string): number {
    const count = Number(value)
    if (!Number.isInteger(count) || count < 1 || count > 1000)
        throw new InvalidArgumentError("A number from 1 to 1000 is needed.")
    return count
}
