/** `requester doctor`: whether a requester would run here, and what to do where it would not. */
import { judgeOptions } from "@tallylight/node/cli.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { lookIntoDataDir } from "@tallylight/node/data-dir.js"
import { ok, runDoctor } from "@tallylight/node/doctor.js"
import type { Check } from "@tallylight/node/doctor.js"
import { configCheck, dataDirCheck, holderCheck, ledgerOf } from "@tallylight/node/doctor-data.js"
import { diskCheck, nodeCheck } from "@tallylight/node/doctor-machine.js"
import { serverChecks } from "@tallylight/node/doctor-server.js"
import type { ServerSettings } from "@tallylight/node/server-settings.js"
import { Command } from "commander"
import { chainOf, readKeys } from "./keys.ts"

type Options = CommonOptions & { readonly json?: true }
type Settings = ServerSettings
type Load = (options: CommonOptions) => Promise<Settings>

/** `load` reads the settings as a start would. */
export function doctorCommand(defaultDir: string, load: Load, stop: AbortSignal): Command {
    const command = new Command("doctor")
        .description("look at settings, keys, disk, clock and server, also beside a running requester")
        .action(async (_: unknown, self: Command) => {
            const options = self.optsWithGlobals<Options>()
            await runDoctor(await checks(options, options.data ?? defaultDir, load), options, stop)
        })
    return judgeOptions(command)
}

async function checks(options: Options, path: string, load: Load): Promise<Check[]> {
    // What is wrong with the file is told once; the rest goes by the command line and the defaults.
    const { config: _, ...given } = options
    const settings = await load(options).catch(() => load(given))
    return [
        configCheck(options.config, () => load(options)),
        nodeCheck(),
        dataDirCheck(path, "requester"),
        holderCheck(path),
        keysCheck(path, settings),
        diskCheck(path),
        ...serverChecks({ ...settings, ...ledgerOf(path) }),
    ]
}

function keysCheck(path: string, { chain }: Settings): Check {
    return {
        name: "keys",
        look: async () => {
            const keys = await readKeys(await lookIntoDataDir(path, "requester"))
            chainOf(keys, chain)
            const { membership } = keys
            return ok(
                membership === undefined
                    ? "of a requester that opens its rounds alone"
                    : `of member ${membership.number} of ${membership.committee.plan.identities.length} of a committee`,
            )
        },
    }
}
