/** `doctor` of all three apps, beside those that run and where something is wrong. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine } from "../processes/run.ts"
import { Stage } from "./stage.ts"

let stage: Stage
beforeEach(async () => {
    stage = await Stage.make()
})
afterEach(() => stage.clear())

type Check = { readonly name: string; readonly verdict: string; readonly says: string }
type Report = { readonly healthy: boolean; readonly checks: readonly Check[] }

async function doctor(app: string, ...args: string[]): Promise<{ code: number | null; report: Report }> {
    const { code, stdout, stderr } = await stage.run(app, "doctor", "--json", ...args)
    if (stdout === "") throw new Error(stderr)
    return { code, report: JSON.parse(stdout) as Report }
}

const failed = ({ checks }: Report): Check[] => checks.filter(({ verdict }) => verdict === "fail")

test("all is well beside a running network, and each thing that is not has its line", async () => {
    const server = stage.start("pdl", "--json", "--url", "http://127.0.0.1:0")
    const listening = JSON.parse(await nextLine(server)) as { url: string; chain: string }
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
    expect(text.stderr).toMatch(/of 12 checks failed$/m)
})
