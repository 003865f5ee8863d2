/** `entropy-node doctor`: whether a node would run here with its devices, and what to do where it would not. */
import { judgeOptions } from "@tallylight/node/cli.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { lookIntoDataDir } from "@tallylight/node/data-dir.js"
import { fail, ok, runDoctor, warn } from "@tallylight/node/doctor.js"
import type { Check, Finding } from "@tallylight/node/doctor.js"
import { configCheck, dataDirCheck, holderCheck, ledgerOf } from "@tallylight/node/doctor-data.js"
import { diskCheck, nodeCheck, openFilesCheck } from "@tallylight/node/doctor-machine.js"
import { serverChecks } from "@tallylight/node/doctor-server.js"
import { lockHolder } from "@tallylight/node/process-lock.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { Command } from "commander"
import type { EntropyNodeConfig, SourceSettings } from "./config.ts"
import { refuseDoubles } from "./core/distinct-sources.ts"
import { makePlan } from "./http/plan.ts"
import { pulseBytesPerDay, pulsesCheck } from "./pulses/pulse-check.ts"
import { openPulseKey } from "./pulses/pulse-key.ts"
import { chainFolder, nodeIdentity, pulsesFolder } from "./node-dir.ts"
import { configuredSource } from "./sources/configured.ts"

type Options = CommonOptions & { readonly json?: true }
type Load = (options: CommonOptions) => Promise<EntropyNodeConfig>

/** `load` reads the settings as a start would. */
export function doctorCommand(defaultDir: string, load: Load, stop: AbortSignal): Command {
    const command = new Command("doctor")
        .description("look at settings, devices, keys, disk, clock and servers, also beside a running node")
        .option("--json", "print what was found as one JSON object")
        .action(async (_: unknown, self: Command) => {
            const options = self.optsWithGlobals<Options>()
            await runDoctor(await checks(options, options.data ?? defaultDir, load), options, stop)
        })
    return judgeOptions(command)
}

async function checks(options: Options, path: string, load: Load): Promise<Check[]> {
    // What is wrong with the file is told once; the rest goes by the command line and the defaults.
    const { config: _, ...given } = options
    const config = await load(options).catch(() => load(given))
    const pulses = async (): Promise<string> => pulsesFolder(await lookIntoDataDir(path, "entropy-node"))
    return [
        configCheck(options.config, () => load(options)),
        nodeCheck(),
        dataDirCheck(path, "entropy-node", (dir) => nodeIdentity(dir)),
        holderCheck(path),
        ...config.sources.map((source) => sourceCheck(path, source)),
        countCheck(config),
        keyCheck(pulses, config),
        pulsesCheck(pulses, config.pulses.enabled, systemClock),
        {
            name: "http",
            look: async () => {
                await makePlan(config.http, systemClock.now())
                return ok(config.http.tokensFile === undefined ? "open to whoever reaches it" : "with tokens")
            },
        },
        diskCheck(path, async () => pulseBytesPerDay(pulsesFolder({ path }), systemClock)),
        openFilesCheck(config.http.limits.connections, () => lockHolder(path)),
        ...config.chains.flatMap((server, at) =>
            serverChecks({ ...server, ...ledgerOf(chainFolder({ path }, at)) }),
        ),
    ]
}

/** A device that a running node has open is its own: two readers of one would get in each other's way. */
function sourceCheck(path: string, settings: SourceSettings): Check {
    return {
        name: settings.name,
        look: async (signal) => {
            const pid = await lockHolder(path)
            if (pid !== undefined) return ok(`in use by process ${pid}: its /api/v1/status tells how it is`)
            const { driver } = await configuredSource(settings, systemClock)
            const source = await driver.open(signal)
            try {
                await source.read(32, signal)
                const facts = Object.entries(source.facts).map(([name, value]) => `${name} ${String(value)}`)
                const says = `${driver.kind}, ${facts.join(", ")}`
                return driver.simulated
                    ? warn(`${says}: SIMULATED`, "for trying things out: nothing of it is hardware")
                    : ok(says)
            } finally {
                await source.close()
            }
        },
    }
}

function countCheck({ sources, core: { minimumHealthySources } }: EntropyNodeConfig): Check {
    const look = async (): Promise<Finding> => {
        refuseDoubles(await Promise.all(sources.map((source) => configuredSource(source, systemClock))))
        if (sources.length >= minimumHealthySources)
            return ok(`${sources.length}, of which ${minimumHealthySources} must be healthy`)
        return fail(
            `${sources.length} configured, and ${minimumHealthySources} must be healthy`,
            "name more under “sources”, or lower core.minimumHealthySources",
        )
    }
    return { name: "sources", look }
}

function keyCheck(folder: () => Promise<string>, { pulses }: EntropyNodeConfig): Check {
    return {
        name: "pulse key",
        look: async () => {
            if (!pulses.enabled) return ok("not needed: pulses are not enabled")
            const key = await openPulseKey(await folder(), pulses.key)
            await key.close()
            if (!key.simulated) return ok("RSA-4096, in its token")
            if (pulses.key.kind === "pkcs11")
                return warn(
                    `RSA-4096, in the token ${pulses.key.token}, which is software`,
                    "for trying things out: its certificate and pulses say so",
                )
            return warn("RSA-4096, in software", "docs/HARDWARE.md says how to keep it in an HSM")
        },
    }
}
