/** Ledgers as files and behind HTTP, with ways to spoil them. */
import { once } from "node:events"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { concatBytes, toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { appendLeaf, emptyRange, leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import { encodeEntryBundle, entriesPath, tilePath, tilesForSize } from "@tallylight/crypto/tiles.js"
import { Chain } from "@tallylight/pdl/chain/chain.js"
import { pdlConfig } from "@tallylight/pdl/config.js"
import { serve as servePdl } from "@tallylight/pdl/http/server.js"
import type { Server } from "@tallylight/pdl/http/server.js"
import { ProofPool } from "@tallylight/pdl/proofs/pool.js"
import type { Terminal } from "@tallylight/observer/terminal.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import type { Entry } from "@tallylight/protocol/ledger/entry.js"
import { MemoryStore } from "@tallylight/protocol/ports/memory-store.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { ownThread } from "@tallylight/protocol/ports/verifier.js"
import { honest, seal } from "@tallylight/protocol/sample/mutant.js"
import type { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"

/** By path. Whoever serves it reads it anew for each request, so a test may change it meanwhile. */
export type Files = Map<string, Uint8Array>

export const never = new AbortController().signal

/** The sample, prolonged by admissions until it has that many entries. */
export function longSample(size: number): SampleLedger {
    const sample = sampleLedger()
    const listed = sample.keys.parties[3]!.signer.publicKey
    for (let on = true; sample.entries.length < size; on = !on) sample.admit(listed, on)
    return sample
}

/** The files of a log of those entries, straight from the definition of a tile: MTH of each range. */
export function filesOf(sample: SampleLedger, entries: readonly Entry[] = sample.entries): Files {
    const bytes = entries.map(encodeEntry)
    const leaves = bytes.map(leafHash)
    const files: Files = new Map()
    for (const tile of tilesForSize(bytes.length)) {
        const first = tile.index * 256
        if (tile.kind === "entries") {
            const bundle = bytes.slice(first, first + tile.width)
            files.set(entriesPath(tile.index, tile.width), encodeEntryBundle(bundle))
            continue
        }
        const span = 256 ** tile.level
        const hashes = Array.from({ length: tile.width }, (_, i) =>
            rangeRoot(
                leaves.slice((first + i) * span, (first + i + 1) * span).reduce(appendLeaf, emptyRange),
            ),
        )
        files.set(tilePath(tile), concatBytes(...hashes))
    }
    return files.set("checkpoint", utf8(seal(sample, bytes, sample.keys.ledgerSeed)))
}

const folders: string[] = []
const open: (() => void)[] = []
const servers: Server[] = []

export async function newFolder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "tallylight-observer-"))
    folders.push(folder)
    return folder
}

export async function folderOf(files: Files): Promise<string> {
    const folder = await newFolder()
    for (const [path, bytes] of files) {
        await mkdir(dirname(join(folder, path)), { recursive: true })
        await writeFile(join(folder, path), bytes)
    }
    return folder
}

export type Served = {
    readonly url: string
    /** Paths within the log, in the order in which they were asked for. */
    readonly asked: string[]
    /** Statuses that the next answers for a path get instead of the file. */
    readonly failures: Map<string, number[]>
}

/** A list of chains with one chain in it, and its files under /log. */
export async function serve(chain: Uint8Array, files: Files): Promise<Served> {
    const id = toHex(chain)
    const asked: string[] = []
    const failures: Served["failures"] = new Map()
    const server = createServer(({ url = "" }, response) => {
        if (url === "/v1/chains")
            return void response.end(JSON.stringify({ chains: [{ id, name: "sample" }] }))
        const path = url.replace(`/v1/chains/${id}/log/`, "")
        asked.push(path)
        const failure = failures.get(path)?.shift()
        const file = files.get(path)
        if (failure !== undefined || file === undefined) return void response.writeHead(failure ?? 404).end()
        response.end(file)
    }).listen(0, "127.0.0.1")
    await once(server, "listening")
    open.push(() => {
        server.closeAllConnections()
        server.close()
    })
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, failures }
}

/** The read side of a real ledger server over those entries; its rounds stand still. */
export async function served(ledger: SampleLedger): Promise<string> {
    const { entries, checkpoint } = honest(ledger)
    const store = new MemoryStore()
    await store.append(await store.head(), entries, checkpoint)
    const config = pdlConfig.parse({ port: 0 })
    const clock = new ManualClock(ledger.time)
    const chain = await Chain.open({
        ...{ store, clock, keys: ledger.keys, random: ledger.random, limits: config.limits },
        ...{ requestTimeoutMs: 1000, backlog: 10, pauseMs: 1000 },
        proofs: new ProofPool([ownThread(() => Promise.resolve())]).open(),
        breathe: () => Promise.resolve(),
        onCommit: () => undefined,
        onUnanswered: () => undefined,
        onSkew: () => undefined,
        onFault: () => undefined,
    })
    const chains = new Map([[toHex(chain.chain), chain]])
    const readSide = { chains, unready: () => [], onFailure: () => undefined }
    const server = await servePdl(config, readSide, clock)
    servers.push(server)
    return server.url
}

export async function cleanUp(): Promise<void> {
    for (const server of servers.splice(0)) await server.close()
    for (const close of open.splice(0)) close()
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
}

export type Paper = Terminal & { readonly printed: () => string; readonly remarks: () => string }

export function paper(): Paper {
    let [printed, remarks] = ["", ""]
    const plain = (text: unknown): string => String(text)
    const colors = { bold: plain, dim: plain, green: plain, red: plain, yellow: plain }
    return {
        out: (text) => {
            printed += text
            return Promise.resolve()
        },
        err: (text) => (remarks += text),
        colors,
        errColors: colors,
        printed: () => printed,
        remarks: () => remarks,
    }
}

/** Changes one bit in the middle. */
export function spoil(files: Files, path: string): void {
    const bytes = files.get(path)!.slice()
    const at = Math.floor(bytes.length / 2)
    bytes[at] = bytes[at]! ^ 1
    files.set(path, bytes)
}
