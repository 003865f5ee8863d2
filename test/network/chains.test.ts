import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine, nextLines } from "../processes/run.ts"
import { documentedMetrics, valueOf } from "./metrics-text.ts"
import { Stage } from "./stage.ts"

let stage: Stage

beforeEach(async () => {
    stage = await Stage.make()
})
afterEach(() => stage.clear())

type Listening = {
    readonly url: string
    readonly metrics: string
    readonly chain?: string
    readonly chains: readonly { readonly id: string; readonly name: string }[]
}
type Round = { readonly chain: string; readonly contributors: number }

test("one ledger server keeps two chains, each with keys, parameters, parties and requesters of its own", async () => {
    const other = join(stage.folder, "other.jsonc")
    await writeFile(
        other,
        `{ "chain": { "name": "Other", "expectedContributors": 1, "contributionWindowMs": 2000, "everyoneAnswers": false } }`,
    )
    expect((await stage.run("pdl", "init", "--data", "pdl")).code).toBe(0)
    const added = await stage.run("pdl", "add-chain", "--data", "pdl", "--config", other)
    expect(added.code, added.stderr).toBe(0)

    const listening = ["--json", "--url", "http://127.0.0.1:0", "--metrics", "0"]
    const server = stage.start("pdl", ...listening, "--data", "pdl")
    const { url, metrics: scraped, chain, chains } = JSON.parse(await nextLine(server)) as Listening
    expect(chain).toBeUndefined()
    expect(chains.map(({ name }) => name)).toEqual(["local", "Other"])
    const refused = await stage.run("pdl", "add-chain", "--data", "pdl", "--name", "third")
    expect(refused.stderr).toContain(`is in use by process ${server.pid}`)
    const listed = await stage.run("pdl", "chains", "--data", "pdl", "--json")
    expect(JSON.parse(listed.stdout)).toMatchObject({ chains })

    const unsaid = await stage.run("observer", "verify", "--url", url)
    expect(unsaid.code).toBe(1)
    for (const { id } of chains) expect(unsaid.stderr).toContain(id)
    const watchers = []
    for (const { id, name } of chains) {
        const whom = ["--url", url, "--chain", id]
        expect((await stage.run("requester", "init", "--data", `requester-${name}`)).code).toBe(0)
        stage.start("requester", "--interval", "0", "--data", `requester-${name}`, ...whom)
        stage.start("party", "--count", "3", ...whom)
        watchers.push(stage.start("observer", "watch", "--json", "--from", "1", "--rounds", "2", ...whom))
    }
    const rounds = await Promise.all(watchers.map((watcher) => nextLines(watcher, 2)))
    for (const [at, lines] of rounds.entries()) {
        const parsed = lines.map((line) => JSON.parse(line) as Round)
        expect(parsed.map((round) => round.chain)).toEqual([chains[at]?.id, chains[at]?.id])
    }
    for (const { id } of chains) {
        const verified = await stage.run("observer", "verify", "--url", url, "--chain", id)
        expect(verified.code, verified.stdout + verified.stderr).toBe(0)
    }

    const metrics = await (await fetch(scraped)).text()
    const folders = [...metrics.matchAll(/^tallylight_ledger_entries\{chain="([^"]+)"\}/gm)].map(
        ([, name]) => name,
    )
    expect(folders).toHaveLength(2)
    for (const name of folders) {
        const counted = (metric: string, labels = ""): number =>
            valueOf(metrics, `${metric}{chain="${name}"${labels}}`)
        expect(counted("tallylight_rounds_total", ',outcome="beacon"')).toBeGreaterThanOrEqual(2)
        expect(counted("tallylight_entries_total", ',kind="contribution"')).toBeGreaterThanOrEqual(2)
        expect(counted("tallylight_receipts_total")).toBeGreaterThanOrEqual(2)
        expect(counted("tallylight_connections_opened_total")).toBeGreaterThanOrEqual(3)
        expect(counted("tallylight_commit_seconds_count")).toBeGreaterThanOrEqual(2)
    }
    const named = await documentedMetrics("## Metrics")
    expect(named.length).toBeGreaterThan(10)
    for (const name of named) expect(metrics).toContain(`# TYPE ${name} `)

    server.kill("SIGTERM")
    expect((await server.ended).code).toBe(0)
})
