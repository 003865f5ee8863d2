/** A running PDL: its chains opened, its sockets served, until it is told to stop or something breaks. */
import type { DataDir } from "@tallylight/node/data-dir.js"
import { Hangups } from "@tallylight/node/hangups.js"
import type { Logger } from "@tallylight/node/logger.js"
import { newRegistry, serveMetrics } from "@tallylight/node/metrics.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { readCredentials } from "@tallylight/node/tls-files.js"
import type { TlsFiles } from "@tallylight/node/tls-files.js"
import { untilAny } from "@tallylight/protocol/ports/until-any.js"
import type { Chain } from "./chain/chain.ts"
import { limitNames } from "./config.ts"
import type { PdlConfig } from "./config.ts"
import { chainFolders } from "./hosting/chain-folder.ts"
import { HostedChain } from "./hosting/hosted-chain.ts"
import { refuseTwins } from "./hosting/twins.ts"
import { serve } from "./http/server.ts"
import type { Server } from "./http/server.ts"
import { PdlMetrics } from "./metrics/pdl-metrics.ts"
import { startProofs } from "./proofs/threads.ts"

export type Running = {
    readonly url: string
    /** Where metrics are served, if they are. */
    readonly metrics: string | undefined
    /** By id. A chain that was opened again takes the place of the one that stopped. */
    readonly chains: ReadonlyMap<string, Chain>
}

/** Resolves after a clean stop; rejects when the store or the code failed, and a restart must sort it out. */
export async function runPdl(
    dir: DataDir,
    config: PdlConfig,
    log: Logger,
    stop: AbortSignal,
    onListening: (running: Running) => void,
): Promise<void> {
    const hangups = new Hangups()
    const hosted: HostedChain[] = []
    const broken = new AbortController()
    const { limits } = config
    const registry = newRegistry()
    const metrics = new PdlMetrics(registry, systemClock, limitNames(limits))
    const proofs = startProofs(limits.proofWorkers, log, (error) => broken.abort(error))
    metrics.watchProofs(proofs.pool, proofs.threads)
    const means = { limits, log, clock: systemClock, metrics, pool: proofs.pool }
    let scraped: { readonly url: string; readonly close: () => void } | undefined
    try {
        if (config.metrics.enabled) {
            scraped = await serveMetrics(registry, config.metrics)
            log.info({ url: scraped.url }, "metrics")
        }
        // One after the other: replaying holds one core and one disk, whoever waits for them.
        for (const folder of await chainFolders(dir)) hosted.push(await HostedChain.open(folder, means))
        refuseTwins(hosted)
        const announce = (listening: Omit<Running, "metrics">): void =>
            onListening({ ...listening, metrics: scraped?.url })
        await untilAny([stop, broken.signal], (end) =>
            serveChains(hosted, config, metrics, log, end, hangups, announce),
        )
        broken.signal.throwIfAborted()
    } finally {
        await proofs.close()
        scraped?.close()
        for (const each of hosted) await each.close()
        hangups.end()
    }
}

async function serveChains(
    hosted: readonly HostedChain[],
    config: PdlConfig,
    metrics: PdlMetrics,
    log: Logger,
    stop: AbortSignal,
    hangups: Hangups,
    onListening: (listening: Omit<Running, "metrics">) => void,
): Promise<void> {
    metrics.watch(hosted)
    const chains = new Map(hosted.map(({ id, chain }) => [id, chain]))
    const stopped = (): string[] =>
        hosted.filter(({ chain }) => chain.stopped).map(({ folder }) => folder.name)
    const readSide = {
        chains,
        unready: () => [
            ...(stop.aborted ? ["stopping"] : []),
            ...stopped().map((name) => `${name} is stopped`),
        ],
        onFailure: (error: unknown): void => log.error({ err: error }, "request failed"),
    }
    const { tls } = config
    const credentials = tls && (await readCredentials(tls, systemClock.now()))
    const server = await serve(config, readSide, systemClock, metrics, credentials)
    if (credentials !== undefined) log.info({ validTo: credentials.validTo }, "certificate")
    hangups.answer(() => {
        if (tls !== undefined) void renewCredentials(server, tls, log)
        else log.info("SIGHUP: there is no certificate to renew, and settings are read at the start only")
    })
    onListening({ url: server.url, chains })
    const alone = (): boolean => stopped().length === hosted.length
    try {
        await Promise.all(hosted.map((each) => each.run(stop, alone, () => chains.set(each.id, each.chain))))
    } finally {
        await server.close()
    }
}

/** A renewal that went wrong must not take down a server whose certificate is still good. */
async function renewCredentials(server: Server, tls: TlsFiles, log: Logger): Promise<void> {
    try {
        const credentials = await readCredentials(tls, systemClock.now())
        server.renew(credentials)
        log.info({ validTo: credentials.validTo }, "certificate renewed")
    } catch (error) {
        log.error({ err: error }, "certificate not renewed; the old one stays in use")
    }
}
