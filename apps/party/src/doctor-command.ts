/** `party doctor`: whether parties would run here, and what to do where they would not. */
import { judgeOptions } from "@tallylight/node/cli.js"
import { toHex } from "@tallylight/crypto/bytes.js"
import { ed25519PublicKey } from "@tallylight/crypto/ed25519.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { lookIntoDataDir } from "@tallylight/node/data-dir.js"
import { ok, runDoctor, warn } from "@tallylight/node/doctor.js"
import type { Check } from "@tallylight/node/doctor.js"
import { configCheck, dataDirCheck, holderCheck, ledgerOf } from "@tallylight/node/doctor-data.js"
import { diskCheck, nodeCheck } from "@tallylight/node/doctor-machine.js"
import { serverChecks } from "@tallylight/node/doctor-server.js"
import type { StateCheck } from "@tallylight/node/doctor-server.js"
import { readKeyFile } from "@tallylight/node/key-files.js"
import type { ServerSettings } from "@tallylight/node/server-settings.js"
import { nameOf } from "@tallylight/protocol/ledger/state.js"
import { Command } from "commander"
import { entropyNodeCheck } from "./entropy-node-check.ts"
import type { EntropyNodeSettings } from "./entropy-node-settings.ts"
import { partyNumbers } from "./identity-command.ts"

type Options = CommonOptions & { readonly json?: true; readonly entropyNode?: string }
type Settings = ServerSettings & {
    readonly count: number
    readonly entropyNode?: EntropyNodeSettings | undefined
}
type Load = (options: CommonOptions) => Promise<Settings>

/** `load` reads the settings as a start would. */
export function doctorCommand(defaultDir: string, load: Load, stop: AbortSignal): Command {
    const command = new Command("doctor")
        .description(
            "look at settings, keys, disk, clock, server and entropy node, also beside a running party",
        )
        .option("--json", "print what was found as one JSON object")
        .action(async (_: unknown, self: Command) => {
            const options = self.optsWithGlobals<Options>()
            await runDoctor(await checks(options, options.data ?? defaultDir, load), options, stop)
        })
    return judgeOptions(command)
}

async function checks(options: Options, path: string, load: Load): Promise<Check[]> {
    // What is wrong with the file is told once; the rest goes by the command line and the defaults. An entropy node's
    // address is nothing without the identity in the file.
    const { config: _, entropyNode: __, ...given } = options
    const settings = await load(options).catch(() => load(given))
    const { entropyNode } = settings
    return [
        configCheck(options.config, () => load(options)),
        nodeCheck(),
        dataDirCheck(path, "party"),
        holderCheck(path),
        keysCheck(path, settings),
        diskCheck(path),
        ...serverChecks({ ...settings, ...ledgerOf(path) }, [admissionCheck(path)]),
        ...(entropyNode === undefined ? [] : [entropyNodeCheck(entropyNode)]),
    ]
}

function keysCheck(path: string, { count }: Settings): Check {
    return {
        name: "keys",
        look: async () => {
            const dir = await lookIntoDataDir(path, "party")
            const numbers = await partyNumbers(dir)
            for (const number of numbers) {
                await readKeyFile(dir.file(`party-${number}/identity.key`), "identity")
                await readKeyFile(dir.file(`party-${number}/vrf.key`), "vrf")
            }
            const says = `of ${numbers.length} ${numbers.length === 1 ? "party" : "parties"}`
            if (numbers.length === count) return ok(says)
            if (numbers.length > count)
                return warn(
                    `${says}, and count is ${count}: the others do not run`,
                    `set count to ${numbers.length}`,
                )
            return warn(
                `${says}, and count is ${count}`,
                "the next start makes the rest; where the chain has a list, the operator must admit those too",
            )
        },
    }
}

/** A party that is not on the list waits, which is no error, and answers nothing. */
function admissionCheck(path: string): StateCheck {
    return {
        name: "admission",
        look: async ({ genesis, admitted, parties }) => {
            if (genesis.parameters.admission === "open") return ok("open to whoever registers")
            const dir = await lookIntoDataDir(path, "party")
            const identities: Uint8Array[] = []
            for (const number of await partyNumbers(dir))
                identities.push(
                    ed25519PublicKey(await readKeyFile(dir.file(`party-${number}/identity.key`), "identity")),
                )
            const barred = identities.filter((identity) => !admitted.has(nameOf(identity)))
            if (barred.length === 0) return ok("on the operator's list")
            const lines = barred.map((identity) => {
                const was = parties.has(nameOf(identity)) ? "was removed by the operator" : "is not admitted"
                return `${toHex(identity)} ${was}`
            })
            return warn(
                lines.join("\n"),
                "ask the operator of this chain to admit them: until then they wait, and answer nothing",
            )
        },
    }
}
