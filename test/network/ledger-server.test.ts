/** What an operator does to a ledger server, and what it and `doctor` then say. */
import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine, said } from "../processes/run.ts"
import { Stage } from "./stage.ts"

let stage: Stage
beforeEach(async () => {
    stage = await Stage.make()
})
afterEach(() => stage.clear())

type Listening = { readonly url: string; readonly metrics?: string }

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
