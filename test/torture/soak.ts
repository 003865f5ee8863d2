/** A network at full speed for a long time: `npm run soak -- [--minutes N] [--json]`. README.md says how to read it. */
import { loadavg } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { machineText, thisMachine } from "../../bench/report.ts"
import { fitLine, mean, quantile } from "./fit.ts"
import type { Line } from "./fit.ts"
import { diskBytes, RealNetwork, residentBytes, workOf } from "./real-network.ts"
import type { Work } from "./real-network.ts"

const sampleMs = 30_000
const partyCount = 5
const megabyte = 1024 * 1024

/** Beyond these a soak fails: what grows by design (tree, rounds, registrations) stays far below. */
const mostMegabytesPer10000 = 16
const mostDrift = 1.5
/** Of what a round costs. Latency says less where a machine has other work, computation hardly anything else. */
const mostWorkDrift = 1.2
/** Beyond that part of the time without a core, latency is the machine's and not the network's. */
const mostWaiting = 0.5
/** Of fewer samples the slope is the noise of the garbage collector. */
const fewestSamples = 12

type Sample = {
    readonly minute: number
    readonly entries: number
    readonly roundsPerMinute: number
    /** Milliseconds from ticket to beacon, of the rounds that ended since the last sample. */
    readonly p50: number
    readonly p99: number
    /** By app, in bytes. */
    readonly resident: Readonly<Record<string, number>>
    readonly ledgerBytes: number
    readonly diskBytes: number
    /** Milliseconds that all processes together computed for each of those rounds. */
    readonly workMs: number
    /** The part of the time in which they could have computed and had no core. */
    readonly waited: number
    /** Processes that ran or waited for a processor in the last minute: what else slowed the rounds down. */
    readonly load: number
}

type Verdict = {
    readonly problems: readonly string[]
    /** Megabytes per 10,000 entries, by app, over the last two thirds of the samples. */
    readonly memory: Readonly<Record<string, Line>>
    /** Median latency of the last third over that of the first. */
    readonly drift: number
    /** The same of what a round costs. */
    readonly workDrift: number
    readonly waited: number
    readonly verified: string
}

/** Reads the ledger as it grows, and keeps nothing of it but what the next sample needs. */
class Rounds {
    next = 0
    #bytes = 0
    readonly #tickets = new Map<number, number>()

    get bytes(): number {
        return this.#bytes
    }

    /** Latencies of the rounds that ended since the last call. */
    async ended(network: RealNetwork): Promise<number[]> {
        const latencies = []
        for await (const bytes of network.entries(this.next)) {
            this.next += 1
            this.#bytes += bytes.length
            const entry = decodeEntry(bytes)
            if (entry.kind === "ticket") this.#tickets.set(entry.round, entry.time)
            if (entry.kind !== "beacon" && entry.kind !== "void") continue
            const began = this.#tickets.get(entry.round)
            this.#tickets.delete(entry.round)
            if (began !== undefined && entry.kind === "beacon") latencies.push(entry.time - began)
        }
        return latencies
    }
}

async function workOfAll({ apps }: RealNetwork): Promise<Work> {
    const works = await Promise.all(apps.map(({ pid }) => workOf(pid)))
    const sum = (what: keyof Work): number => works.reduce((total, work) => total + work[what], 0)
    return { cpuMs: sum("cpuMs"), waitedMs: sum("waitedMs") }
}

async function measure(
    network: RealNetwork,
    rounds: Rounds,
    since: number,
    passedMs: number,
    before: Work,
): Promise<{ readonly sample: Sample; readonly work: Work }> {
    const latencies = await rounds.ended(network)
    const work = await workOfAll(network)
    const [cpuMs, waitedMs] = [work.cpuMs - before.cpuMs, work.waitedMs - before.waitedMs]
    const resident: Record<string, number> = {}
    for (const { name, pid } of network.apps) resident[name] = (await residentBytes(pid)) ?? NaN
    const sample = {
        minute: (performance.now() - since) / 60_000,
        entries: rounds.next,
        roundsPerMinute: (latencies.length * 60_000) / passedMs,
        p50: quantile(latencies, 0.5),
        p99: quantile(latencies, 0.99),
        resident,
        ledgerBytes: rounds.bytes,
        diskBytes: await diskBytes(network.folder),
        workMs: cpuMs / latencies.length,
        waited: waitedMs / (cpuMs + waitedMs),
        load: loadavg()[0] ?? NaN,
    }
    return { sample, work }
}

function judge(samples: readonly Sample[], failures: readonly string[], verified: string): Verdict {
    const settled = samples.slice(Math.floor(samples.length / 3))
    const third = Math.floor(samples.length / 3)
    const drifted = (what: "p50" | "workMs"): number => {
        const typical = (some: readonly Sample[]): number => mean(some.map((sample) => sample[what]))
        return typical(samples.slice(-third)) / typical(samples.slice(0, third))
    }
    const [drift, workDrift] = [drifted("p50"), drifted("workMs")]
    const waited = mean(samples.map((sample) => sample.waited))
    const names = Object.keys(samples[0]?.resident ?? {})
    const memory = Object.fromEntries(
        names.map((name) => {
            const points = settled.map(
                ({ entries, resident }) => [entries / 10_000, (resident[name] ?? NaN) / megabyte] as const,
            )
            return [name, fitLine(points)]
        }),
    )
    const problems = [...failures]
    if (samples.length >= fewestSamples) {
        for (const [name, { slope, standardError }] of Object.entries(memory))
            if (slope - 2 * standardError > mostMegabytesPer10000)
                problems.push(`${name} grows by ${slope.toFixed(1)} MB per 10,000 entries`)
        if (drift > mostDrift && waited <= mostWaiting)
            problems.push(`rounds take ${drift.toFixed(2)} times as long as at the start`)
        if (workDrift > mostWorkDrift)
            problems.push(`rounds cost ${workDrift.toFixed(2)} times as much as at the start`)
    }
    return { problems, memory, drift, workDrift, waited, verified }
}

const columns =
    "minute  entries  rounds/min  p50 ms  p99 ms  pdl MB  party MB  requester MB  ledger MB  disk MB  ms of work/round  waited %  load\n"

function row({
    minute,
    entries,
    roundsPerMinute,
    p50,
    p99,
    resident,
    ledgerBytes,
    diskBytes,
    workMs,
    waited,
    load,
}: Sample): string {
    const inMegabytes = (bytes: number | undefined): string => ((bytes ?? NaN) / megabyte).toFixed(1)
    const largestParty = Math.max(
        ...Object.entries(resident).flatMap(([name, bytes]) => (name.startsWith("party") ? [bytes] : [])),
    )
    const cells = [
        ...[minute.toFixed(1), String(entries), roundsPerMinute.toFixed(0), p50.toFixed(0), p99.toFixed(0)],
        ...[inMegabytes(resident.pdl), inMegabytes(largestParty), inMegabytes(resident.requester)],
        ...[inMegabytes(ledgerBytes), inMegabytes(diskBytes), workMs.toFixed(0)],
        ...[(100 * waited).toFixed(0), load.toFixed(1)],
    ]
    const widths = [6, 7, 10, 6, 6, 6, 8, 12, 9, 7, 16, 8, 4]
    return `${cells.map((cell, at) => cell.padStart(widths[at] ?? 0)).join("  ")}\n`
}

/** What `observer verify` says of the whole ledger, and whether it holds. */
async function verify(network: RealNetwork): Promise<{ holds: boolean; verified: string }> {
    const { code, stdout, stderr } = await network.tallylight(
        "observer",
        "verify",
        "--url",
        network.url,
        "--json",
    )
    if (code !== 0) return { holds: false, verified: `ended with ${code}: ${stdout}${stderr}` }
    const { verified, beacons, voids } = JSON.parse(stdout) as Record<string, number>
    return { holds: true, verified: `holds, ${verified} entries, ${beacons} beacons, ${voids} voids` }
}

function verdictText({ problems, memory, drift, workDrift, waited, verified }: Verdict): string {
    const slopes = Object.entries(memory).map(([name, { slope, standardError }]) => {
        const fitted = `${slope.toFixed(2).padStart(7)} ± ${standardError.toFixed(2)} MB per 10,000 entries`
        return `  ${name.padEnd(10)} ${Number.isNaN(slope) ? "too few samples" : fitted}\n`
    })
    return [
        "\nmemory, fitted over the last two thirds:\n",
        ...slopes,
        `work for a round, last third over first third: ${workDrift.toFixed(2)}\n`,
        `latency, last third over first third: ${drift.toFixed(2)}; ready and without a core ${(100 * waited).toFixed(0)} % of the time\n`,
        `observer verify: ${verified}\n`,
        problems.length === 0 ? "holds\n" : `FAILS\n${problems.map((problem) => `  ${problem}\n`).join("")}`,
    ].join("")
}

async function soak(network: RealNetwork, minutes: number, stop: AbortSignal, show: (text: string) => void) {
    await network.start()
    const rounds = new Rounds()
    const samples: Sample[] = []
    const since = performance.now()
    await rounds.ended(network)
    show(columns)
    let last = since
    let work = await workOfAll(network)
    while (last - since < minutes * 60_000 && !stop.aborted && network.deaths.length === 0) {
        const left = minutes * 60_000 - (last - since)
        await sleep(Math.min(sampleMs, left), undefined, { signal: stop }).catch(() => undefined)
        const now = performance.now()
        const measured = await measure(network, rounds, since, now - last, work)
        const { sample } = measured
        work = measured.work
        last = now
        samples.push(sample)
        show(row(sample))
    }
    process.stderr.write(`verifying ${rounds.next} entries, each proof in them\n`)
    for (const app of [network.requester, ...network.parties]) await app.kill("SIGTERM")
    const { holds, verified } = await verify(network)
    return {
        samples,
        verdict: judge(samples, [...network.deaths, ...(holds ? [] : [`verify ${verified}`])], verified),
    }
}

const { values } = parseArgs({
    options: { minutes: { type: "string", default: "60" }, json: { type: "boolean", default: false } },
})
const minutes = Number(values.minutes)
if (!(minutes > 0 && minutes <= 10_000)) {
    process.stderr.write("--minutes takes a number above 0\n")
    process.exit(2)
}
const interrupted = new AbortController()
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort())
const machine = thisMachine()
const show = (text: string): void => {
    process[values.json ? "stderr" : "stdout"].write(text)
}
show(machineText(machine))
const plan = { intervalSeconds: 0, windowMs: 10_000, expectedContributors: partyCount }
const network = await RealNetwork.make({ parties: Array<number>(partyCount).fill(1), ...plan })
try {
    const { samples, verdict } = await soak(network, minutes, interrupted.signal, show)
    show(verdictText(verdict))
    if (values.json) process.stdout.write(`${JSON.stringify({ machine, samples, ...verdict }, null, 2)}\n`)
    process.exitCode = verdict.problems.length === 0 ? 0 : 1
} catch (error) {
    process.exitCode = 1
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
} finally {
    await network.end()
    if (process.exitCode === 0) await network.clear()
    else process.stderr.write(`what is left of it is in ${network.folder}\n`)
}
