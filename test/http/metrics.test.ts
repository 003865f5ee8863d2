/** What a served chain counts, as Prometheus would read it. */
import { newRegistry, serveMetrics } from "@tallylight/node/metrics.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { limitNames, pdlConfig } from "@tallylight/pdl/config.js"
import { RoundIndex } from "@tallylight/pdl/ledger/round-index.js"
import { PdlMetrics } from "@tallylight/pdl/metrics/pdl-metrics.js"
import { ProofPool } from "@tallylight/pdl/proofs/pool.js"
import type { Claim, Refused } from "@tallylight/protocol/ledger/claim.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { expect, test } from "vitest"
import { anonymousHello, dial, outcome } from "./dial.ts"
import { serveSample } from "./serving.ts"

const limits = limitNames(pdlConfig.parse({}).limits)

/** The samples of a metric by their labels, as in `chain="sample"`. */
function samples(text: string, name: string): Record<string, number> {
    const rows = [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, "gm"))]
    return Object.fromEntries(rows.map(([, labels = "", value]) => [labels, Number(value)]))
}

test("counts connections, frames, refusals and limits, by names that are bounded", async () => {
    const server = await serveSample(sampleLedger(), { limits: { failures: { burst: 1, perMinute: 1 } } })
    const peer = await dial(server)
    await peer.request("ReqHello", anonymousHello)
    await peer.request("ReqSubscribe", { kinds: null, index: 0, round: null })
    const during = await server.registry.metrics()
    const chain = 'chain="sample"'
    expect(samples(during, "tallylight_connections")).toEqual({ [chain]: 1 })
    expect(samples(during, "tallylight_subscribers")).toEqual({ [chain]: 1 })
    expect(samples(during, "tallylight_ledger_entries")).toEqual({ [chain]: server.chain.head.size })
    expect(samples(during, "tallylight_frames_total")[`${chain},direction="in"`]).toBe(2)

    const wrong = () => outcome(peer.request("ReqEntries", { from: 1_000_000, limit: 1 }))
    expect([await wrong(), await wrong()]).toEqual(["no-such-entry", "over-budget"])
    await peer.closed
    await expect
        .poll(async () => samples(await server.registry.metrics(), "tallylight_connections"), {
            timeout: 30_000,
        })
        .toEqual({ [chain]: 0 })
    const after = await server.registry.metrics()
    expect(samples(after, "tallylight_refusals_total")).toEqual({
        [`${chain},code="no-such-entry"`]: 1,
        [`${chain},code="over-budget"`]: 1,
    })
    expect(samples(after, "tallylight_connections_closed_total")).toEqual({ [`${chain},code="1008"`]: 1 })
    expect(samples(after, "tallylight_limit_hits_total")['limit="failures"']).toBe(1)
    expect(after).not.toContain("127.0.0.1")
    await server.close()
})

test("has a counter for each limit of the configuration, from the start", async () => {
    const registry = newRegistry()
    new PdlMetrics(registry, systemClock, limits)
    const counted = samples(await registry.metrics(), "tallylight_limit_hits_total")
    expect(Object.keys(counted).toSorted()).toEqual(limits.map((limit) => `limit="${limit}"`).toSorted())
    expect(new Set(Object.values(counted))).toEqual(new Set([0]))
})

test("counts no limit that nobody can run into, also where it is set", () => {
    const set = pdlConfig.parse({ limits: { proofWorkers: 2 } }).limits
    expect(limitNames(set)).toEqual(limits)
    expect(Object.keys(set).filter((name) => !(limits as string[]).includes(name))).toEqual(["proofWorkers"])
})

test("counts entries by kind, and rounds by how they ended", async () => {
    const registry = newRegistry()
    const meter = new PdlMetrics(registry, systemClock, limits).meter("sample")
    const { entries } = sampleLedger()
    const rounds = new RoundIndex()
    for (const [index, entry] of entries.entries()) {
        rounds.add(index, entry)
        meter.committed(entry, "round" in entry ? rounds.get(entry.round) : undefined)
    }
    const text = await registry.metrics()
    const beacons = entries.filter(({ kind }) => kind === "beacon").length
    const chain = 'chain="sample"'
    expect(samples(text, "tallylight_entries_total")[`${chain},kind="beacon"`]).toBe(beacons)
    expect(samples(text, "tallylight_rounds_total")).toEqual({
        [`${chain},outcome="beacon"`]: beacons - 1,
        [`${chain},outcome="below-minimum"`]: 1,
        [`${chain},outcome="withheld"`]: 1,
        [`${chain},outcome="late"`]: 1,
        [`${chain},outcome="wrong-share"`]: 1,
    })
    expect(samples(text, "tallylight_window_extensions_total")).toEqual({ [chain]: 1 })
    const counts = samples(text, "tallylight_round_phase_seconds_count")
    // Round 4 was never sealed, and round 8 is not over.
    expect(counts).toEqual({ [`${chain},phase="open"`]: 7, [`${chain},phase="sealed"`]: 6 })
})

test("shows what the pool of all chains has verified and what waits in it, by rank", async () => {
    const registry = newRegistry()
    const verdicts: ((refused: Refused | undefined) => void)[] = []
    const verify = () => new Promise<Refused | undefined>((resolve) => verdicts.push(resolve))
    const pool = new ProofPool([{ verify }])
    new PdlMetrics(registry, systemClock, limits).watchProofs(pool, [{ deaths: 2 }, { deaths: 1 }])
    const claims = () => [{}] as unknown as Claim[]
    const [some, others] = [pool.open(), pool.open()]
    const jobs = [some.verify(0, {}, claims), some.verify(3, {}, claims), others.verify(3, {}, claims)]
    const shown = async () => {
        const text = await registry.metrics()
        return ["proof_pool_waiting", "proof_pool_entries_total", "proof_thread_deaths_total"].map((name) =>
            Object.values(samples(text, `tallylight_${name}`)),
        )
    }
    expect(await shown()).toEqual([[1, 0, 0, 2], [0, 0], [3]])
    verdicts.shift()?.(undefined)
    await jobs[0]
    verdicts.shift()?.({ code: "bad-possession", facts: {} })
    await expect(Promise.race(jobs.slice(1))).rejects.toThrow()
    expect(await shown()).toEqual([[0, 0, 0, 1], [1, 1], [3]])
    // Asking once more counts nothing twice.
    expect(await shown()).toEqual([[0, 0, 0, 1], [1, 1], [3]])
    pool.close()
    await Promise.allSettled(jobs)
})

test("serves them on a port of their own, and nothing else there", async () => {
    const { url, close } = await serveMetrics(newRegistry(), { host: "127.0.0.1", port: 0 })
    const answer = await fetch(url)
    expect(answer.headers.get("content-type")).toContain("version=0.0.4")
    expect(await answer.text()).toContain("nodejs_eventloop_lag_seconds")
    expect((await fetch(url.replace("/metrics", "/"))).status).toBe(404)
    expect((await fetch(url, { method: "POST" })).status).toBe(404)
    const { port } = new URL(url)
    const taken = serveMetrics(newRegistry(), { host: "127.0.0.1", port: Number(port) })
    await expect(taken).rejects.toThrow(`port ${port} of 127.0.0.1`)
    close()
})
