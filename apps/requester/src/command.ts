/** The command line of a requester. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { addOptions, serverOverrides } from "@tallylight/node/cli.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { loadConfig } from "@tallylight/node/config.js"
import { initDataDir, openDataDir } from "@tallylight/node/data-dir.js"
import { Follower, shortName } from "@tallylight/node/follower.js"
import { makeLogger } from "@tallylight/node/logger.js"
import type { Logger } from "@tallylight/node/logger.js"
import type { EntryOf } from "@tallylight/protocol/ledger/entry.js"
import { Command, InvalidArgumentError } from "commander"
import type { z } from "zod"
import { quorumOf } from "./committee.ts"
import { requesterConfig } from "./config.ts"
import { doctorCommand } from "./doctor-command.ts"
import { keygenCommand } from "./keygen-command.ts"
import { chainOf, makeKeys, readKeys } from "./keys.ts"
import type { Membership } from "./keys.ts"
import { revokeCommand } from "./revoke-command.ts"
import { runRequester } from "./run.ts"

const defaultDir = "data/requester"

type Options = CommonOptions & {
    readonly rounds?: number
    readonly interval?: number
    readonly json?: true
}

export function requesterCommand(stop: AbortSignal): Command {
    const command = new Command("requester")
        .description(
            "ask for rounds, check them, and open their sealed sums, alone or as a committee's member",
        )
        .option("--rounds <n>", "end after that many beacons", parseRounds)
        .option("--interval <seconds>", "from ticket to ticket (default: 5)", parseSeconds)
        .option("--json", "print each beacon, or what was made, as one JSON object")
        .action(async (options: Options) => run(options, stop))
        .addHelpText("after", `\nWithout --data the folder ${defaultDir} is used, and made on the first run.`)
    addOptions(command, "config", "data", "url", "chain", "ledgerKey", "ca", "logLevel")
    const init = new Command("init")
        .description("make a data directory with new keys")
        .action(async (_: unknown, { parent }: Command) => {
            const { data: path = defaultDir, json } = parent?.opts<Options>() ?? {}
            let identity = ""
            await initDataDir(path, "requester", async (dir) => {
                await makeKeys(dir)
                identity = toHex((await readKeys(dir)).signer.publicKey)
            })
            const made = json
                ? JSON.stringify({ data: path, identity })
                : `made ${path}: the keys of a requester`
            process.stdout.write(`${made}\n`)
        })
    return command
        .addCommand(init)
        .addCommand(keygenCommand(stop))
        .addCommand(revokeCommand(defaultDir, load, stop))
        .addCommand(doctorCommand(defaultDir, load, stop))
}

async function run(options: Options, stop: AbortSignal): Promise<void> {
    const { rounds, interval, ...server } = await load(options)
    const logger = makeLogger({ name: "requester", level: options.logLevel })
    const dir = await openDataDir({
        path: options.data ?? defaultDir,
        named: options.data !== undefined,
        role: "requester",
        fill: makeKeys,
    })
    try {
        const keys = await readKeys(dir)
        const log = logger.child(membershipFields(keys.membership))
        log.info({ data: dir.path }, "starting")
        if (keys.membership !== undefined && keys.membership.requester === undefined)
            warnOfIdle({ rounds, interval: options.interval }, log)
        // A key holder opens only what it has checked itself, down to the last proof.
        const follower = await Follower.start({
            ...{ dir, log, stop },
            server: { ...server, chain: chainOf(keys, server.chain) },
            proves: () => true,
        })
        const demand = { rounds: rounds ?? Infinity, intervalMs: Math.round(interval * 1000) }
        await runRequester(follower, keys, demand, dir, log, (beacon) =>
            print(beacon, keys.membership, options),
        )
    } finally {
        await dir.release()
    }
}

/** The interval only as an option: a configuration always has one. */
function warnOfIdle(settings: Readonly<Record<string, number | undefined>>, log: Logger): void {
    for (const [name, value] of Object.entries(settings))
        if (value !== undefined)
            log.warn(
                `--${name} has no effect here: this member has no requester.key, so it asks for no rounds and only ` +
                    "opens those of its committee, until it is stopped",
            )
}

function membershipFields(membership: Membership | undefined): object {
    if (membership === undefined) return {}
    const { committee, number } = membership
    return { committee: shortName(committee.plan.identity), quorum: quorumOf(committee), member: number }
}

function print(
    { round, output }: EntryOf<"beacon">,
    membership: Membership | undefined,
    { json }: Options,
): void {
    const hex = toHex(output)
    const fields = membershipFields(membership)
    const words = Object.entries(fields).map(([name, value]) => ` ${name} ${String(value)}`)
    const line = json ? JSON.stringify({ round, output: hex, ...fields }) : `${round} ${hex}${words.join("")}`
    process.stdout.write(`${line}\n`)
}

async function load({
    config,
    rounds,
    interval,
    ...given
}: Options): Promise<z.output<typeof requesterConfig>> {
    return loadConfig(requesterConfig, config, { ...serverOverrides(given), rounds, interval })
}

function parseRounds(value: string): number {
    if (!/^[1-9][0-9]{0,8}$/.test(value)) throw new InvalidArgumentError("A number from 1 up is needed.")
    return Number(value)
}

function parseSeconds(value: string): number {
    const seconds = Number(value)
    if (value.trim() === "" || !(seconds >= 0 && seconds <= 86_400))
        throw new InvalidArgumentError("Seconds from 0 to 86400 are needed.")
    return seconds
}
