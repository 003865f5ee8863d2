/** How many rounds one chain of a ledger server has while another one is idle, busy or flooded. */
import { execFileSync, fork } from "node:child_process"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { availableParallelism, constants, setPriority } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { Stage } from "../test/network/stage.ts"
import { nextLine } from "../test/processes/run.ts"
import { ratio } from "./measure.ts"
import type { Row } from "./measure.ts"
import type { Table } from "./report.ts"
import { get, succeed } from "./round-in-processes.ts"

const cores = availableParallelism()
const parties = 3
const connections = 32
const repetitions = 4
const sampleMs = 5000
const quiet = ["--log-level", "error"]
/** The forger says nothing that counts, so that each round of a flooded chain lasts that long. */
const chainConfig = { name: "measured", contributionWindowMs: 10_000 }

export async function neighbours(): Promise<Table> {
    const stage = await Stage.make()
    const apart = shareOutCores()
    try {
        const { url, measured, other } = await startServer(stage, apart)
        await settle(stage, url, measured)
        const alone = await roundsPerMinute("alone", url, measured)
        await settle(stage, url, other)
        const beside = await roundsPerMinute("while another chain has as many parties", url, measured)
        const flooder = fork(
            fileURLToPath(new URL("neighbours-flood.ts", import.meta.url)),
            [url, other, String(connections)],
            { execArgv: ["--conditions=source", "--import", "tsx"] },
        )
        // The parties must get to answer: what is measured is how the server shares itself out.
        setPriority(flooder.pid ?? 0, constants.priority.PRIORITY_LOW)
        try {
            await once(flooder, "message")
            const flooded = await roundsPerMinute("while that chain is flooded too", url, measured)
            return {
                name: "neighbours",
                says:
                    `rounds of a chain with ${parties} parties, one round after the other, beside another chain of the same ` +
                    `server; the flood is forged contributions and empty questions over ${connections} connections; ` +
                    (apart
                        ? "the server has one core, everybody else the others"
                        : "all share the same cores, so part of every loss is not the server's doing"),
                rows: [
                    ...[alone, beside, flooded],
                    ratio("beside a busy chain / alone", beside, alone),
                    ratio("beside a flooded chain / alone", flooded, alone),
                ],
            }
        } finally {
            flooder.kill()
        }
    } finally {
        await stage.clear()
        if (apart) pin(process.pid, `0-${cores - 1}`)
    }
}

/** Keeps this process and those that it starts off the first core; false where there is no way to. */
function shareOutCores(): boolean {
    if (cores < 2) return false
    try {
        pin(process.pid, `1-${cores - 1}`)
        return true
    } catch {
        return false
    }
}

/** Every thread of it, and those that it starts later. */
function pin(pid: number, list: string): void {
    execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", list, String(pid)], { stdio: "ignore" })
}

async function startServer(stage: Stage, apart: boolean) {
    const config = join(stage.folder, "pdl.jsonc")
    await writeFile(config, JSON.stringify({ chain: chainConfig }))
    const pdl = ["pdl", "--config", config, "--data", join(stage.folder, "pdl")]
    await succeed(stage, ...pdl, "init")
    await succeed(stage, ...pdl, "add-chain", "--name", "other")
    const server = stage.start(...pdl, "--url", "http://127.0.0.1:0", "--json", ...quiet)
    const { url, chains } = JSON.parse(await nextLine(server)) as {
        readonly url: string
        readonly chains: readonly { readonly id: string; readonly name: string }[]
    }
    if (apart) pin(server.pid, "0")
    const idOf = (wanted: string): string => chains.find(({ name }) => name === wanted)?.id ?? ""
    return { url, measured: idOf(chainConfig.name), other: idOf("other") }
}

/** Parties, and a requester that always has a request waiting; resolves once they have rounds. */
async function settle(stage: Stage, url: string, chain: string): Promise<void> {
    for (const [app, ...plan] of [
        ["party", "--count", String(parties)],
        ["requester", "--interval", "0"],
    ] as const) {
        const data = ["--data", join(stage.folder, `${app}-${chain.slice(0, 8)}`)]
        await succeed(stage, app, "init", ...data)
        stage.start(app, ...plan, ...data, "--url", url, "--chain", chain, ...quiet)
    }
    while ((await roundsOf(url, chain)) < 5) await sleep(100)
}

async function roundsPerMinute(what: string, url: string, chain: string): Promise<Row> {
    const values = []
    for (let repetition = 0; repetition < repetitions; repetition++) {
        const [begun, before] = [performance.now(), await roundsOf(url, chain)]
        await sleep(sampleMs)
        const rounds = (await roundsOf(url, chain)) - before
        values.push((rounds * 60_000) / (performance.now() - begun))
    }
    return { what, unit: "/min", values }
}

async function roundsOf(url: string, chain: string): Promise<number> {
    const { chains } = (await get(`${url}/v1/chains`)) as {
        readonly chains: readonly { readonly id: string; readonly rounds: number }[]
    }
    return chains.find(({ id }) => id === chain)?.rounds ?? 0
}
