/** A chain with a list, by the processes and commands with which people run one. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { nextLine, said } from "../processes/run.ts"
import type { Ended, Running } from "../processes/run.ts"
import { Stage } from "./stage.ts"

let stage: Stage
let url: string
let key: string

beforeEach(async () => {
    stage = await Stage.make()
    key = join(stage.folder, "operator.key")
})
afterEach(() => stage.clear())

async function serve(chain: object): Promise<Running> {
    await writeFile(join(stage.folder, "pdl.jsonc"), JSON.stringify({ chain }))
    const server = stage.start("pdl", "--json", "--config", "pdl.jsonc", "--url", "http://127.0.0.1:0")
    url = (JSON.parse(await nextLine(server)) as { url: string }).url
    return server
}

async function makeOperator(): Promise<string> {
    const made = await stage.run("pdl", "operator-key", "--out", key)
    expect(made.code, made.stderr).toBe(0)
    return made.stdout.trim()
}

/** A data directory of parties, and who they are. */
async function makeParties(data: string, count: number): Promise<string[]> {
    expect((await stage.run("party", "init", "--data", data, "--count", String(count))).code).toBe(0)
    const { stdout } = await stage.run("party", "identity", "--data", data)
    return stdout.trim().split("\n")
}

const decide = (what: "admit" | "remove", ...identities: string[]): Promise<Ended> =>
    stage.run("pdl", what, ...identities, "--operator-key", key, "--url", url, "--json")

async function registered(): Promise<string[]> {
    const { stdout } = await stage.run("pdl", "admitted", "--url", url, "--json")
    type Listed = { readonly identity: string; readonly registeredUntil: number | null }
    const all = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Listed)
    return all.filter(({ registeredUntil }) => registeredUntil !== null).map(({ identity }) => identity)
}

test("two are admitted and take part; a third waits, is admitted and takes part; one is removed", async () => {
    await serve({ admission: "listed", operatorKey: await makeOperator(), everyoneAnswers: true })
    const pair = await makeParties("pair", 2)
    const [third = ""] = await makeParties("third", 1)
    const [first = "", second = ""] = pair
    const both = await decide("admit", ...pair)
    expect(both.code, both.stderr).toBe(0)
    expect(both.stdout.trim().split("\n")).toHaveLength(2)
    stage.start("requester", "--url", url, "--interval", "0.5")
    stage.start("party", "--url", url, "--count", "2", "--data", "pair")
    const watch = stage.start("observer", "watch", "--url", url, "--json")
    const contributors = async (count: number): Promise<void> => {
        while ((JSON.parse(await nextLine(watch)) as { contributors: number }).contributors !== count);
    }
    await contributors(2)

    const waiting = stage.start("party", "--url", url, "--data", "third")
    await said(waiting, "give this identity to its operator")
    expect((await registered()).toSorted()).toEqual(pair.toSorted())

    expect((await decide("admit", third)).code).toBe(0)
    await contributors(3)

    expect((await decide("remove", second)).code).toBe(0)
    await contributors(2)
    expect((await registered()).toSorted()).toEqual([first, third].toSorted())
    await said(watch, `removed party ${second}`)
    const verified = await stage.run("observer", "verify", "--url", url)
    expect(verified.code, verified.stdout + verified.stderr).toBe(0)
})

test("what cannot be is told in a sentence, and nothing is logged", async () => {
    const server = await serve({ admission: "listed", operatorKey: await makeOperator() })
    const [party = "", stranger = ""] = await makeParties("pair", 2)
    expect((await decide("admit", party)).code).toBe(0)
    const again = await decide("admit", party)
    expect(again).toMatchObject({ code: 0, stdout: "", stderr: `${party} is admitted already\n` })
    const unknown = await decide("remove", stranger)
    expect(unknown).toMatchObject({ code: 1, stdout: "" })
    expect(unknown.stderr).toContain(`${stranger} is not admitted`)
    const weak = await decide("admit", "00".repeat(32))
    expect(weak).toMatchObject({ code: 2, stdout: "" })
    expect(weak.stderr).toContain("No identity")

    key = join(stage.folder, "another.key")
    await makeOperator()
    const wrong = await decide("admit", stranger)
    expect(wrong).toMatchObject({ code: 1, stdout: "" })
    expect(wrong.stderr).toContain("is not that of the operator")

    server.kill("SIGKILL")
    await server.ended
    const nobody = await decide("admit", stranger)
    expect(nobody).toMatchObject({ code: 1, stdout: "" })
    expect(nobody.stderr).toContain("nothing listens at")
})

test("an open chain has no list", async () => {
    await makeOperator()
    const [stranger = ""] = await makeParties("one", 1)
    await serve({})
    const open = await decide("admit", stranger)
    expect(open).toMatchObject({ code: 1, stdout: "" })
    expect(open.stderr).toContain("is open: whoever wants to registers")
})

test("a listed chain without an operator's key gets one, and one that is of no use is refused", async () => {
    await writeFile(join(stage.folder, "pdl.jsonc"), '{ "chain": { "admission": "listed" } }')
    const made = await stage.run("pdl", "init", "--config", "pdl.jsonc", "--data", "made")
    expect(made).toMatchObject({ code: 0 })
    expect(made.stderr).toMatch(/operator\.key, which admits and removes parties: move it/)
    const operatorKey = await makeOperator()
    await writeFile(join(stage.folder, "pdl.jsonc"), JSON.stringify({ chain: { operatorKey } }))
    const open = await stage.run("pdl", "init", "--config", "pdl.jsonc", "--data", "open")
    expect(open.code).toBe(1)
    expect(open.stderr).toContain("chain.operatorKey has no use on an open chain")
})
