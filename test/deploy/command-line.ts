/** Whether the command line that somebody wrote down is one that the program takes, without running it. */
import { entropyNodeCommand } from "@tallylight/entropy-node/command.js"
import { observerCommand } from "@tallylight/observer/command.js"
import { partyCommand } from "@tallylight/party/command.js"
import { pdlCommand } from "@tallylight/pdl/command.js"
import { requesterCommand } from "@tallylight/requester/command.js"
import type { Command, Option } from "commander"

const { signal } = new AbortController()

const roles = new Map(
    [pdlCommand, requesterCommand, partyCommand, entropyNodeCommand, observerCommand].map((make) => {
        const command = make(signal)
        return [command.name(), command]
    }),
)

/** Of the words after `tallylight`, what is wrong with the first that is; undefined where all are well. */
export function commandProblem([role = "", ...words]: readonly string[]): string | undefined {
    const command = roles.get(role)
    return command === undefined ? `there is no role ${role}` : problemIn(command, words)
}

function problemIn(command: Command, [word, ...rest]: readonly string[]): string | undefined {
    if (word === undefined) return undefined
    if (word.startsWith("--")) {
        const option = optionOf(command, word)
        if (option === undefined) return `${command.name()} has no option ${word}`
        const next = rest.findIndex((one) => one.startsWith("--"))
        const given = next === -1 ? rest.length : next
        if (option.required && given === 0) return `${word} needs a value`
        const taken = option.variadic ? given : option.required ? 1 : 0
        return problemIn(command, rest.slice(taken))
    }
    const below = command.commands.find((one) => one.name() === word)
    if (below !== undefined) return problemIn(below, rest)
    return command.registeredArguments.length === 0
        ? `${command.name()} takes no ${word}`
        : problemIn(command, rest)
}

/** The program takes those of the commands above wherever they stand. */
function optionOf(command: Command, word: string): Option | undefined {
    for (let one: Command | null = command; one !== null; one = one.parent) {
        const option = one.options.find(({ long }) => long === word)
        if (option !== undefined) return option
    }
    return undefined
}
