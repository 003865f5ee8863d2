/** A running PDL: its ledger opened, its sockets served, until it is told to stop or something breaks. */
import { setImmediate as turn } from "node:timers/promises"
import { toHex } from "@tallylight/crypto/bytes.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import type { Logger } from "@tallylight/node/logger.js"
import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { Chain } from "./chain.ts"
import type { PdlConfig } from "./config.ts"
import { ledgerFile, readKeys } from "./create.ts"
import { serve } from "./server.ts"

export type Running = { readonly url: string; readonly chain: Chain }

/** Resolves after a clean stop; rejects when the store or the code failed, and a restart must sort it out. */
export async function runPdl(
    dir: DataDir,
    config: PdlConfig,
    log: Logger,
    stop: AbortSignal,
    onListening: (running: Running) => void,
): Promise<void> {
    const store = await openSqliteStore(dir.file(ledgerFile), { create: false })
    const broken = new AbortController()
    const end = AbortSignal.any([stop, broken.signal])
    const { limits } = config
    try {
        const chain = await Chain.open({
            store,
            keys: await readKeys(dir),
            clock: systemClock,
            random: systemRandom,
            limits,
            requestTimeoutMs: limits.requestTimeoutMs,
            backlog: limits.backlog,
            pauseMs: 1000,
            breathe: () => turn(),
            onCommit: ({ index, entry }) => logEntry(log, index, entry),
            onUnanswered: (member, round, error) =>
                log.warn({ member, round, reason: String(error) }, "share not given"),
            onSkew: (aheadMs, isOff) => logSkew(log, aheadMs, isOff),
            onFault: (error) => broken.abort(error),
        })
        const hex = toHex(chain.chain)
        const unready = (): string[] => (end.aborted ? ["stopping"] : [])
        const onFailure = (error: unknown): void => log.error({ err: error }, "request failed")
        const readSide = { chains: new Map([[hex, chain]]), unready, onFailure }
        const server = await serve(config, readSide, systemClock)
        onListening({ url: server.url, chain })
        await chain.run(end)
        await server.close()
    } finally {
        await store.close()
    }
    if (broken.signal.aborted) throw broken.signal.reason as Error
}

/** Ledger time never goes back, and a round in progress is not hurried: docs/decisions/0009. */
function logSkew(log: Logger, aheadMs: number, isOff: boolean): void {
    if (!isOff) return log.info({ aheadMs }, "the ledger's time and this machine's clock agree again")
    log.warn(
        { aheadMs },
        aheadMs > 0
            ? "the ledger's time is ahead of this machine's clock, and goes a tenth slower until they agree: is the clock right?"
            : "this machine's clock is ahead of the ledger's time, which follows when no round is in progress: is the clock right?",
    )
}

/** One line for each step of a round; contributions and the like only for those who debug. */
function logEntry(log: Logger, index: number, entry: Entry): void {
    const round = "round" in entry ? { round: entry.round } : {}
    switch (entry.kind) {
        case "ticket":
            return log.info({ index, ...round, k: entry.k, n: entry.n }, "ticket")
        case "tally":
            return log.info({ index, ...round, contributions: entry.count }, "tally")
        case "beacon":
            return log.info({ index, ...round, output: toHex(entry.output) }, "beacon")
        case "void":
            return log.warn({ index, ...round, reason: entry.reason, missing: entry.missing }, "void")
        case "extension":
            return log.warn({ index, ...round, closesAt: entry.closesAt }, "window extended")
        case "share":
            return entry.valid
                ? log.debug({ index, ...round, member: entry.share.member }, "share")
                : log.warn({ index, ...round, member: entry.share.member }, "wrong share on record")
        case "genesis":
        case "admission":
        case "party-registration":
        case "requester-registration":
        case "revocation":
        case "request":
        case "contribution":
        case "abstention":
            return log.debug({ index, ...round }, entry.kind)
    }
}
