/** Chains of one data directory on a disk, with a second writer as the fault. */
import { access, cp, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { initDataDir, lookIntoDataDir, openDataDir } from "@tallylight/node/data-dir.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { newRegistry } from "@tallylight/node/metrics.js"
import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { makePartyRegistration } from "@tallylight/protocol/chain/party.js"
import { seedSigner } from "@tallylight/protocol/chain/signer.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { ownThread } from "@tallylight/protocol/ports/verifier.js"
import type { Receipt } from "@tallylight/protocol/wire/messages.js"
import { fastify } from "fastify"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import type { Chain } from "../chain/chain.ts"
import { limitNames, pdlConfig } from "../config.ts"
import { addReadSide } from "../http/read-side.ts"
import { PdlMetrics } from "../metrics/pdl-metrics.ts"
import { ProofPool } from "../proofs/pool.ts"
import { runPdl } from "../run.ts"
import { chainFolder, chainFolders, ledgerPath } from "./chain-folder.ts"
import { makeChain } from "./create.ts"
import { HostedChain } from "./hosted-chain.ts"
import { readChains } from "./read-chains.ts"

const config = pdlConfig.parse({ port: 0 })
const log = makeLogger({ name: "pdl", level: "silent" })

let folder: string
let dir: DataDir
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-chains-"))
    const path = join(folder, "pdl")
    await initDataDir(path, "pdl", async (made) => {
        await makeChain(made, { ...config.chain, name: "Main net" })
    })
    dir = await openDataDir({ path, named: true, role: "pdl" })
})
afterEach(async () => {
    await dir.release()
    await rm(folder, { recursive: true })
})

function register(chain: Chain): Promise<Receipt> {
    const signer = seedSigner(new Uint8Array(32).fill(1))
    const made = makePartyRegistration(chain.chain, { signer, vrfSeed: signer.publicKey }, 0)
    return chain.acceptance.accept((time) => ({ ...made, kind: "party-registration", time }), {})
}

/** What another process with the same file could do: the server's next append does not find the head it expects. */
async function rewriteCheckpoint(rewrite: (checkpoint: string) => string): Promise<void> {
    const store = await openSqliteStore(ledgerPath(chainFolder(dir, "Main net")), { create: false })
    const head = await store.head()
    await store.append(head, [], rewrite(head.checkpoint))
    await store.close()
}

const spoil = (): Promise<void> => rewriteCheckpoint((checkpoint) => `spoilt ${checkpoint}`)
const mend = (): Promise<void> => rewriteCheckpoint((checkpoint) => checkpoint.replace("spoilt ", ""))

describe("a data directory", () => {
    test("has a folder for each chain, none for what a crash left of one", async () => {
        await makeChain(dir, { ...config.chain, name: "second" })
        await mkdir(dir.file("chains/third.new"))
        await writeFile(dir.file("chains/notes.txt"), "")
        expect((await chainFolders(dir)).map(({ name }) => name)).toEqual(["main-net", "second"])
        await makeChain(dir, { ...config.chain, name: "third" })
        const listed = await readChains(await lookIntoDataDir(dir.path, "pdl"))
        expect(listed.map(({ name, size }) => [name, size])).toEqual([
            ["Main net", 1],
            ["second", 1],
            ["third", 1],
        ])
        expect(new Set(listed.map(({ id }) => id)).size).toBe(3)
        await expect(access(dir.file("chains/third.new"))).rejects.toThrow("ENOENT")
    })

    test.each(["Main net", "main-net", "MAIN.NET"])("has no second chain named %s", async (name) => {
        await expect(makeChain(dir, { ...config.chain, name })).rejects.toThrow("choose another with --name")
    })

    test("has no second chain of that name where the folder of the first has another one", async () => {
        await rename(dir.file("chains/main-net"), dir.file("chains/main"))
        for (const name of ["Main net", "main-net"])
            await expect(makeChain(dir, { ...config.chain, name })).rejects.toThrow(
                "is called Main net: no two",
            )
        await makeChain(dir, { ...config.chain, name: "second" })
    })

    test("does not run two copies of a chain", async () => {
        await cp(dir.file("chains/main-net"), dir.file("chains/copy"), { recursive: true })
        const running = runPdl(dir, config, log, new AbortController().signal, () => undefined)
        await expect(running).rejects.toThrow("are the same chain")
    })

    test("says which chain has the keys of another", async () => {
        await makeChain(dir, { ...config.chain, name: "second" })
        const keys = dir.file("chains/second/keys")
        await rm(keys, { recursive: true })
        await cp(dir.file("chains/main-net/keys"), keys, { recursive: true })
        const running = runPdl(dir, config, log, new AbortController().signal, () => undefined)
        await expect(running).rejects.toThrow(dirname(keys))
    })
})

describe("a chain that stops by a fault", () => {
    const stop = new AbortController()
    const pool = new ProofPool([ownThread(() => Promise.resolve())])
    const clock = new ManualClock(systemClock.now())
    const metrics = new PdlMetrics(newRegistry(), clock, limitNames(config.limits))
    /** What was logged for operators to see, of this one chain. */
    const logged: string[] = []
    const note = (_: unknown, msg: string): void => void logged.push(msg)
    const noting = { child: () => noting, debug: () => undefined, info: note, warn: note, error: note }
    const means = { limits: config.limits, log: noting as never, clock, metrics, pool }

    async function hosted(): Promise<HostedChain> {
        const [first] = await chainFolders(dir)
        if (first === undefined) throw new Error("no chain")
        return HostedChain.open(first, means)
    }

    test("ends the process where it was the last one", async () => {
        const only = await hosted()
        const running = only.run(
            stop.signal,
            () => true,
            () => undefined,
        )
        await spoil()
        await expect(register(only.chain)).rejects.toThrow("stopping")
        await expect(running).rejects.toThrow("the head is no longer the expected one")
        await only.close()
    })

    test("answers nothing, and is opened again where others go on", async () => {
        const broken = await hosted()
        const before = broken.chain
        const reopened = new Promise<void>((resolve) => {
            void broken.run(stop.signal, () => false, resolve)
        })
        const http = fastify()
        addReadSide(http, {
            chains: new Map([[broken.id, before]]),
            unready: () => [],
            onFailure: () => undefined,
        })
        const at = `/v1/chains/${broken.id}`
        expect((await http.inject(at)).statusCode).toBe(200)
        await spoil()
        await expect(register(before)).rejects.toThrow("stopping")
        const refused = await http.inject(at)
        expect(refused.statusCode).toBe(503)
        expect(refused.json()).toMatchObject({ code: "shutting-down", facts: {} })
        expect(refused.json<{ detail: string }>().detail).toMatch(/^shutting-down: This chain is stopped/)
        expect((await http.inject("/v1/chains")).json()).toMatchObject({ chains: [{ phase: "stopped" }] })
        await vi.waitUntil(() => means.clock.waiting > 0)
        await mend()
        await means.clock.advance(60_000)
        await reopened
        expect(logged.filter((msg) => msg.startsWith("chain"))).toEqual(["chain stopped", "chain open again"])
        expect(broken.chain.stopped).toBe(false)
        expect(await register(broken.chain)).toMatchObject({ index: 1 })
        stop.abort()
        await broken.close()
    })
})
