/** `requester revoke`: ends the registration of a requester, or of a committee, whose key somebody else may have. */
import type { CommonOptions } from "@tallylight/node/cli.js"
import { inStoppedDir, revoke } from "@tallylight/node/revocation.js"
import { requireConsent } from "@tallylight/node/revocation-consent.js"
import type { RevokeOptions } from "@tallylight/node/revocation.js"
import type { ServerSettings } from "@tallylight/node/server-settings.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { Command } from "commander"
import { chainOf, readKeys } from "./keys.ts"
import type { RequesterKeys } from "./keys.ts"

type Load = (options: CommonOptions) => Promise<ServerSettings>

const meaning = [
    "It cannot be undone, and this identity can never register again. No more rounds are requested in its name; those",
    "that it has requested take place, and this requester does not start any more to open them. What was sealed under its",
    "key stays as secret as that key: whoever stole it can open that. Of a committee this ends the whole, for all its",
    "members; the key of a single member cannot be revoked. To go on, make new keys with `tallylight requester init` or",
    "`keygen` in another folder.",
].join("\n")

/** `load` reads the settings as a start would. */
export function revokeCommand(defaultDir: string, load: Load, stop: AbortSignal): Command {
    return new Command("revoke")
        .description(
            "end the registration of a requester or committee for good, because its key may be stolen",
        )
        .option("--yes", "do not ask")
        .addHelpText("after", `\n${meaning}`)
        .action(async (_: unknown, self: Command) => {
            const options = self.optsWithGlobals<RevokeOptions>()
            requireConsent(self, options)
            const settings = await load(options)
            await inStoppedDir(options.data ?? defaultDir, "requester", async (dir) => {
                const keys = await readKeys(dir)
                const all = [{ signer: registered(keys), receipts: dir.file("receipts.jsonl") }]
                const server = { ...settings, chain: chainOf(keys, settings.chain) }
                await revoke({ role: "requester", all, server, dir, meaning }, options, stop)
            })
        })
}

function registered({ signer, membership }: RequesterKeys): Signer {
    if (membership === undefined) return signer
    if (membership.requester !== undefined) return membership.requester
    throw new UserError(
        "the key of a single member cannot be revoked: what is registered is its committee, which the member with " +
            "requester.key can revoke as a whole; then deal another one with `tallylight requester keygen`",
    )
}
