/** A ledger server as its process runs it, in this one. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isatty } from "node:tty"
import { initDataDir, openDataDir } from "@tallylight/node/data-dir.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { afterEach, beforeEach, expect, test } from "vitest"
import { pdlConfig } from "./config.ts"
import { makeChain } from "./hosting/create.ts"
import { runPdl } from "./run.ts"

const config = pdlConfig.parse({ port: 0 })
const log = makeLogger({ name: "pdl", level: "silent" })

let dir: DataDir
beforeEach(async () => {
    const path = join(await mkdtemp(join(tmpdir(), "tallylight-run-")), "pdl")
    await initDataDir(path, "pdl", async (made) => {
        await makeChain(made, config.chain)
    })
    dir = await openDataDir({ path, named: true, role: "pdl" })
})
afterEach(async () => {
    await dir.release()
    await rm(join(dir.path, ".."), { recursive: true })
})

test("listens for SIGHUP from its first moment to its end, and no longer", async () => {
    const before = process.listenerCount("SIGHUP")
    const one = isatty(0) ? 0 : 1
    const stop = new AbortController()
    let running: Promise<void> | undefined
    const listening = new Promise<void>((resolve) => {
        running = runPdl(dir, config, log, stop.signal, () => resolve())
    })
    expect(process.listenerCount("SIGHUP")).toBe(before + one)
    await listening
    expect(process.listenerCount("SIGHUP")).toBe(before + one)
    stop.abort()
    await running
    expect(process.listenerCount("SIGHUP")).toBe(before)
})
