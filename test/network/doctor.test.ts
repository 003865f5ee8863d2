/** `doctor` of all three apps, beside those that run and where something is wrong. */
import { cp, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine, said } from "../processes/run.ts"
import type { Running } from "../processes/run.ts"
import { Stage } from "./stage.ts"

let stage: Stage
beforeEach(async () => {
    stage = await Stage.make()
})
afterEach(() => stage.clear())

type Check = { readonly name: string; readonly verdict: string; readonly says: string }
type Listening = { readonly url: string; readonly chain: string }
type Report = { readonly healthy: boolean; readonly checks: readonly Check[] }

async function doctor(app: string, ...args: string[]): Promise<{ code: number | null; report: Report }> {
    const { code, stdout, stderr } = await stage.run(app, "doctor", "--json", ...args)
    if (stdout === "") throw new Error(stderr)
    return { code, report: JSON.parse(stdout) as Report }
}

const failed = ({ checks }: Report): Check[] => checks.filter(({ verdict }) => verdict === "fail")

test("all is well beside a running network, and each thing that is not has its line", async () => {
    const server = stage.start("pdl", "--json", "--url", "http://127.0.0.1:0")
    const listening = JSON.parse(await nextLine(server)) as Listening
    const { url, chain } = listening
    stage.start("party", "--url", url)
    stage.start("requester", "--url", url, "--interval", "0.5")
    const watch = stage.start("observer", "watch", "--json", "--url", url)
    await nextLine(watch)

    for (const app of ["pdl", "party", "requester"]) {
        const { code, report } = await doctor(app, "--url", url, ...(app === "pdl" ? [] : ["--chain", chain]))
        expect(failed(report), app).toEqual([])
        expect(code).toBe(0)
        expect(report.checks.find(({ name }) => name === "in use")?.says).toMatch(/^by process \d+$/)
    }
    // They took nothing away from those that run.
    await nextLine(watch)

    await writeFile(join(stage.folder, "party.jsonc"), '{ "colour": "red" }')
    const wrong = await doctor("party", "--config", "party.jsonc", "--url", url, "--chain", "00".repeat(32))
    expect(wrong.code).toBe(1)
    expect(wrong.report.healthy).toBe(false)
    expect(failed(wrong.report).map(({ name }) => name)).toEqual(["configuration", "chain"])

    server.kill("SIGKILL")
    await server.ended
    const text = await stage.run("party", "doctor", "--url", url)
    expect(text.code).toBe(1)
    expect(text.stdout).toMatch(/^FAIL {2}connection {8}127\.0\.0\.1 port \d+ takes none/m)
    expect(text.stdout).toMatch(/^ok {4}data directory/m)
    expect(text.stderr).toMatch(/of 14 checks failed$/m)
})

test("a server that goes on from an older copy of its ledger is told from the one that was seen", async () => {
    const serve = async (): Promise<[Running, Listening]> => {
        const server = stage.start("pdl", "--json", "--url", "http://127.0.0.1:0")
        return [server, JSON.parse(await nextLine(server)) as Listening]
    }
    const round = async ({ url }: Listening): Promise<void> => {
        const party = stage.start("party", "--url", url)
        const requester = await stage.run("requester", "--url", url, "--rounds", "1", "--interval", "0")
        expect(requester.code, requester.stderr).toBe(0)
        party.kill("SIGTERM")
        expect((await party.ended).code).toBe(0)
    }
    const stop = async (server: Running): Promise<void> => {
        server.kill("SIGTERM")
        await server.ended
    }
    const data = join(stage.folder, "data/pdl")
    const copy = join(stage.folder, "copy")
    const [first, early] = await serve()
    await round(early)
    await stop(first)
    await cp(data, copy, { recursive: true })
    const [second, late] = await serve()
    await round(late)
    for (const app of ["party", "requester"])
        expect(failed((await doctor(app, "--url", late.url)).report), app).toEqual([])
    await stop(second)
    await rm(data, { recursive: true })
    await cp(copy, data, { recursive: true })
    const [, again] = await serve()
    for (const app of ["party", "requester"]) {
        const { code, report } = await doctor(app, "--url", again.url)
        expect(
            failed(report).map(({ name }) => name),
            app,
        ).toEqual(["ledger"])
        expect(failed(report)[0]?.says).toContain("it was cut short or replaced")
        expect(code).toBe(1)
    }
    // Which is what the app itself says.
    const ended = await stage.run("party", "--url", again.url)
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain("forked")
})

test("a party that its operator removed, or never admitted, has its line", async () => {
    const key = (await stage.run("pdl", "operator-key", "--out", "operator.key")).stdout.trim()
    await writeFile(
        join(stage.folder, "pdl.jsonc"),
        JSON.stringify({ chain: { admission: "listed", operatorKey: key } }),
    )
    const server = stage.start("pdl", "--json", "--config", "pdl.jsonc", "--url", "http://127.0.0.1:0")
    const { url } = JSON.parse(await nextLine(server)) as Listening
    const decide = async (what: string, ...identities: string[]): Promise<void> => {
        const decided = await stage.run(
            "pdl",
            what,
            ...identities,
            "--operator-key",
            "operator.key",
            "--url",
            url,
        )
        expect(decided.code, decided.stderr).toBe(0)
    }
    const check = async (wanted: string): Promise<Check | undefined> => {
        const { code, report } = await doctor("party", "--url", url)
        expect(code).toBe(0)
        return report.checks.find(({ name }) => name === wanted)
    }
    const admission = () => check("admission")
    expect((await stage.run("party", "init", "--count", "2")).code).toBe(0)
    expect(await check("keys")).toMatchObject({
        verdict: "warn",
        says: "of 2 parties, and count is 1: the others do not run",
    })
    const [first = "", second = ""] = (await stage.run("party", "identity")).stdout.trim().split("\n")
    await decide("admit", first)
    expect(await admission()).toMatchObject({ verdict: "warn", says: `${second} is not admitted` })
    await decide("admit", second)
    const parties = stage.start("party", "--count", "2", "--url", url)
    for (const identity of [first, second]) await said(parties, `"party":"${identity.slice(0, 12)}"`)
    expect(await admission()).toMatchObject({ verdict: "ok" })
    await decide("remove", second)
    expect(await admission()).toMatchObject({
        verdict: "warn",
        says: `${second} was removed by the operator`,
    })
})

test("an address that is none is a finding, also without a file", async () => {
    for (const app of ["party", "requester"]) {
        const { code, report } = await doctor(app, "--url", "ftp://x")
        expect(code).toBe(1)
        const server = failed(report).find(({ name }) => name === "server")
        expect(server?.says).toBe("“ftp://x” is no address")
    }
    expect((await stage.run("pdl", "doctor", "--url", "ftp://x")).code).toBe(2)
})
