/** `pdl doctor`: whether a ledger server would run here, and what to do where it would not. */
import type { CommonOptions } from "@tallylight/node/cli.js"
import { lookIntoDataDir } from "@tallylight/node/data-dir.js"
import { runDoctor } from "@tallylight/node/doctor.js"
import type { Check } from "@tallylight/node/doctor.js"
import { configCheck, dataDirCheck, holderCheck } from "@tallylight/node/doctor-data.js"
import { diskCheck, nodeCheck, openFilesCheck } from "@tallylight/node/doctor-machine.js"
import { lockHolder } from "@tallylight/node/process-lock.js"
import { Command } from "commander"
import type { PdlConfig } from "./config.ts"
import { bytesPerDay, chainChecks, twinsCheck } from "./hosting/chain-checks.ts"
import { chainFolders } from "./hosting/chain-folder.ts"
import { addressCheck, certificateCheck, metricsCheck } from "./http/address-checks.ts"
import { refusePlain } from "./http/plain.ts"

type Options = CommonOptions & { readonly json?: true }
type Load = (options: CommonOptions) => Promise<PdlConfig>

/** `load` reads the settings as a start would. */
export function doctorCommand(defaultDir: string, load: Load, stop: AbortSignal): Command {
    return new Command("doctor")
        .description("look at settings, keys, ledgers, disk, clock and port, also beside a running server")
        .action(async (_: unknown, self: Command) => {
            const options = self.optsWithGlobals<Options>()
            await runDoctor(await checks(options, options.data ?? defaultDir, load), options, stop)
        })
}

async function checks(options: Options, path: string, load: Load): Promise<Check[]> {
    // What is wrong with the file is told once; the rest goes by the command line and the defaults.
    const { config: _, ...given } = options
    const config = await load(options).catch(() => load(given))
    // Without them the check of the data directory says what is missing.
    const folders = await lookIntoDataDir(path, "pdl")
        .then(chainFolders)
        .catch(() => [])
    const holder = (): Promise<number | undefined> => lockHolder(path)
    return [
        configCheck(options.config, async () => refusePlain(await load(options))),
        nodeCheck(),
        dataDirCheck(path, "pdl", chainFolders),
        holderCheck(path),
        ...folders.flatMap(chainChecks),
        ...(folders.length > 1 ? [twinsCheck(folders)] : []),
        diskCheck(path, () => bytesPerDay(folders)),
        openFilesCheck(config.limits.connections, holder),
        addressCheck(config, holder),
        ...(config.metrics.enabled ? [metricsCheck(config, holder)] : []),
        ...(config.tls === undefined ? [] : [certificateCheck(config.tls)]),
    ]
}
