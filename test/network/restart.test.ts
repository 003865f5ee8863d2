import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine, nextLines } from "../processes/run.ts"
import { Stage } from "./stage.ts"
import type { Running } from "../processes/run.ts"

let stage: Stage

beforeEach(async () => {
    stage = await Stage.make()
})
afterEach(() => stage.clear())

type Listening = { readonly url: string; readonly chain: string; readonly data: string }

async function startServer(url: string): Promise<{ server: Running; listening: Listening }> {
    const server = stage.start("pdl", "--json", "--url", url)
    return { server, listening: JSON.parse(await nextLine(server)) as Listening }
}

test("a ledger server that is killed in a round goes on with it, and its ledger verifies", async () => {
    const { server, listening } = await startServer("http://127.0.0.1:0")
    const { url, chain } = listening
    stage.start("requester", "--url", url, "--interval", "0.5")
    stage.start("party", "--url", url, "--count", "3")
    // In another terminal, without arguments but the address: it makes a directory of its own.
    stage.start("party", "--url", url, "--count", "2")
    const watch = stage.start("observer", "watch", "--json", "--url", url)
    const before = await nextLines(watch, 2)

    server.kill("SIGKILL")
    await server.ended
    const again = await startServer(url)
    expect(again.listening.chain).toBe(chain)

    const lines = [...before, ...(await nextLines(watch, 3))]
    const rounds = lines.map((line) => (JSON.parse(line) as { round: number }).round)
    // Neither lost nor repeated: void rounds are the only gaps, and this network has none.
    expect(rounds).toEqual(rounds.map((_, at) => (rounds[0] ?? 0) + at))

    const verified = await stage.run("observer", "verify", "--url", url, "--json")
    expect(verified.code, verified.stdout + verified.stderr).toBe(0)
    const exported = await stage.run("observer", "export", "--url", url, "--out", "exported")
    expect(exported.code, exported.stderr).toBe(0)
    const offline = await stage.run("observer", "verify", "--dir", "exported", "--json")
    expect(offline.code, offline.stdout + offline.stderr).toBe(0)
    expect(offline.stdout.trimEnd().split("\n")).toHaveLength(1)
})

test("a taken port and a folder that nobody made are told in a sentence", async () => {
    const { listening } = await startServer("http://127.0.0.1:0")
    const second = await stage.run("pdl", "--url", listening.url, "--data", "elsewhere")
    expect(second.code).toBe(1)
    expect(second.stderr).toContain("pdl init --data elsewhere")
    expect((await stage.run("pdl", "init", "--data", "elsewhere")).code).toBe(0)
    const third = await stage.run("pdl", "--url", listening.url, "--data", "elsewhere")
    expect(third.code).toBe(1)
    expect(third.stderr).toContain("is taken")
    const wrong = await stage.run("pdl", "--colour")
    expect(wrong.code).toBe(2)
})
