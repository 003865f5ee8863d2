/** Worker processes serve HTTP for this one, which has the core. */
import cluster from "node:cluster"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { setTimeout as sleep } from "node:timers/promises"
import { makeLogger } from "@tallylight/node/logger.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { httpSettings } from "./settings.ts"
import { startHttp } from "./start.ts"
import type { Http, HttpOptions } from "./start.ts"
import { makeToken } from "./tokens.ts"
import { TwinCore } from "./twin-core.ts"

const log = makeLogger({ name: "entropy-node", level: "silent" })
const budget = 1000

let folder: string
let core: TwinCore
let options: HttpOptions
let http: Http
let url: string
let lab: { readonly token: string; readonly sha256: string }
let operator: typeof lab
/** As requests came to the plugin. */
const seen: unknown[] = []
beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-workers-"))
    ;[lab, operator] = [makeToken(systemRandom), makeToken(systemRandom)]
    const tokensFile = join(folder, "tokens.jsonc")
    const tokens = [
        { name: "lab", sha256: lab.sha256, budget: { bytes: budget, periodSeconds: 366 * 86_400 } },
        { name: "operator", sha256: operator.sha256, admin: true },
    ]
    await writeFile(tokensFile, JSON.stringify({ tokens }), { mode: 0o600 })
    core = new TwinCore()
    options = {
        settings: httpSettings.parse({
            ...{ port: 0, workers: 2, tokensFile, reseed: { ms: 100 }, limits: { stopMs: 500 } },
            socket: { path: join(folder, "s") },
        }),
        ...{ core, log },
        plugins: [
            (server) => {
                server.get("/beacon/2.0/pulse/last", { config: { open: true } }, () => ({ pid: process.pid }))
                server.post("/draw/:name", ({ body, params, query, caller, ip }, reply) => {
                    seen.push({ body, params, query, caller: caller?.name, ip })
                    return reply
                        .code(201)
                        .header("x-drawn", ["a", "b"])
                        .type("application/octet-stream")
                        .send("abc")
                })
            },
        ],
        program: {
            url: new URL("worker.ts", import.meta.url),
            execArgv: ["--conditions=source", "--import", "tsx"],
        },
    }
    http = await startHttp(options)
    url = http.urls[0] ?? ""
}, 60_000)
afterAll(async () => {
    await http.close()
    await rm(folder, { recursive: true })
})
beforeEach(() => {
    core.unready = []
    core.waiting = 1 << 20
})

function ask(path: string, who = operator, init: RequestInit = {}): Promise<Response> {
    // A connection each, so that workers take turns.
    const headers = { connection: "close", "content-type": "application/json" }
    return fetch(url + path, { ...init, headers: { ...headers, authorization: `Bearer ${who.token}` } })
}

function post(path: string, body: object, who = operator): Promise<Response> {
    return ask(path, who, { method: "POST", body: JSON.stringify(body) })
}

/** Workers that ask for port 0 share one, also with those of another server in this process. */
async function freePort(): Promise<number> {
    const server = createServer().listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    server.close()
    await once(server, "close")
    if (typeof address !== "object" || address === null) throw new Error("no port")
    return address.port
}

test("both workers serve the one port, each with a seed of its own", async () => {
    expect(http.urls).toHaveLength(2)
    expect(http.workers?.pids).toHaveLength(2)
    core.seeds = 0
    const answers = await Promise.all(
        Array.from({ length: 16 }, () => ask("/v1/random?bytes=32&encoding=hex")),
    )
    const texts = await Promise.all(answers.map((answer) => answer.text()))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(new Set(texts).size).toBe(16)
    expect(core.seeds).toBeGreaterThanOrEqual(2)
    expect(answers[0]?.headers.get("x-rng-devices")).toBe("chip-a, chip-b")
})

test("raw bytes are each handed out once, whichever worker is asked", async () => {
    const ask8 = { format: "hex", count: 8, source: "trng" }
    const answers = await Promise.all(Array.from({ length: 32 }, () => post("/api/v1/data", ask8)))
    const texts = await Promise.all(answers.map((answer) => answer.text()))
    expect(new Set(texts).size).toBe(32)
})

test("a budget is exact across workers", async () => {
    const answers = await Promise.all(
        Array.from({ length: 50 }, (_, at) =>
            at % 2 === 0
                ? ask("/v1/random?bytes=30", lab)
                : post("/api/v1/data", { format: "hex", count: 30 }, lab),
        ),
    )
    const granted = answers.filter(({ status }) => status === 200)
    expect(granted).toHaveLength(Math.floor(budget / 30))
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(50 - granted.length)
    const left = await ask("/v1/random?bytes=11", lab)
    expect([left.status, left.headers.get("ratelimit-remaining")]).toEqual([429, "10"])
    expect((await ask("/v1/random?bytes=10", lab)).status).toBe(200)
    expect((await ask("/v1/random?bytes=1", lab)).status).toBe(429)
})

test("what the core refuses with comes through", async () => {
    core.waiting = 3
    const empty = await post("/api/v1/data", { format: "uint64", source: "trng" })
    expect([empty.status, await empty.json()]).toMatchObject([
        503,
        { code: "queue-empty", facts: { available: 3 } },
    ])
    core.unready = ["chip-a is gone", "chip-b failed"]
    const raw = await post("/api/v1/data", { format: "int8", source: "trng" })
    expect([raw.status, await raw.json()]).toMatchObject([
        503,
        { code: "not-ready", facts: { reasons: core.unready } },
    ])
    // Until the seeds in use are too old.
    await sleep(150)
    for (let times = 0; times < 8; times++) expect((await ask("/v1/random?bytes=8")).status).toBe(503)
    core.unready = []
    expect((await ask("/v1/random?bytes=8")).status).toBe(200)
})

test("administrators change the core's configuration through a worker", async () => {
    const body = JSON.stringify({ capacity: 4096 })
    expect((await ask("/api/v1/config/queue", operator, { method: "PUT", body })).status).toBe(200)
    expect((await core.status()).queue.capacity).toBe(4096)
    expect((await ask("/api/v1/config/queue", lab, { method: "PUT", body })).status).toBe(403)
})

test("plugins run in this process, and get requests as they came", async () => {
    const pulse = await fetch(`${url}/beacon/2.0/pulse/last`)
    expect(await pulse.json()).toEqual({ pid: process.pid })
    const drawn = await post("/draw/party?count=2", { hello: "world" }, lab)
    expect([drawn.status, drawn.headers.get("x-drawn"), await drawn.text()]).toEqual([201, "a, b", "abc"])
    expect(seen).toEqual([
        {
            ...{ body: { hello: "world" }, params: { name: "party" }, query: { count: "2" } },
            ...{ caller: "lab", ip: "127.0.0.1" },
        },
    ])
    expect((await fetch(`${url}/draw/party`, { method: "POST" })).status).toBe(401)
    expect((await ask("/beacon/2.0/pulse/none")).status).toBe(404)
    const head = await fetch(`${url}/beacon/2.0/pulse/last`, { method: "HEAD" })
    const length = String(JSON.stringify({ pid: process.pid }).length)
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, length, ""])
})

test("metrics have what every worker counted", async () => {
    const given = async (): Promise<number> => {
        const metrics = await (await ask("/metrics")).text()
        const line = /answers_total\{method="GET",route="\/v1\/sound",status="400"\} ([0-9]+)/
        return Number(line.exec(metrics)?.[1] ?? 0)
    }
    const before = await given()
    for (let times = 0; times < 10; times++) await ask("/v1/sound?seconds=0")
    while ((await given()) < before + 10) await sleep(50)
    expect(await given()).toBe(before + 10)
})

test("metrics have the bytes of a stream too, also those that it gave long after it was answered", async () => {
    const bytes = 64 * 2 ** 20
    const read = async (line: RegExp): Promise<number> =>
        Number(line.exec(await (await ask("/metrics")).text())?.[1] ?? 0)
    const streams = /answers_total\{method="GET",route="\/v1\/random",status="200"\} ([0-9]+)/
    const given = /bytes_given_total\{source="fortuna"\} ([0-9]+)/
    /** Once nothing more is reported of what was answered before: workers report every second. */
    const settled = async (line: RegExp): Promise<number> => {
        let [before, now] = [-1, await read(line)]
        while (now !== before) {
            await sleep(1100)
            ;[before, now] = [now, await read(line)]
        }
        return now
    }
    const [answered, before] = [await settled(streams), await settled(given)]
    const answer = await ask(`/v1/random?bytes=${bytes}`)
    while ((await read(streams)) < answered + 1) await sleep(50)
    expect(await read(given)).toBeLessThan(before + bytes)
    expect((await answer.arrayBuffer()).byteLength).toBe(bytes)
    while ((await read(given)) < before + bytes) await sleep(50)
    expect(await read(given)).toBe(before + bytes)
})

test("what a worker refuses by itself is counted, also on a route of this process", async () => {
    const refused = async (): Promise<number> => {
        const metrics = await (await ask("/metrics")).text()
        const line = /answers_total\{method="POST",route="\/draw\/:name",status="401"\} ([0-9]+)/
        return Number(line.exec(metrics)?.[1] ?? 0)
    }
    const before = await refused()
    for (let times = 0; times < 4; times++) await fetch(`${url}/draw/party`, { method: "POST" })
    while ((await refused()) < before + 4) await sleep(50)
    expect(await refused()).toBe(before + 4)
})

test("workers leave signals of the terminal to this process", async () => {
    const before = http.workers?.pids ?? []
    for (const pid of before) process.kill(pid, "SIGINT")
    await sleep(100)
    expect((await ask("/v1/random?bytes=8")).status).toBe(200)
    expect(http.workers?.pids).toEqual(before)
})

test("a worker that dies is replaced, and the others go on", async () => {
    const [victim = 0] = http.workers?.pids ?? []
    process.kill(victim, "SIGKILL")
    while (http.workers?.deaths !== 1) await sleep(10)
    expect((await ask("/v1/random?bytes=8")).status).toBe(200)
    while (http.workers.pids.length < 2) await sleep(10)
    expect(http.workers.pids).not.toContain(victim)
    for (let times = 0; times < 8; times++) expect((await ask("/v1/random?bytes=8")).status).toBe(200)
})

test("one that ends while node:cluster answers it is replaced, and this process goes on", async () => {
    const before = http.workers?.deaths ?? 0
    // The newest, since the port goes with the last one that has it.
    const victim = Object.values(cluster.workers ?? {}).at(-1)
    // As node:child_process says it, of an answer to a question for a port.
    victim?.process.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }))
    while (http.workers?.deaths !== before + 1) await sleep(10)
    while (http.workers.pids.length < 2) await sleep(10)
    for (let times = 0; times < 8; times++) expect((await ask("/v1/random?bytes=8")).status).toBe(200)
})

test("one that cannot listen in a dead one's place is replaced too, until it can", async () => {
    const port = await freePort()
    const settings = { ...options.settings, port, workers: 1, socket: undefined, host: "127.0.0.1" }
    const alone = await startHttp({ ...options, settings })
    process.kill(alone.workers?.pids[0] ?? 0, "SIGKILL")
    while (alone.workers?.deaths !== 1) await sleep(5)
    // The port went with the last worker, and the next one is not there yet.
    const squatter = createServer().listen(port, "127.0.0.1")
    await once(squatter, "listening")
    const died = (): number => alone.workers?.deaths ?? 0
    while (died() < 3) await sleep(20)
    squatter.close()
    await once(squatter, "close")
    while (!(await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined))?.ok) await sleep(50)
    await alone.close()
})

test("one that cannot be started in a dead one's place is started once it can", async () => {
    const { workers } = http
    const { deaths = 0 } = workers ?? {}
    // The system refuses to start a process with a variable of this size (E2BIG of execve(2)).
    process.env.TALLYLIGHT_LARGE = "x".repeat(2 ** 20)
    process.kill(workers?.pids[0] ?? 0, "SIGKILL")
    while (workers?.deaths !== deaths + 1) await sleep(5)
    expect(() => cluster.fork()).toThrow("E2BIG")
    // Some times that it is tried in vain.
    await sleep(700)
    expect(workers.pids).toHaveLength(1)
    delete process.env.TALLYLIGHT_LARGE
    while (workers.pids.length < 2) await sleep(10)
    for (let times = 0; times < 8; times++) expect((await ask("/v1/random?bytes=8")).status).toBe(200)
})

test("one that dies while others still start is replaced too", async () => {
    const [first, pid, go] = ["first", "pid", "go"].map((name) => join(folder, name))
    // The first says when it listens; the others wait.
    const program = join(folder, "slow-worker.mjs")
    await writeFile(
        program,
        `import { existsSync, mkdirSync, writeFileSync } from "node:fs"
        import { setTimeout as sleep } from "node:timers/promises"
        let isFirst = true
        try { mkdirSync(${JSON.stringify(first)}) } catch { isFirst = false }
        const send = process.send.bind(process)
        process.send = (message, ...others) => {
            const sent = send(message, ...others)
            if (isFirst && message.kind === "listening")
                send({ kind: "counted", counted: { answers: new Map(), bytes: new Map() } }, () =>
                    writeFileSync(${JSON.stringify(pid)}, String(process.pid)))
            return sent
        }
        while (!isFirst && !existsSync(${JSON.stringify(go)})) await sleep(5)
        await import(${JSON.stringify(new URL("worker.ts", import.meta.url).href)})`,
    )
    const others = Object.keys(cluster.workers ?? {}).length
    const starting = startHttp({
        ...{ ...options, settings: { ...options.settings, socket: undefined, port: await freePort() } },
        program: { ...options.program, url: pathToFileURL(program) },
    })
    while (!existsSync(pid ?? "") || (await readFile(pid ?? "", "utf8")) === "") await sleep(5)
    process.kill(Number(await readFile(pid ?? "", "utf8")), "SIGKILL")
    while (Object.keys(cluster.workers ?? {}).length > others + 1) await sleep(5)
    await writeFile(go ?? "", "")
    const { workers, close } = await starting
    while (workers?.pids.length !== 2) await sleep(5)
    expect(workers.deaths).toBe(1)
    await close()
})

test("a port that is taken is told in a sentence, and no worker is left", async () => {
    const port = Number(new URL(url).port)
    const settings = { ...options.settings, port, socket: undefined, host: "127.0.0.1" }
    const other = await startHttp({ ...options, settings: { ...settings, workers: 0, port: 0 } })
    const taken = Number(new URL(other.urls[0] ?? "").port)
    await expect(startHttp({ ...options, settings: { ...settings, port: taken } })).rejects.toThrow(
        `port ${taken} of 127.0.0.1 is taken`,
    )
    await other.close()
})

test("closing ends the workers, also those with a connection that is stuck", async () => {
    const pids = http.workers?.pids ?? []
    const stuck = await ask("/v1/random?bytes=1000000000")
    expect(stuck.status).toBe(200)
    await http.close()
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH")
    await expect(fetch(`${url}/healthz`)).rejects.toThrow()
    await stuck.body?.cancel().catch(() => undefined)
})
