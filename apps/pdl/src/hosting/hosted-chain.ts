/** A chain with its files: opened, run, and opened again after a fault, while the other chains go on. */
import { setImmediate as turn } from "node:timers/promises"
import { toHex } from "@tallylight/crypto/bytes.js"
import type { Logger } from "@tallylight/node/logger.js"
import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { LedgerStore } from "@tallylight/protocol/ports/ledger-store.js"
import { untilAny } from "@tallylight/protocol/ports/until-any.js"
import { Chain } from "../chain/chain.ts"
import type { PdlConfig } from "../config.ts"
import type { PdlMetrics } from "../metrics/pdl-metrics.ts"
import type { ProofLane } from "../proofs/lane.ts"
import type { ProofPool } from "../proofs/pool.ts"
import { ledgerPath, readKeys } from "./chain-folder.ts"
import type { ChainFolder } from "./chain-folder.ts"
import { logEntry } from "./log-entry.ts"

/** Before a chain that stopped is opened again: every time replays its whole ledger, at the cost of the others. */
const reopenMs = 60_000

type Means = {
    readonly limits: PdlConfig["limits"]
    readonly log: Logger
    readonly clock: Clock
    readonly pool: ProofPool
    readonly metrics: PdlMetrics
}

/** Its own, for all its lives. */
type Own = Omit<Means, "pool"> & { readonly proofs: ProofLane }

type Opened = { readonly chain: Chain; readonly store: LedgerStore; readonly fault: AbortSignal }

export class HostedChain {
    readonly folder: ChainFolder
    readonly #means: Own
    #opened: Opened

    /** Rejects where its ledger or keys are missing or damaged, with a sentence that names the chain's folder. */
    static async open(folder: ChainFolder, means: Means): Promise<HostedChain> {
        const { log, pool, ...others } = means
        const own = { ...others, log: log.child({ chainName: folder.name }), proofs: pool.open() }
        return new HostedChain(folder, own, await open(folder, own))
    }

    private constructor(folder: ChainFolder, means: Own, opened: Opened) {
        this.folder = folder
        this.#means = means
        this.#opened = opened
    }

    /** Another one after each fault. */
    get chain(): Chain {
        return this.#opened.chain
    }

    get name(): string {
        return this.folder.name
    }

    get id(): string {
        return toHex(this.chain.chain)
    }

    /** Until `stop` aborts. Rejects with the fault that stopped it where `alone` says that no other chain runs. */
    async run(stop: AbortSignal, alone: () => boolean, onReopened: () => void): Promise<void> {
        while (!stop.aborted) {
            const { chain, store, fault } = this.#opened
            await untilAny([stop, fault], (end) => chain.run(end))
            if (!fault.aborted) return
            if (alone()) throw fault.reason as Error
            this.#means.log.error({ err: fault.reason as Error }, "chain stopped")
            await store.close()
            await this.#reopen(stop)
            onReopened()
        }
    }

    async close(): Promise<void> {
        await this.#opened.store.close()
    }

    async #reopen(stop: AbortSignal): Promise<void> {
        const { clock, log } = this.#means
        for (;;) {
            await clock.sleep(reopenMs, stop).catch(() => undefined)
            if (stop.aborted) return
            try {
                this.#opened = await open(this.folder, this.#means)
                log.info({ size: this.chain.head.size }, "chain open again")
                return
            } catch (error) {
                log.error({ err: error }, "chain cannot be opened")
            }
        }
    }
}

async function open(folder: ChainFolder, { limits, log, clock, metrics, proofs }: Own): Promise<Opened> {
    const meter = metrics.meter(folder.name)
    const store = meter.store(await openSqliteStore(ledgerPath(folder), { create: false }))
    const broken = new AbortController()
    try {
        const chain = await Chain.open({
            store,
            keys: await readKeys(folder),
            clock,
            random: systemRandom,
            limits,
            meter,
            requestTimeoutMs: limits.requestTimeoutMs,
            proofs,
            backlog: limits.backlog,
            pauseMs: 1000,
            breathe: () => turn(),
            onCommit: ({ index, entry }) => logEntry(log, index, entry),
            onUnanswered: (members, round, error) =>
                log.warn({ members, round, reason: String(error) }, "share not given"),
            onSkew: (aheadMs, isOff) => logSkew(log, aheadMs, isOff),
            onFault: (error) => broken.abort(error),
        })
        return { chain, store, fault: broken.signal }
    } catch (error) {
        await store.close()
        if (error instanceof UserError || !(error instanceof Error)) throw error
        throw new Error(`${folder.path}: ${error.message}`, { cause: error })
    }
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
