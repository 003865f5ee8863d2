/** Whole rounds as they are run: a ledger server, ten parties in three processes, a requester, sockets and a disk. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fromHex } from "@tallylight/crypto/bytes.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { Stage } from "../test/network/stage.ts"
import { nextLine } from "../test/processes/run.ts"
import type { Table } from "./report.ts"
import { chainParameters, partyCount, roundCount, roundTimes } from "./round-times.ts"

/** As three organisations would run them. */
const partyCounts = [4, 3, 3]
const patienceMs = 60_000
const quiet = ["--log-level", "warn"]

export async function roundInProcesses(): Promise<Table> {
    const stage = await Stage.make()
    try {
        const url = await startServer(stage)
        for (const [at, count] of partyCounts.entries()) {
            const args = ["--data", join(stage.folder, `party-${at + 1}`), "--count", String(count)]
            await succeed(stage, "party", "init", ...args)
            stage.start("party", ...args, "--url", url, ...quiet)
        }
        await registered(url)
        const requester = ["--data", join(stage.folder, "requester")]
        await succeed(stage, "requester", "init", ...requester)
        const demand = ["--rounds", String(roundCount), "--interval", "0"]
        await succeed(stage, "requester", ...requester, "--url", url, ...demand, ...quiet)
        return {
            name: "round-in-processes",
            says:
                `${roundCount} rounds of ${partyCount} contributions over WebSocket and SQLite, five processes; ` +
                "the requester asks for the next round while one is in progress",
            rows: roundTimes(await entriesAt(url)),
        }
    } finally {
        await stage.clear()
    }
}

/** Resolves with its address. */
async function startServer(stage: Stage): Promise<string> {
    const config = join(stage.folder, "pdl.jsonc")
    await writeFile(config, JSON.stringify({ chain: { name: "bench", ...chainParameters } }))
    const args = ["--config", config, "--data", join(stage.folder, "pdl")]
    await succeed(stage, "pdl", "init", ...args)
    const server = stage.start("pdl", ...args, "--url", "http://127.0.0.1:0", "--json", ...quiet)
    return (JSON.parse(await nextLine(server)) as { url: string }).url
}

export async function succeed(stage: Stage, ...args: readonly string[]): Promise<void> {
    const { code, stderr } = await stage.run(...args)
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stderr}`)
}

type ChainSummary = { readonly id: string; readonly parties: number; readonly size: number }

async function chainAt(url: string): Promise<ChainSummary> {
    const { chains } = (await get(`${url}/v1/chains`)) as { chains: ChainSummary[] }
    const [chain] = chains
    if (chain === undefined) throw new Error(`${url} has no chain`)
    return chain
}

async function registered(url: string): Promise<void> {
    const start = performance.now()
    while ((await chainAt(url)).parties < partyCount) {
        if (performance.now() - start > patienceMs) throw new Error("the parties did not register")
        await sleep(100)
    }
}

async function entriesAt(url: string): Promise<Entry[]> {
    const { id, size } = await chainAt(url)
    const entries: Entry[] = []
    while (entries.length < size) {
        const page = `${url}/v1/chains/${id}/entries?from=${entries.length}&limit=1000`
        const answer = (await get(page)) as { entries: { bytes: string }[] }
        entries.push(...answer.entries.map(({ bytes }) => decodeEntry(fromHex(bytes))))
    }
    return entries
}

export async function get(url: string): Promise<unknown> {
    const response = await fetch(url)
    if (!response.ok) throw new Error(`${url} answers ${response.status}`)
    return response.json()
}
