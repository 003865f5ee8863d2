/** Keys that were stolen: their registrations are ended with the commands that people have for it. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine, said } from "../processes/run.ts"
import type { Ended, Running } from "../processes/run.ts"
import { Stage } from "./stage.ts"

let stage: Stage
let url: string
let server: Running

beforeEach(async () => {
    stage = await Stage.make()
    const chain = { expectedContributors: 1, registrationRounds: 1000 }
    await writeFile(join(stage.folder, "pdl.jsonc"), JSON.stringify({ chain }))
    server = stage.start("pdl", "--json", "--config", "pdl.jsonc", "--url", "http://127.0.0.1:0")
    url = (JSON.parse(await nextLine(server)) as { readonly url: string }).url
})
afterEach(() => stage.clear())

async function made(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await stage.run(...args)
    expect([code, stderr]).toEqual([0, stderr])
    return stdout.trim()
}

async function end(running: Running): Promise<void> {
    running.kill("SIGTERM")
    expect((await running.ended).code).toBe(0)
}

const revoke = (role: string, data: string, ...more: readonly string[]): Promise<Ended> =>
    stage.run(role, "revoke", "--data", data, "--url", url, ...more)

type Revoked = {
    readonly identity: string
    readonly index: number
    readonly receipt: { readonly index: number } | null
}

async function revoked(role: string, data: string, ...more: readonly string[]): Promise<Revoked> {
    const { code, stdout, stderr } = await revoke(role, data, "--yes", "--json", ...more)
    expect([code, stderr]).toEqual([0, ""])
    return JSON.parse(stdout) as Revoked
}

async function verify(): Promise<void> {
    expect(await made("observer", "verify", "--url", url)).toContain("everything holds, up to here")
}

test("one of two parties ends, and the other goes on; again is no news", async () => {
    await made("party", "init", "--data", "pair", "--count", "2")
    const [first = "", second = ""] = (await made("party", "identity", "--data", "pair")).split("\n")
    await made("requester", "init", "--data", "requester")
    const pair = ["party", "--data", "pair", "--count", "2", "--url", url]
    const running = stage.start(...pair)
    await said(running, second.slice(0, 12))

    const inUse = await revoke("party", "pair", "--party", "1", "--yes")
    expect(inUse).toMatchObject({ code: 1, stdout: "" })
    expect(inUse.stderr).toContain(`is in use by process ${running.pid}; stop that first`)
    await end(running)

    const unasked = await revoke("party", "pair", "--party", "1")
    expect(unasked).toMatchObject({ code: 2, stdout: "" })
    expect(unasked.stderr).toContain("add --yes")
    const which = await revoke("party", "pair", "--yes")
    expect(which).toMatchObject({ code: 1, stdout: "" })
    expect(which.stderr).toContain("are 1, 2: say with --party which to revoke")

    const once = await revoked("party", "pair", "--party", "1")
    expect(once).toMatchObject({ identity: first, receipt: { index: once.index } })
    expect(await revoked("party", "pair", "--party", "1")).toEqual({ ...once, receipt: null })
    const words = await revoke("party", "pair", "--party", "1", "--yes")
    expect(words.stdout).toBe(`${first} is revoked already: entry ${once.index}\n`)
    await verify()

    const again = stage.start(...pair)
    stage.start("requester", "--data", "requester", "--url", url, "--interval", "0.5")
    await said(again, "revoked with its own key, which is for ever")
    await said(again, "contribution")
    expect(again.remarks()).not.toContain("refused")
})

test("a requester ends, and does not start again", async () => {
    const identity = (JSON.parse(await made("requester", "init", "--data", "one", "--json")) as Revoked)
        .identity
    const running = stage.start("requester", "--data", "one", "--url", url)
    await said(running, "registered")
    await end(running)
    expect(await revoked("requester", "one")).toMatchObject({ identity })
    await verify()
    const again = await stage.run("requester", "--data", "one", "--url", url)
    expect(again.code).toBe(1)
    expect(again.stderr).toContain("revoked, which is for ever")
})

test("a committee's member cannot end it; the one who registered it can", async () => {
    const dealt = await made(
        "requester",
        "keygen",
        "--committee",
        "2/2",
        "--out",
        "all",
        "--url",
        url,
        "--json",
    )
    const { committee } = JSON.parse(dealt) as { readonly committee: string }
    const member = await revoke("requester", "all/member-2", "--yes")
    expect(member).toMatchObject({ code: 1, stdout: "" })
    expect(member.stderr).toContain("the key of a single member cannot be revoked")
    const running = stage.start("requester", "--data", "all/member-1", "--url", url)
    await said(running, "registered")
    await end(running)
    expect(await revoked("requester", "all/member-1")).toMatchObject({ identity: committee })
    await said(stage.start("requester", "--data", "all/member-2", "--url", url), "this committee was revoked")
})

test("an entropy node ends, and says so when it is started again", async () => {
    await made("entropy-node", "init", "--data", "node")
    const identity = await made("entropy-node", "identity", "--data", "node")
    const node = ["entropy-node", "--data", "node", "--simulated", "--port", "0", "--url", url]
    const running = stage.start(...node)
    await said(running, "registration")
    await end(running)
    expect(await revoked("entropy-node", "node")).toMatchObject({ identity })
    await verify()
    await said(stage.start(...node), "the registration of this node was revoked")
})

test("what cannot be is told in a sentence, and nothing is logged", async () => {
    await made("party", "init", "--data", "one")
    const [identity = ""] = (await made("party", "identity", "--data", "one")).split("\n")
    const stranger = await revoke("party", "one", "--yes")
    expect(stranger).toMatchObject({ code: 1, stdout: "" })
    expect(stranger.stderr).toContain(`${identity} was never registered on chain`)
    const nobody = await revoke("party", "one", "--yes", "--party", "2")
    expect(nobody).toMatchObject({ code: 1, stdout: "" })
    expect(nobody.stderr).toContain("there is no party 2")
    const otherKey = await revoke("party", "one", "--yes", "--ledger-key", `${"58".repeat(31)}66`)
    expect(otherKey).toMatchObject({ code: 1, stdout: "" })
    expect(otherKey.stderr).toContain("not with the key that was given")
    const nowhere = await revoke("party", "nowhere", "--yes")
    expect(nowhere).toMatchObject({ code: 1, stdout: "" })
    expect(nowhere.stderr).toContain("nowhere is no data directory")
    server.kill("SIGKILL")
    await server.ended
    const unreachable = await revoke("party", "one", "--yes")
    expect(unreachable).toMatchObject({ code: 1, stdout: "" })
    expect(unreachable.stderr).toContain("nothing listens at")
})
