/** `entropy-node revoke`: ends the registration of a node whose key somebody else may have, on each of its chains. */
import { stat } from "node:fs/promises"
import { join } from "node:path"
import { equalBytes } from "@tallylight/crypto/bytes.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { fileNotebook } from "@tallylight/node/file-notebook.js"
import { findChain } from "@tallylight/node/find-chain.js"
import { inStoppedDir, revoke } from "@tallylight/node/revocation.js"
import { requireConsent } from "@tallylight/node/revocation-consent.js"
import type { RevokeOptions } from "@tallylight/node/revocation.js"
import { SeenLedger } from "@tallylight/node/seen-ledger.js"
import type { ServerSettings } from "@tallylight/node/server-settings.js"
import { UserError } from "@tallylight/node/user-error.js"
import { Command } from "commander"
import { chainFolder, nodeIdentity } from "./node-dir.ts"

type Load = (options: CommonOptions) => Promise<{ readonly chains: readonly ServerSettings[] }>

const meaning = [
    "It cannot be undone, and this identity can never register again. The node signs no more beacons of that chain, from",
    "the next entry on; what it signed before stays good. Parties that name this identity in their configuration do not",
    "ask the ledger before they trust its bytes: tell them to take it out. The key of its pulses is another one, which this",
    "does not end. To go on, make new keys with `tallylight entropy-node init` in another folder.",
].join("\n")

/** `load` reads the settings as a start would. */
export function revokeCommand(defaultDir: string, load: Load, stop: AbortSignal): Command {
    return new Command("revoke")
        .description("end the node's registration for good, because its key may be stolen")
        .option("--yes", "do not ask")
        .addHelpText("after", `\n${meaning}\n\nWithout --url on every chain of its configuration.`)
        .action(async (_: unknown, self: Command) => {
            const options = self.optsWithGlobals<RevokeOptions>()
            requireConsent(self, options)
            const { chains } = await load(options)
            if (chains.length === 0)
                throw new UserError("no chain is named: give --url, or the --config with which the node runs")
            await inStoppedDir(options.data ?? defaultDir, "entropy-node", async (dir) => {
                const signer = await nodeIdentity(dir)
                for (const server of chains) {
                    const seen = await seenFolder(dir, (await findChain(server, stop)).id)
                    const all = [{ signer, receipts: seen?.file("receipts.jsonl") }]
                    await revoke({ role: "entropy-node", all, server, dir: seen, meaning }, options, stop)
                }
            })
        })
}

/** Where the node keeps what it saw of that chain: a --url says nothing about its place in a configuration. */
async function seenFolder(dir: DataDir, chain: Uint8Array): Promise<DataDir | undefined> {
    for (let at = 0; ; at++) {
        const path = chainFolder(dir, at)
        const isThere = await stat(path).then(
            () => true,
            () => false,
        )
        if (!isThere) return undefined
        const pinned = await new SeenLedger(fileNotebook(path)).chain()
        if (pinned !== undefined && equalBytes(pinned, chain))
            return { ...dir, path, file: (name) => join(path, name) }
    }
}
