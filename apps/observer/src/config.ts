/** Whom an observer asks, from the command line, a file, or by default the server on this machine. */
import type { CommonOptions } from "@tallylight/node/cli.js"
import { loadConfig } from "@tallylight/node/config.js"
import { findChain } from "@tallylight/node/find-chain.js"
import type { ChainAddress } from "@tallylight/node/find-chain.js"
import { z } from "zod"

export const observerConfig = z.strictObject({
    /** The ledger server. */
    url: z.string().default("http://127.0.0.1:7710"),
    /** The id of its chain: better known from somebody else than the server. */
    chain: z.string().optional(),
})

export type WhomOptions = Pick<CommonOptions, "config" | "url" | "chain">

export async function whomToAsk({
    config,
    url,
    chain,
}: WhomOptions): Promise<z.output<typeof observerConfig>> {
    return loadConfig(observerConfig, config, { url, chain })
}

export async function askedChain(options: WhomOptions, stop: AbortSignal): Promise<ChainAddress> {
    const { url, chain } = await whomToAsk(options)
    return findChain(url, chain, stop)
}
