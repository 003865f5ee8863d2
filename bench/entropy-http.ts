/** Amplified bytes of an entropy node: in process, over HTTP and HTTPS, beside a bare server and any that is named. */
import { execFile, fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { createCipheriv, randomBytes } from "node:crypto"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { FortunaGenerator } from "@tallylight/entropy/fortuna.js"
import { Amplifier, smallBytes } from "@tallylight/entropy-node/http/amplifier.js"
import { fortunaPrimitives } from "@tallylight/entropy-node/core/fortuna-primitives.js"
import { pieceBytes } from "@tallylight/entropy-node/http/stream.js"
import { TwinCore } from "@tallylight/entropy-node/http/twin-core.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { heapOptions, memoryVariables } from "@tallylight/entropy-node/http/worker-process.js"
import { makeCertificate } from "../test/certificates.ts"
import type { Load, Measured } from "./entropy-http-load.ts"
import { ratio, rates } from "./measure.ts"
import type { Row } from "./measure.ts"
import type { Table } from "./report.ts"

/** Of plain HTTP and HTTPS. */
type Addresses = { readonly http: string; readonly https: string }

const repetitions = 3
const measuredMs = 1000
const sizes = [64, 1024, 512 * 1024, 1024 * 1024] as const
const schemes = ["http", "https"] as const

/** More than two serve no more: client and servers share the cores. */
const processes = Math.min(2, availableParallelism())

export async function entropyHttp(): Promise<Table> {
    const folder = await mkdtemp(join(tmpdir(), "tallylight-bench-"))
    const children: ChildProcess[] = []
    const start = (program: string, ...args: readonly string[]): ChildProcess => {
        const execArgv = program.endsWith(".ts") ? ["--conditions=source", "--import", "tsx"] : heapOptions
        // As the node's own workers have it.
        const env = { ...memoryVariables, ...process.env }
        const child = fork(pathOf(program), args, { execArgv, env })
        children.push(child)
        return child
    }
    try {
        // The servers run what was built, as users' do.
        await promisify(execFile)(process.execPath, [pathOf("../scripts/build.mjs")])
        const { cert, key } = await makeCertificate()
        await writeFile(join(folder, "cert.pem"), cert)
        await writeFile(join(folder, "key.pem"), key, { mode: 0o600 })
        const own = await told<Addresses>(start("entropy-http-server.mjs", "ours", String(processes), folder))
        const bare = await told<Addresses>(
            start("entropy-http-server.mjs", "bare", String(processes), folder),
        )
        const client = start("entropy-http-load.ts")
        await told(client)
        const rows = await inProcess()
        for (const scheme of schemes)
            for (const bytes of sizes) {
                const peer = peerUrl(scheme)
                const urls = [own[scheme], bare[scheme], ...(peer === undefined ? [] : [peer])]
                rows.push(...(await compare(client, scheme, bytes, urls)))
            }
        return {
            name: "entropy-http",
            says:
                `GET /v1/random over 64 connections from another process, served by ${processes} processes; bare is ` +
                "node:http(s) with a pool of AES-256-CTR in as many" +
                (process.env.TALLYLIGHT_PEER_URL === undefined ? "" : "; peer is TALLYLIGHT_PEER_URL"),
            rows,
        }
    } finally {
        for (const child of children) if (child.connected) child.disconnect()
        for (const child of children) child.kill()
        await rm(folder, { recursive: true })
    }
}

function pathOf(program: string): string {
    return fileURLToPath(new URL(program, import.meta.url))
}

/** Of another server with the same route, such as the Go entropy-service; one for each scheme, with a comma between. */
function peerUrl(scheme: string): string | undefined {
    const urls = process.env.TALLYLIGHT_PEER_URL?.split(",") ?? []
    return urls.find((url) => url.startsWith(`${scheme}:`))
}

async function inProcess(): Promise<Row[]> {
    const amplifier = new Amplifier(
        new TwinCore(),
        new FortunaGenerator(fortunaPrimitives),
        { ms: Infinity, bytes: Infinity },
        systemClock,
    )
    await amplifier.refresh()
    const cipher = createCipheriv("aes-256-ctr", randomBytes(32), randomBytes(16))
    const zeros = new Uint8Array(2 ** 20)
    return [64, 2 ** 20].flatMap((bytes) => {
        const works = [
            {
                what: `in process, ${named(bytes)}`,
                run: () =>
                    bytes > smallBytes ? amplifier.takePieces(bytes, pieceBytes) : amplifier.take(bytes),
            },
            { what: "  AES-256-CTR", run: () => cipher.update(zeros.subarray(0, bytes)) },
        ]
        const [own, bare] = rates(works, repetitions, 300).map(({ what, values }) => {
            return { what, unit: "MB/s", values: values.map((rate) => (rate * bytes) / 1e6) }
        })
        return [own, bare, ratio("  ours / AES-256-CTR", own, bare)].filter((row) => row !== undefined)
    })
}

async function compare(
    client: ChildProcess,
    scheme: string,
    bytes: number,
    urls: readonly string[],
): Promise<Row[]> {
    const measured = urls.map((): Measured[] => [])
    for (let repetition = -1; repetition < repetitions; repetition++)
        for (const [at, url] of urls.entries()) {
            const load: Load = { url, bytes, ms: measuredMs }
            client.send(load)
            const result = await told<Measured>(client)
            if (repetition >= 0) measured[at]?.push(result)
        }
    const [own = [], bare = [], peer] = measured
    const rate = (what: string, results: readonly Measured[]): Row => ({
        what,
        ...(bytes < 65_536
            ? { unit: "requests/s", values: results.map(({ requests, seconds }) => requests / seconds) }
            : {
                  unit: "MB/s",
                  values: results.map(({ requests, seconds }) => (requests * bytes) / seconds / 1e6),
              }),
    })
    const [ours, others] = [rate(`${scheme}, ${named(bytes)}`, own), rate("  bare", bare)]
    return [
        ours,
        { what: "  median latency", unit: "ms", values: own.map(({ p50 }) => p50) },
        { what: "  99th percentile", unit: "ms", values: own.map(({ p99 }) => p99) },
        others,
        { what: "  bare, 99th percentile", unit: "ms", values: bare.map(({ p99 }) => p99) },
        ratio("  ours / bare", ours, others),
        ...(peer === undefined ? [] : [rate("  peer", peer), ratio("  ours / peer", ours, rate("", peer))]),
    ]
}

function named(bytes: number): string {
    if (bytes < 1024) return `${bytes} B`
    return bytes < 2 ** 20 ? `${bytes / 1024} KiB` : `${bytes / 2 ** 20} MiB`
}

function told<T>(child: ChildProcess): Promise<T> {
    return new Promise((resolve, reject) => {
        const ended = (): void => reject(new Error("a process of the benchmark ended by itself"))
        child.once("exit", ended)
        child.once("message", (message: T) => {
            child.off("exit", ended)
            resolve(message)
        })
    })
}
