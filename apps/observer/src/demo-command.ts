/** The command line of the demonstration: `npm start`. */
import { stopUnread } from "@tallylight/node/cli.js"
import { parseAddress } from "@tallylight/node/parse-option.js"
import { Command, InvalidArgumentError } from "commander"
import { runDemo } from "./demo.ts"
import { parseCount } from "./parse-count.ts"
import { terminal } from "./terminal.ts"
import { line, pulseWords } from "./watch-command.ts"
import type { WatchedRound } from "./watch.ts"

type Options = {
    readonly data: string
    readonly url: string
    readonly rounds?: number
    readonly interval?: number
    readonly json?: true
}

export function demoCommand(stop: AbortSignal): Command {
    const command = new Command("demo")
        .description("run a whole network on this machine and print its beacons, each verified")
        .option("--rounds <n>", "end after that many verified rounds (default: until Ctrl-C)", parseCount)
        .option("--json", "print each round as one JSON object")
        .option("--interval <seconds>", "from round to round (default: 2, or 0 with --rounds)", parseSeconds)
        .option("--data <dir>", "where keys, ledger and logs are kept", "data/demo")
        .option(
            "--url <url>",
            "where the ledger server listens; port 0 for a free one",
            parseAddress,
            "http://127.0.0.1:0",
        )
        .action(async (options: Options) => {
            const { data, url, rounds, json } = options
            await runDemo({
                ...{ data, url, rounds, stop },
                intervalSeconds: options.interval ?? (rounds === undefined ? 2 : 0),
                onRound: (round) =>
                    process.stdout.write(json ? `${round}\n` : line(JSON.parse(round) as WatchedRound)),
                onPulse: json
                    ? undefined
                    : (pulse) => process.stdout.write(`${terminal.colors.dim(pulseWords(pulse))}\n`),
                onNews: (news) => process.stderr.write(`${terminal.errColors.dim(news)}\n`),
            })
        })
    return stopUnread(command)
}

function parseSeconds(value: string): number {
    const seconds = Number(value)
    if (value.trim() === "" || !(seconds >= 0 && seconds <= 3600))
        throw new InvalidArgumentError("Seconds from 0 to 3600 are needed.")
    return seconds
}
