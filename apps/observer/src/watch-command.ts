import { addOptions, stopUnread } from "@tallylight/node/cli.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { openDataDir } from "@tallylight/node/data-dir.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { Follower } from "@tallylight/node/follower.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { Command } from "commander"
import { amount } from "./amount.ts"
import { whomToAsk } from "./config.ts"
import { parseCount } from "./parse-count.ts"
import { showProgress } from "./progress.ts"
import { terminal } from "./terminal.ts"
import { watch } from "./watch.ts"
import type { WatchedPulse, WatchedRound } from "./watch.ts"

type Options = CommonOptions & {
    readonly from?: number
    readonly rounds?: number
    readonly pulses?: true
    readonly json?: true
}

export function watchCommand(stop: AbortSignal): Command {
    const command = new Command("watch")
        .description("print each round's output as it happens, after verifying the ledger up to it")
        .option("--from <round>", "start with that round (default: the next one)", parseCount)
        .option("--rounds <n>", "end after that many", parseCount)
        .option("--pulses", "print the pulses of entropy nodes about those rounds, too")
        .option("--json", "print each round as one JSON object, and each pulse as one of the kind “pulse”")
        .action(async (options: Options) => run(options, stop))
        .addHelpText(
            "after",
            "\nThe ledger is verified from its first entry. With --data, what was verified is remembered there,\n" +
                "and the next run starts from it.",
        )
    return stopUnread(addOptions(command, "config", "data", "url", "chain", "ledgerKey", "ca", "logLevel"))
}

async function run(options: Options, stop: AbortSignal): Promise<void> {
    const log = makeLogger({ name: "observer", level: options.logLevel })
    const server = await whomToAsk(options)
    const dir = await openOwnDir(options.data)
    const progress = showProgress("verifying")
    try {
        const follower = await Follower.start({
            ...{ server, dir, log, stop },
            proves: () => true,
            onEntry: (index, size) => progress.update(index + 1, size),
        })
        await watch(follower, {
            from: options.from,
            rounds: options.rounds ?? Infinity,
            onRound: (round) => {
                progress.clear()
                process.stdout.write(options.json ? `${JSON.stringify(round)}\n` : line(round))
            },
            onPulse: (pulse) => {
                if (options.json && !options.pulses) return
                progress.clear()
                if (options.json) process.stdout.write(`${JSON.stringify(pulse)}\n`)
                else if (options.pulses) process.stdout.write(`${pulseWords(pulse)}\n`)
                else process.stderr.write(`${terminal.errColors.dim(pulseWords(pulse))}\n`)
            },
            onNews: (news) => {
                progress.clear()
                process.stderr.write(`${news}\n`)
            },
        })
    } finally {
        progress.clear()
        await dir?.release()
    }
}

/** A watcher may have a directory, made by itself: it holds nothing but a checkpoint. */
async function openOwnDir(path: string | undefined): Promise<DataDir | undefined> {
    return path === undefined ? undefined : openDataDir({ path, named: false, role: "observer" })
}

export function line({ round, output, contributors, index, openedBy, members = 1 }: WatchedRound): string {
    const opened = openedBy === undefined ? "" : `, opened by ${openedBy.join(" ")} of ${members}`
    const who = `${contributors} ${contributors === 1 ? "contributor" : "contributors"}${opened}`
    const { bold, dim, green } = terminal.colors
    return `${bold(`round ${round}`)}  ${output}  ${dim(`${who}, entry ${index},`)} ${green("verified")}\n`
}

export function pulseWords({ round, node, Z, hardware, missed }: WatchedPulse): string {
    const worth = Z === null ? "no Z: the node was not bound to its value before the ticket" : `Z ${Z}`
    const key = hardware ? "" : ", simulated"
    const gap = missed === 0 ? "" : `, ${amount(missed, "beacon")} passed over before`
    return `round ${round}, pulse of node ${node.slice(0, 8)}${key}${gap}: ${worth}`
}
