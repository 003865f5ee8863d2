/** An entropy node beside a ledger server, a party that draws from it, and a requester: as a user would run them. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine } from "../processes/run.ts"
import type { Running } from "../processes/run.ts"
import { documentedMetrics, valueOf } from "./metrics-text.ts"
import { Stage } from "./stage.ts"

let stage: Stage

beforeEach(async () => {
    stage = await Stage.make()
})
afterEach(() => stage.clear())

type Node = { readonly running: Running; readonly url: string; readonly identity: string }

async function startServer(): Promise<string> {
    const chain = { contributionWindowMs: 10_000, decryptionWindowMs: 10_000, expectedContributors: 1 }
    await writeFile(join(stage.folder, "pdl.jsonc"), JSON.stringify({ chain }))
    const pdl = stage.start("pdl", "--json", "--config", "pdl.jsonc", "--url", "http://127.0.0.1:0")
    return (JSON.parse(await nextLine(pdl)) as { readonly url: string }).url
}

async function startNode(url: string, ...more: readonly string[]): Promise<Node> {
    const running = stage.start(
        ...["entropy-node", "--data", "node", "--simulated", "--port", "0", "--json", "--url", url, ...more],
    )
    const { urls, identity } = JSON.parse(await nextLine(running)) as {
        readonly urls: readonly string[]
        readonly identity: string
    }
    return { running, url: urls[0] ?? "", identity }
}

async function made(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await stage.run(...args)
    expect([code, stderr]).toEqual([0, stderr])
    return stdout
}

/** The report of \`observer verify --json\`, once \`holds\` of it. */
async function verified(url: string, holds: (report: Report) => boolean): Promise<Report> {
    for (;;) {
        const report = JSON.parse(await made("observer", "verify", "--json", "--url", url)) as Report
        expect(report.holds).toBe(true)
        if (holds(report)) return report
        await sleep(500)
    }
}

type Report = {
    readonly holds: boolean
    readonly beacons: number
    readonly rules: readonly { readonly rule: string; readonly checked: number }[]
}

function checked({ rules }: Report, name: string): number {
    return rules.find(({ rule }) => rule === name)?.checked ?? 0
}

test("parties draw from a node, it signs their beacons, is killed, and goes on where it was", async () => {
    const url = await startServer()
    await made("entropy-node", "init", "--data", "node")
    const node = await startNode(url)
    const entropyNode = { url: node.url, identity: node.identity, mode: "required" }
    await writeFile(join(stage.folder, "party.json"), JSON.stringify({ entropyNode }))
    const party = ["party", "--data", "party", "--config", "party.json"]
    await made(...party, "init")
    await made("requester", "init", "--data", "requester")
    stage.start(...party, "--url", url)
    stage.start("requester", "--data", "requester", "--url", url, "--interval", "1")

    const before = await verified(url, (report) => checked(report, "pulses") >= 4)
    node.running.kill("SIGKILL")
    await node.running.ended
    const signed = checked(before, "pulses")
    // Where its parties know it.
    const again = await startNode(url, "--port", new URL(node.url).port)
    expect(again.identity).toBe(node.identity)
    const after = await verified(url, (report) => checked(report, "pulses") >= signed + 3)
    expect(checked(after, "statements")).toBeGreaterThan(0)

    const metrics = await (await fetch(`${again.url}/metrics`)).text()
    const named = await documentedMetrics("### Metrics of an entropy node")
    expect(named.length).toBeGreaterThan(5)
    for (const name of named) expect(metrics).toContain(`# TYPE ${name} `)
    expect(valueOf(metrics, 'tallylight_entropy_pulse_timestamp_seconds{chain="2"}')).toBeGreaterThan(0)
    expect(valueOf(metrics, 'tallylight_entropy_drawn_bytes_total{what="draw"}')).toBeGreaterThanOrEqual(64)
    expect(valueOf(metrics, 'tallylight_entropy_source_healthy{source="simulated-chip"}')).toBe(1)

    const report = await made("observer", "verify-pulse", "--url", `${again.url}/beacon/2.0`, "--json")
    expect(JSON.parse(report)).toMatchObject({ class: "verified" })
})
