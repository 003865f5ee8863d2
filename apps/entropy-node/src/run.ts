/** A running entropy node: sources, HTTP side, pulses and the chains that it signs, until it is told to stop. */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { Hangups } from "@tallylight/node/hangups.js"
import type { Logger } from "@tallylight/node/logger.js"
import { isLoopback } from "@tallylight/node/loopback.js"
import { newRegistry } from "@tallylight/node/metrics.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { systemCode, UserError } from "@tallylight/node/user-error.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { untilAny } from "@tallylight/protocol/ports/until-any.js"
import { chainDescription } from "@tallylight/protocol/round/beacon-pulse.js"
import { unsignedChains } from "./config.ts"
import type { EntropyNodeConfig } from "./config.ts"
import { coreMetrics } from "./core-metrics.ts"
import type { Core } from "./core/core.ts"
import { openCore } from "./core/open-core.ts"
import type { PulseSigner } from "./hsm/pulse-signer.ts"
import { startHttp } from "./http/start.ts"
import type { Plugin } from "./http/forward.ts"
import { chainFolder, nodeIdentity, pulsesFolder } from "./node-dir.ts"
import { addDrawRoute } from "./network/draw-route.ts"
import { followChain } from "./network/follow-chain.ts"
import type { FollowedChain } from "./network/follow-chain.ts"
import { pulseMetrics } from "./pulse-metrics.ts"
import { openPulseKey } from "./pulses/pulse-key.ts"
import { openPulses } from "./pulses/pulses.ts"
import type { Pulses } from "./pulses/pulses.ts"
import type { External } from "./pulses/pulse-maker.ts"
import { addPulseRest } from "./pulses/pulse-rest.ts"
import { configuredSource } from "./sources/configured.ts"
import { systemDriver, systemSettings } from "./sources/system.ts"

export type RunningNode = {
    readonly urls: readonly string[]
    /** 64 hexadecimal digits: for the configuration of parties, and for an operator to admit. */
    readonly identity: string
    readonly simulated: boolean
    readonly sources: readonly string[]
    /** SHA-512 of the certificate of its pulses; undefined where it makes none. */
    readonly certificate: string | undefined
}

/** Resolves after a clean stop; rejects where the store or the code failed, and a restart must sort it out. */
export async function runNode(
    dir: DataDir,
    config: EntropyNodeConfig,
    log: Logger,
    stop: AbortSignal,
    onListening: (running: RunningNode) => void,
): Promise<void> {
    const hangups = new Hangups()
    hangups.answer(() =>
        log.warn("SIGHUP: certificates and tokens are read at the start only; restart the node"),
    )
    try {
        await runCore(dir, config, log, stop, onListening)
    } catch (error) {
        throw isDiskFull(error) ? noSpace(dir, error) : error
    } finally {
        hangups.end()
    }
}

async function runCore(
    dir: DataDir,
    config: EntropyNodeConfig,
    log: Logger,
    stop: AbortSignal,
    onListening: (running: RunningNode) => void,
): Promise<void> {
    const broken = new AbortController()
    const registry = newRegistry()
    const identity = await nodeIdentity(dir)
    const core = await openCore({
        settings: config.core,
        sources: await Promise.all(config.sources.map((source) => configuredSource(source, systemClock))),
        system: systemDriver(systemSettings.parse({ kind: "system" })),
        ...{ dir, log, clock: systemClock, random: systemRandom },
        identity: toHex(identity.publicKey),
        meter: coreMetrics(registry),
        onFault: (error) => broken.abort(error),
    })
    core.start()
    try {
        await untilAny([stop, broken.signal], (end) => {
            const node = { dir, config, log, end, registry, identity, core, onListening }
            return config.pulses.enabled ? withPulses(node) : serve(node, undefined)
        })
        broken.signal.throwIfAborted()
    } finally {
        await core.stop()
    }
}

function isDiskFull(error: unknown): boolean {
    return ["ENOSPC", "EDQUOT", "SQLITE_FULL"].includes(systemCode(error) ?? "")
}

function noSpace({ path }: DataDir, cause: unknown): UserError {
    return new UserError(
        `no space is left for ${path}; make some, and start the node again: nothing is lost`,
        { cause },
    )
}

type Node = {
    readonly dir: DataDir
    readonly config: EntropyNodeConfig
    readonly log: Logger
    readonly end: AbortSignal
    readonly registry: ReturnType<typeof newRegistry>
    readonly identity: Signer
    readonly core: Core
    readonly onListening: (running: RunningNode) => void
}

type Signing = { readonly pulses: Pulses; readonly key: PulseSigner }

async function withPulses(node: Node): Promise<void> {
    const { dir, config, core } = node
    const folder = pulsesFolder(dir)
    const key = await openPulseKey(folder, config.pulses.key)
    try {
        const { simulated } = await core.status()
        const common = { folder, settings: config.pulses, core, clock: systemClock }
        const pulses = await openPulses({ ...common, signer: key, simulated })
        await serve(node, { pulses, key }).finally(() => pulses.close())
    } finally {
        await key.close()
    }
}

async function serve(node: Node, signing: Signing | undefined): Promise<void> {
    const { config, core, identity, log, registry, end } = node
    const plugins: Plugin[] = [(server) => addDrawRoute(server, core, identity)]
    if (signing !== undefined) {
        pulseMetrics(registry, signing.pulses.reader)
        plugins.push((server) => addPulseRest(server, signing.pulses.reader))
    }
    const http = await startHttp({ settings: config.http, core, log, plugins, registry })
    try {
        const status = await core.status()
        node.onListening({
            urls: http.urls,
            identity: status.identity,
            simulated: status.simulated,
            sources: config.sources.map(({ name }) => name),
            certificate: signing && toHex(signing.pulses.certificate.id),
        })
        if (signing !== undefined) warnOfElsewhere(node, http.urls)
        const unsigned = unsignedChains(config)
        if (unsigned !== undefined) log.warn(unsigned)
        if (signing !== undefined) await signUntil(node, signing)
        else await untilAborted(end)
    } finally {
        await http.close()
    }
}

/** A pulse's address is signed: one that leads nowhere stays in it for ever. */
function warnOfElsewhere({ config, log }: Node, urls: readonly string[]): void {
    const { baseUrl } = config.pulses
    if (!isLoopback(new URL(baseUrl).hostname) || urls.includes(baseUrl)) return
    log.warn({ baseUrl, urls }, "pulses name an address at which nothing listens: set pulses.baseUrl")
}

/** The chains that it follows and the pulses at fixed times, side by side. */
async function signUntil(node: Node, { pulses, key }: Signing): Promise<void> {
    const { config, identity, log, end, dir } = node
    const followed: (FollowedChain | undefined)[] = config.chains.map(() => undefined)
    const signing = { identity, key, pulses }
    const chains = config.pulses.rounds.enabled ? config.chains : []
    const following = chains.map(async (server, at) => {
        try {
            await followChain({
                ...{ server, log, node: signing, stop: end },
                folder: chainFolder(dir, at),
                onFollowing: (chain) => (followed[at] = chain),
            })
        } catch (error) {
            // What one ledger does wrong is no reason to leave the others, and whoever draws bytes, without this node.
            if (!(error instanceof UserError) || end.aborted) throw error
            // An output that nobody verifies any more is no news.
            followed[at] = undefined
            log.error({ url: server.url }, `no longer signing for this chain: ${error.message}`)
        }
    })
    const external = (): External | undefined => {
        const latest = followed[0]?.latest()
        if (followed[0] === undefined || latest === undefined) return undefined
        return { source: chainDescription(followed[0].id), statusCode: 0, value: latest.output }
    }
    const periodic = pulses.periodic?.run(
        external,
        ({ message, cause }) => log.warn({ reason: cause instanceof Error ? cause.message : "" }, message),
        end,
    )
    await Promise.all([...following, periodic, untilAborted(end)])
}

function untilAborted(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
        if (signal.aborted) resolve()
        else signal.addEventListener("abort", () => resolve(), { once: true })
    })
}
