/** A ledger server in this process: the real one, behind real sockets, over a ledger in memory. */
import { toHex } from "@tallylight/crypto/bytes.js"
import type { HeldBytes } from "@tallylight/node/held-bytes.js"
import { newRegistry } from "@tallylight/node/metrics.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import type { Credentials } from "@tallylight/node/tls-files.js"
import { Chain } from "@tallylight/pdl/chain/chain.js"
import { limitNames, pdlConfig } from "@tallylight/pdl/config.js"
import type { LimitName } from "@tallylight/pdl/config.js"
import { serve } from "@tallylight/pdl/http/server.js"
import { PdlMetrics } from "@tallylight/pdl/metrics/pdl-metrics.js"
import { ProofPool } from "@tallylight/pdl/proofs/pool.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import { ownThread } from "@tallylight/protocol/ports/verifier.js"
import { seal } from "@tallylight/protocol/sample/mutant.js"
import type { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import type { Registry } from "prom-client"
import type { z } from "zod"

export type Serving = {
    readonly url: string
    readonly id: string
    readonly chain: Chain
    /** From now on it says that it is stopping. */
    readonly unready: string[]
    readonly failures: unknown[]
    /** Each limit that was reached, as often as it was. */
    readonly hits: LimitName[]
    readonly registry: Registry
    readonly close: () => Promise<void>
}

function breathe(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
}

/** Serves `sample` as a restart would. Rounds do not go on: nobody runs the chain's keeper. */
export async function serveSample(
    sample: SampleLedger,
    settings: Omit<z.input<typeof pdlConfig>, "port"> = {},
    pool = new ProofPool([ownThread(breathe)]),
    clock: Clock = systemClock,
    credentials?: Credentials,
): Promise<Serving> {
    const config = pdlConfig.parse({ ...settings, port: 0 })
    const { limits } = config
    const bytes = sample.entries.map(encodeEntry)
    const store = new MemoryStore()
    await store.append(await store.head(), bytes, seal(sample, bytes, sample.keys.ledgerSeed))
    const failures: unknown[] = []
    const hits: LimitName[] = []
    const registry = newRegistry()
    const metrics = new PdlMetrics(registry, systemClock, limitNames(limits))
    const reached = (limit: LimitName): void => {
        hits.push(limit)
        metrics.reached(limit)
    }
    const chain = await Chain.open({
        ...{ store, keys: sample.keys, clock, random: systemRandom },
        ...{ limits, requestTimeoutMs: limits.requestTimeoutMs, backlog: limits.backlog, pauseMs: 1000 },
        proofs: pool.open(),
        breathe,
        onCommit: () => undefined,
        onUnanswered: () => undefined,
        onSkew: () => undefined,
        meter: { ...metrics.meter("sample"), reached },
        onFault: (error) => failures.push(error),
    })
    const id = toHex(chain.chain)
    const unready: string[] = []
    const readSide = {
        chains: new Map([[id, chain]]),
        unready: () => unready,
        onFailure: (error: unknown) => failures.push(error),
    }
    const watch = { reached, watchHeld: (held: HeldBytes) => metrics.watchHeld(held) }
    const { url, close } = await serve(config, readSide, clock, watch, credentials)
    metrics.watch([{ name: "sample", chain }])
    return { url, id, chain, unready, failures, hits, registry, close }
}
