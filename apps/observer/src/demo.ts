/** A whole network on this machine: real processes, real sockets, and an observer that trusts none of them. */
import { access, mkdir, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { UserError } from "@tallylight/node/user-error.js"
import { startProcess } from "./demo-process.ts"
import type { DemoProcess, Listeners } from "./demo-process.ts"
import type { WatchedPulse, WatchedRound } from "./watch.ts"

export type DemoOptions = {
    readonly data: string
    /** Where the ledger server listens; port 0 for a free one. */
    readonly url: string
    readonly rounds: number | undefined
    readonly intervalSeconds: number
    readonly stop: AbortSignal
    /** A line of the observer's standard output, as it is: one verified round as JSON. */
    readonly onRound: (json: string) => void
    /** The same of pulses; undefined where nobody wants them. */
    readonly onPulse: ((pulse: WatchedPulse) => void) | undefined
    /** What is going on, for standard error. */
    readonly onNews: (news: string) => void
}

/** Ten parties in three processes, as three organisations would run them. */
const partyCounts = [4, 3, 3]

/** Which entropy node, from 1, each of those draws from. */
const nodeOf = [1, 2, 2]

/** Without a verified round for that long, something is wrong. */
const patienceMs = 60_000

function localConfig(app: string): string {
    return fileURLToPath(new URL(`../../../config/local/${app}.jsonc`, import.meta.url))
}

type DemoNode = { readonly url: string; readonly identity: string }

/** Until that many rounds were verified or `stop` aborts; rejects with a {@link UserError} if the network fails. */
export async function runDemo(options: DemoOptions): Promise<void> {
    const network = new DemoNetwork(options)
    try {
        await network.run()
    } finally {
        await network.end()
    }
}

class DemoNetwork {
    readonly #options: DemoOptions
    readonly #folder: string
    readonly #processes: DemoProcess[] = []
    #ending = false
    #starting: Promise<void> = Promise.resolve()
    #fail: (error: Error) => void = () => undefined

    constructor(options: DemoOptions) {
        this.#options = options
        this.#folder = resolve(options.data)
    }

    async run(): Promise<void> {
        const { onNews, stop } = this.#options
        const failed = new Promise<never>((_, reject) => (this.#fail = reject))
        const stopped = new Promise<void>((done) =>
            stop.addEventListener("abort", () => done(), { once: true }),
        )
        if (stop.aborted) return
        onNews(`network in ${this.#folder}`)
        this.#starting = this.#start()
        await Promise.race([this.#starting, failed, stopped])
    }

    async end(): Promise<void> {
        this.#ending = true
        if (this.#options.stop.aborted) this.#options.onNews("stopping")
        // The ledger server last, so that the others can say goodbye to it.
        for (const process of this.#processes.toReversed()) await process.end()
        // Whatever it still waited for has ended, and it launches nothing any more.
        await this.#starting.catch(() => undefined)
    }

    async #start(): Promise<void> {
        const { onNews } = this.#options
        await mkdir(join(this.#folder, "logs"), { recursive: true })
        const url = await this.#startServer()
        onNews(`ledger server at ${url}`)
        const started = new AbortController()
        await Promise.all([this.#observe(url, started.signal), this.#startClients(url, started)])
    }

    /** All but the ledger server and the observer. */
    async #startClients(url: string, started: AbortController): Promise<void> {
        const { onNews, intervalSeconds } = this.#options
        const nodes = await Promise.all([...new Set(nodeOf)].map((number) => this.#startNode(number, url)))
        onNews(
            `${nodes.length} entropy nodes with simulated chips, at ${nodes.map((node) => node.url).join(" and ")}`,
        )
        const parties = partyCounts.map(async (count, at) => {
            const node = nodes[(nodeOf[at] ?? 1) - 1]
            const own = ["--count", String(count), "--config", await this.#partyConfig(at + 1, node)]
            return this.#startApp("party", `parties-${at + 1}`, own, ["--url", url, ...own])
        })
        await Promise.all(parties)
        await this.#startApp(
            "requester",
            "requester",
            [],
            ["--url", url, "--interval", String(intervalSeconds)],
        )
        onNews(
            `requester and ${partyCounts.reduce((a, b) => a + b)} parties started; waiting for the first round`,
        )
        started.abort()
    }

    /** Resolves with the address at which it listens. */
    async #startServer(): Promise<string> {
        const own = ["--config", localConfig("pdl")]
        const said = await this.#startListening("pdl", "pdl", own, [...own, "--url", this.#options.url])
        return (JSON.parse(said) as { readonly url: string }).url
    }

    async #startNode(number: number, url: string): Promise<DemoNode> {
        const own = ["--config", localConfig("entropy-node")]
        const said = await this.#startListening("entropy-node", `entropy-node-${number}`, own, [
            ...own,
            ...["--url", url],
        ])
        const { urls, identity } = JSON.parse(said) as {
            readonly urls: readonly string[]
            readonly identity: string
        }
        return { url: urls[0] ?? "", identity }
    }

    /** Resolves with the first line that it prints, which says where it listens. */
    async #startListening(
        role: string,
        name: string,
        initOptions: readonly string[],
        runOptions: readonly string[],
    ): Promise<string> {
        return new Promise((onLine, reject) => {
            this.#startApp(role, name, initOptions, [...runOptions, "--json"], { onLine })
                .then(async ({ ended, log }) => {
                    const code = await ended
                    reject(new UserError(`${name} ended with ${code}; ${log} says why`))
                })
                .catch(reject)
        })
    }

    /** With the key of its entropy node, as its operator would write it down. */
    async #partyConfig(number: number, node: DemoNode | undefined): Promise<string> {
        const path = join(this.#folder, `parties-${number}.json`)
        const entropyNode = node && { url: node.url, identity: node.identity, mode: "preferred" }
        await writeFile(path, `${JSON.stringify({ entropyNode })}\n`)
        return path
    }

    /** Starts one app in its own data directory, which is made the first time. */
    async #startApp(
        role: string,
        name: string,
        initOptions: readonly string[],
        runOptions: readonly string[],
        listeners: Listeners = {},
    ): Promise<DemoProcess> {
        const data = ["--data", join(this.#folder, name)]
        if (!(await exists(join(this.#folder, name, "tallylight.json")))) {
            const made = this.#launch(`${name}-init`, [role, "init", ...data, ...initOptions])
            const code = await made.ended
            if (code !== 0) throw new UserError(`${role} init ended with ${code}; ${made.log} says why`)
        }
        const app = this.#launch(name, [role, ...data, ...runOptions], listeners)
        this.#watchOver(role, app)
        return app
    }

    #launch(name: string, args: readonly string[], listeners: Listeners = {}): DemoProcess {
        // Nobody would end it.
        if (this.#ending) throw new Error(`the network ends: ${name} is not started`)
        const log = join(this.#folder, "logs", `${name}.log`)
        const started = startProcess(name, [...args, "--log-level", "info"], log, listeners)
        this.#processes.push(started)
        return started
    }

    /** Parties and entropy nodes may come and go, which is what the rounds are made for; without the others there are none. */
    #watchOver(role: string, { name, log, ended }: DemoProcess): void {
        void ended.then((code) => {
            if (this.#ending) return
            if (role === "party" || role === "entropy-node")
                this.#options.onNews(`${name} ended with ${code}; the network goes on without`)
            else this.#fail(new UserError(`${name} ended unexpectedly with ${code}; ${log} says why`))
        })
    }

    /** The observer's lines are the demonstration's result; it ends by itself after the last one. */
    async #observe(url: string, started: AbortSignal): Promise<void> {
        const { rounds, onRound, onPulse } = this.#options
        const late = (): void => {
            const logs = join(this.#folder, "logs")
            this.#fail(
                new UserError(`no round was verified within ${patienceMs / 1000} s; the logs are in ${logs}`),
            )
        }
        let alarm: NodeJS.Timeout | undefined
        // Keys are made the first time, which takes as long as it takes.
        started.addEventListener("abort", () => (alarm = setTimeout(late, patienceMs)), { once: true })
        const onLine = (line: string): void => {
            clearTimeout(alarm)
            alarm = setTimeout(late, patienceMs)
            const told = JSON.parse(line) as WatchedPulse | Omit<WatchedRound, "kind">
            if ("kind" in told) onPulse?.(told)
            else onRound(line)
        }
        const wanted = [
            ...(rounds === undefined ? [] : ["--rounds", String(rounds)]),
            ...(onPulse === undefined ? [] : ["--pulses"]),
        ]
        const data = ["--data", join(this.#folder, "observer")]
        const command = ["observer", "watch", "--json", "--url", url, ...data, ...wanted]
        // Its news, such as void rounds; what it logs is JSON, and in its log.
        const onErrorLine = (line: string): void => {
            if (!line.startsWith("{")) this.#options.onNews(line)
        }
        const watcher = this.#launch("observer", command, { onLine, onErrorLine })
        const code = await watcher.ended
        clearTimeout(alarm)
        if (code !== 0 && !this.#ending)
            throw new UserError(`the observer ended with ${code}; ${watcher.log} says why`)
    }
}

async function exists(path: string): Promise<boolean> {
    return access(path).then(
        () => true,
        () => false,
    )
}
