/** The apps as people run them: processes with data directories, which may be killed and started again. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { fromHex } from "@tallylight/crypto/bytes.js"
import { decodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { launch, nextLine } from "../processes/run.ts"
import type { Ended, Running } from "../processes/run.ts"

const bin = fileURLToPath(new URL("../../bin/tallylight.mjs", import.meta.url))
const pageEntries = 1000

export type NetworkPlan = {
    /** How many parties each of the party processes hosts. */
    readonly parties: readonly number[]
    readonly intervalSeconds: number
    readonly windowMs: number
    readonly expectedContributors: number
}

/** An app in a data directory of its own, from one process to the next. */
export class App {
    readonly name: string
    readonly data: string
    readonly #args: () => readonly string[]
    #running: Running | undefined
    #onDeath: (name: string, ended: Ended) => void

    constructor(
        name: string,
        data: string,
        args: () => readonly string[],
        onDeath: (name: string, ended: Ended) => void,
    ) {
        this.name = name
        this.data = data
        this.#args = args
        this.#onDeath = onDeath
    }

    get pid(): number | undefined {
        return this.#running?.pid
    }

    start(): Running {
        const running = launch([bin, ...this.#args(), "--data", this.data, "--log-level", "warn"])
        this.#running = running
        void running.ended.then((ended) => {
            if (this.#running === running) this.#onDeath(this.name, ended)
        })
        return running
    }

    /** Resolves once it is gone. */
    async kill(signal: NodeJS.Signals): Promise<void> {
        const running = this.#running
        this.#running = undefined
        running?.kill(signal)
        await running?.ended
    }
}

type ChainSummary = { readonly id: string; readonly size: number; readonly parties: number }

export class RealNetwork {
    readonly folder: string
    readonly pdl: App
    readonly parties: readonly App[]
    readonly requester: App
    /** What ended although nobody asked it to, and its last words. */
    readonly deaths: string[] = []
    #url = "http://127.0.0.1:0"

    /** Data directories with keys; nobody is running yet. */
    static async make(plan: NetworkPlan): Promise<RealNetwork> {
        const network = new RealNetwork(await mkdtemp(join(tmpdir(), "tallylight-torture-")), plan)
        await network.#init(plan)
        return network
    }

    private constructor(folder: string, { parties, intervalSeconds }: NetworkPlan) {
        this.folder = folder
        const app = (name: string, args: () => readonly string[]): App =>
            new App(name, join(folder, name), args, (who, { code, signal, stderr }) =>
                this.deaths.push(`${who} ended with ${code ?? signal ?? "nothing"}: ${stderr.slice(-2000)}`),
            )
        this.pdl = app("pdl", () => ["pdl", "--config", this.#config, "--url", this.#url, "--json"])
        this.parties = parties.map((count, at) =>
            app(`party-${at + 1}`, () => ["party", "--url", this.#url, "--count", String(count)]),
        )
        const interval = String(intervalSeconds)
        this.requester = app("requester", () => ["requester", "--url", this.#url, "--interval", interval])
    }

    get url(): string {
        return this.#url
    }

    get apps(): readonly App[] {
        return [this.pdl, ...this.parties, this.requester]
    }

    get #config(): string {
        return join(this.folder, "pdl.jsonc")
    }

    async #init({ parties, windowMs, expectedContributors }: NetworkPlan): Promise<void> {
        const windows = { contributionWindowMs: windowMs, decryptionWindowMs: windowMs }
        const chain = { name: "torture", expectedContributors, ...windows }
        await writeFile(this.#config, JSON.stringify({ chain }))
        await this.#mustEndWell("pdl", "init", "--data", this.pdl.data, "--config", this.#config)
        for (const [at, count] of parties.entries())
            await this.#mustEndWell(
                "party",
                "init",
                "--data",
                this.parties[at]!.data,
                "--count",
                String(count),
            )
        await this.#mustEndWell("requester", "init", "--data", this.requester.data)
    }

    /** Resolves once the server listens, at the address at which it listened before. */
    async startServer(): Promise<void> {
        const running = this.pdl.start()
        this.#url = (JSON.parse(await nextLine(running)) as { url: string }).url
    }

    /** The server first: the others need its address, and the requester needs a roster. */
    async start(): Promise<void> {
        if (this.pdl.pid === undefined) await this.startServer()
        for (const party of this.parties) party.start()
        await this.until("the parties' registrations", async () => {
            return (await this.chain()).parties >= this.parties.length
        })
        this.requester.start()
    }

    async until(what: string, reached: () => Promise<boolean>, patienceMs = 60_000): Promise<void> {
        const start = performance.now()
        while (!(await reached())) {
            if (this.deaths.length > 0) throw new Error(this.deaths.join("\n"))
            if (performance.now() - start > patienceMs)
                throw new Error(`waited ${patienceMs / 1000} s in vain for ${what}; see ${this.folder}`)
            await sleep(100)
        }
    }

    /** A command of `tallylight` that ends by itself. */
    tallylight(...args: readonly string[]): Promise<Ended> {
        return launch([bin, ...args]).ended
    }

    async #mustEndWell(...args: readonly string[]): Promise<void> {
        const { code, stdout, stderr } = await this.tallylight(...args)
        if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}: ${stdout}${stderr}`)
    }

    async chain(): Promise<ChainSummary> {
        const { chains } = (await this.#get("/v1/chains")) as { chains: ChainSummary[] }
        const [chain] = chains
        if (chain === undefined) throw new Error(`${this.url} has no chain`)
        return chain
    }

    /** The bytes of every entry from that one on. */
    async *entries(from = 0): AsyncGenerator<Uint8Array, void> {
        const { id, size } = await this.chain()
        for (let next = from; next < size;) {
            const page = `/v1/chains/${id}/entries?from=${next}&limit=${pageEntries}`
            const { entries } = (await this.#get(page)) as { entries: { bytes: string }[] }
            for (const { bytes } of entries) yield fromHex(bytes)
            next += entries.length
        }
    }

    async decoded(from = 0): Promise<Entry[]> {
        const entries = []
        for await (const bytes of this.entries(from)) entries.push(decodeEntry(bytes))
        return entries
    }

    async #get(path: string): Promise<unknown> {
        const response = await fetch(`${this.url}${path}`)
        if (!response.ok) throw new Error(`${path} answers ${response.status}`)
        return response.json()
    }

    /** Nobody runs any more. */
    async end(): Promise<void> {
        await Promise.all(this.apps.map((app) => app.kill("SIGKILL")))
    }

    async clear(): Promise<void> {
        await this.end()
        await rm(this.folder, { recursive: true, force: true })
    }
}

/** Bytes of all files in a folder; one that vanishes meanwhile counts nothing. */
export async function diskBytes(folder: string): Promise<number> {
    const files = await readdir(folder, { withFileTypes: true, recursive: true })
    const sizes = files
        .filter((file) => file.isFile())
        .map((file) =>
            stat(join(file.parentPath, file.name)).then(
                ({ size }) => size,
                () => 0,
            ),
        )
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

/** Since its start: what it computed, and how long its threads were ready and had no core. */
export type Work = { readonly cpuMs: number; readonly waitedMs: number }

/** Of a process with all its threads that still live, as Linux tells it; zeros elsewhere, or where it is gone. */
export async function workOf(pid: number | undefined): Promise<Work> {
    const threads = await readdir(`/proc/${pid ?? 0}/task`).catch(() => [])
    let [cpuMs, waitedMs] = [0, 0]
    for (const thread of threads) {
        const schedule = await readFile(`/proc/${pid ?? 0}/task/${thread}/schedstat`, "utf8").catch(() => "")
        const [ran = 0, waited = 0] = schedule.split(" ").map(Number)
        cpuMs += ran / 1e6
        waitedMs += waited / 1e6
    }
    return { cpuMs, waitedMs }
}

/** Resident memory of a process, as Linux tells it; undefined elsewhere, or where the process is gone. */
export async function residentBytes(pid: number | undefined): Promise<number | undefined> {
    const status = await readFile(`/proc/${pid ?? 0}/status`, "utf8").catch(() => "")
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}
