/** `party revoke`: ends the registrations of parties whose keys somebody else may have. */
import type { CommonOptions } from "@tallylight/node/cli.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { readKeyFile } from "@tallylight/node/key-files.js"
import { inStoppedDir, revoke } from "@tallylight/node/revocation.js"
import { requireConsent } from "@tallylight/node/revocation-consent.js"
import type { Revocable, RevokeOptions } from "@tallylight/node/revocation.js"
import type { ServerSettings } from "@tallylight/node/server-settings.js"
import { UserError } from "@tallylight/node/user-error.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { Command, InvalidArgumentError } from "commander"
import { partyNumbers } from "./identity-command.ts"

type Options = RevokeOptions & { readonly party?: readonly number[] }
type Load = (options: CommonOptions) => Promise<ServerSettings>

const meaning = [
    "It cannot be undone, and this identity can never register again. The party is on no roster of a round that is",
    "requested from then on. In rounds that were requested before, whoever has its key can still contribute in its name.",
    "To take part again, make new keys: remove its folder here, or begin with `tallylight party init` in another one.",
].join("\n")

/** `load` reads the settings as a start would. */
export function revokeCommand(defaultDir: string, load: Load, stop: AbortSignal): Command {
    return new Command("revoke")
        .description("end a party's registration for good, because its key may be stolen")
        .option("--party <n...>", "which, where there are several: numbers from 1 up", parseNumber)
        .option("--yes", "do not ask")
        .option("--json", "print each as one JSON object")
        .addHelpText("after", `\n${meaning}`)
        .action(async (_: unknown, self: Command) => {
            const options = self.optsWithGlobals<Options>()
            requireConsent(self, options)
            const server = await load(options)
            await inStoppedDir(options.data ?? defaultDir, "party", async (dir) => {
                const all = await Promise.all((await chosen(dir, options)).map((one) => party(dir, one)))
                await revoke({ role: "party", all, server, dir, meaning }, options, stop)
            })
        })
}

async function chosen(dir: DataDir, { party }: Options): Promise<readonly number[]> {
    const numbers = await partyNumbers(dir)
    const named = new Set(party ?? numbers)
    const are = `the parties in ${dir.path} are ${numbers.join(", ")}`
    if (party === undefined && numbers.length > 1)
        throw new UserError(`${are}: say with --party which to revoke`)
    const unknown = [...named].find((number) => !numbers.includes(number))
    if (unknown !== undefined)
        throw new UserError(`${are}: there is no party ${unknown}, and nothing was revoked`)
    return [...named]
}

async function party(dir: DataDir, number: number): Promise<Revocable> {
    const seed = await readKeyFile(dir.file(`party-${number}/identity.key`), "identity")
    return { signer: seedSigner(seed), receipts: dir.file(`party-${number}/receipts.jsonl`) }
}

function parseNumber(value: string, before: readonly number[] = []): readonly number[] {
    if (!/^[1-9][0-9]{0,3}$/.test(value))
        throw new InvalidArgumentError(
            "A number is needed, as `tallylight party identity --json` prints them.",
        )
    return [...before, Number(value)]
}
