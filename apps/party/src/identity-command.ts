/** `party identity`: who the parties of a data directory are, for the operator of a listed chain. */
import { readdir } from "node:fs/promises"
import { toHex } from "@tallylight/crypto/bytes.js"
import { ed25519PublicKey } from "@tallylight/crypto/ed25519.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { lookIntoDataDir } from "@tallylight/node/data-dir.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { readKeyFile } from "@tallylight/node/key-files.js"
import { UserError } from "@tallylight/node/user-error.js"
import { Command } from "commander"

type Options = CommonOptions & { readonly json?: true }

export function identityCommand(defaultDir: string): Command {
    return new Command("identity")
        .description("print the identity of each party in a data directory, for the operator to admit")
        .option("--json", "print each as one JSON object")
        .action(async (_: unknown, self: Command) => {
            const { data, json } = self.optsWithGlobals<Options>()
            const dir = await lookIntoDataDir(data ?? defaultDir, "party")
            for (const party of await partyNumbers(dir)) {
                const seed = await readKeyFile(dir.file(`party-${party}/identity.key`), "identity")
                const identity = toHex(ed25519PublicKey(seed))
                process.stdout.write(json ? `${JSON.stringify({ party, identity })}\n` : `${identity}\n`)
            }
        })
}

/** Ascending. */
export async function partyNumbers({ path }: Pick<DataDir, "path">): Promise<number[]> {
    const numbers = (await readdir(path)).flatMap((name) => {
        const [, number] = /^party-([1-9][0-9]{0,3})$/.exec(name) ?? []
        return number === undefined ? [] : [Number(number)]
    })
    if (numbers.length === 0)
        throw new UserError(`there is no party in ${path} yet; \`tallylight party init\` makes their keys`)
    return numbers.toSorted((a, b) => a - b)
}
