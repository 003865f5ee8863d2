/** Whom an observer asks, from the command line, a file, or by default the server on this machine. */
import type { ChainAddress } from "@tallylight/node/chain-address.js"
import { serverOverrides } from "@tallylight/node/cli.js"
import type { CommonOptions } from "@tallylight/node/cli.js"
import { loadConfig } from "@tallylight/node/config.js"
import { findChain } from "@tallylight/node/find-chain.js"
import { serverSettings } from "@tallylight/node/server-settings.js"
import { z } from "zod"

export const observerConfig = z.strictObject({
    ...serverSettings,
})

export type WhomOptions = Pick<CommonOptions, "config" | "url" | "chain" | "ledgerKey" | "ca">

export async function whomToAsk({ config, ...given }: WhomOptions): Promise<z.output<typeof observerConfig>> {
    return loadConfig(observerConfig, config, serverOverrides(given))
}

export async function askedChain(options: WhomOptions, stop: AbortSignal): Promise<ChainAddress> {
    return findChain(await whomToAsk(options), stop)
}
