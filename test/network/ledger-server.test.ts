/** What an operator does to a ledger server, and what it and `doctor` then say. */
import { cp, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { openSqliteStore } from "@tallylight/node/sqlite-store.js"
import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine, said } from "../processes/run.ts"
import { Stage } from "./stage.ts"

let stage: Stage
beforeEach(async () => {
    stage = await Stage.make()
})
afterEach(() => stage.clear())

type Listening = {
    readonly url: string
    readonly metrics?: string
    readonly chains: readonly { readonly id: string; readonly name: string }[]
}

test("SIGHUP does no harm where there is no certificate", async () => {
    const server = stage.start("pdl", "--json", "--url", "http://127.0.0.1:0")
    const { url } = JSON.parse(await nextLine(server)) as Listening
    server.kill("SIGHUP")
    await said(server, "there is no certificate to renew")
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    server.kill("SIGTERM")
    expect((await server.ended).code).toBe(0)
})

test("metrics at a free port say where they are, in the log and to programs", async () => {
    const server = stage.start("pdl", "--json", "--url", "http://127.0.0.1:0", "--metrics", "0")
    const { metrics = "" } = JSON.parse(await nextLine(server)) as Listening
    expect(await (await fetch(metrics)).text()).toContain("tallylight_ledger_entries")
    await said(server, `"url":"${metrics}","msg":"metrics"`)
})

type Report = { readonly checks: readonly { name: string; verdict: string; says: string }[] }

async function failures(...args: string[]): Promise<string[]> {
    const { code, stdout, stderr } = await stage.run("pdl", "doctor", "--json", ...args)
    if (stdout === "") throw new Error(stderr)
    const failed = (JSON.parse(stdout) as Report).checks.filter(({ verdict }) => verdict === "fail")
    expect(code).toBe(failed.length > 0 ? 1 : 0)
    return failed.map(({ name, says }) => `${name}: ${says}`)
}

test("doctor finds what the start refuses", async () => {
    const file = join(stage.folder, "pdl.jsonc")
    const where = ["--config", file, "--data", "pdl"]
    await writeFile(file, '{ "port": 17710, "metrics": { "enabled": true, "port": 17711 } }')
    expect((await stage.run("pdl", "init", ...where)).code).toBe(0)
    expect(await failures(...where)).toEqual([])

    await writeFile(
        file,
        '{ "host": "0.0.0.0", "port": 17710, "metrics": { "enabled": true, "port": 17710 } }',
    )
    await cp(join(stage.folder, "pdl/chains/local"), join(stage.folder, "pdl/chains/copy"), {
        recursive: true,
    })
    expect(await failures(...where)).toEqual([
        expect.stringMatching(/^configuration: other machines can reach 0\.0\.0\.0, over plain HTTP/),
        expect.stringMatching(/^chains: .* are the same chain/),
        expect.stringMatching(/^metrics: metrics could not be served/),
    ])
    const refused = await stage.run("pdl", ...where)
    expect(refused.stderr).toContain("other machines can reach 0.0.0.0")
    expect((await stage.run("pdl", ...where, "--allow-plain")).stderr).toContain("are the same chain")
})

test("doctor finds a chain that is stopped beside another one", async () => {
    expect((await stage.run("pdl", "init", "--data", "pdl")).code).toBe(0)
    expect((await stage.run("pdl", "add-chain", "--name", "other", "--data", "pdl")).code).toBe(0)
    const server = stage.start("pdl", "--json", "--data", "pdl", "--url", "http://127.0.0.1:0")
    const { url, chains } = JSON.parse(await nextLine(server)) as Listening
    const here = ["--data", "pdl", "--url", url]
    expect(await failures(...here)).toEqual([])

    // Another process writes into the file, so that the next append does not find what it expects.
    const store = await openSqliteStore(join(stage.folder, "pdl/chains/other/ledger.db"), { create: false })
    const head = await store.head()
    await store.append(head, [], `spoilt ${head.checkpoint}`)
    const other = chains.find(({ name }) => name === "other")?.id ?? ""
    stage.start("party", "--url", url, "--chain", other)
    await said(server, "chain stopped")
    await store.append({ ...head, checkpoint: `spoilt ${head.checkpoint}` }, [], head.checkpoint)
    await store.close()
    expect(await failures(...here)).toEqual([`address: not ready at ${url}: other is stopped`])
})
