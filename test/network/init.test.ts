import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { z } from "zod"
import { Stage } from "./stage.ts"

const packageJson = z.object({ version: z.string() })

let stage: Stage

beforeEach(async () => {
    stage = await Stage.make()
})
afterEach(() => stage.clear())

async function made(app: string, ...args: readonly string[]): Promise<unknown> {
    const { code, stdout, stderr } = await stage.run(app, ...args, "--data", app, "--json")
    expect(code, stderr).toBe(0)
    return JSON.parse(stdout)
}

test("init says what it made as one JSON object, as other commands name it", async () => {
    const first = await made("pdl", "init")
    const second = await made("pdl", "add-chain", "--name", "second")
    expect([first, second]).toMatchObject([
        { data: "pdl", name: "local" },
        { data: expect.stringMatching(/pdl$/) as string, name: "second" },
    ])
    const { chains } = (await made("pdl", "chains")) as { chains: readonly { readonly id: string }[] }
    expect(chains.map(({ id }) => ({ chain: id }))).toMatchObject(
        [first, second].map((each) => ({ chain: (each as { readonly chain: string }).chain })),
    )

    const identity = expect.stringMatching(/^[0-9a-f]{64}$/) as string
    expect(await made("requester", "init")).toEqual({ data: "requester", identity })
    const { parties } = (await made("party", "init", "--count", "2")) as { parties: readonly object[] }
    const identities = await stage.run("party", "identity", "--data", "party", "--json")
    expect(parties.map((party) => `${JSON.stringify(party)}\n`).join("")).toBe(identities.stdout)
})

test("--version says which one it is", async () => {
    const { version } = packageJson.parse(
        JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")),
    )
    expect(await stage.run("--version")).toMatchObject({
        code: 0,
        stdout: `tallylight ${version}\n`,
        stderr: "",
    })
})

describe("a command line that is wrong whatever else is the case", () => {
    test.each([
        ["pdl admit zz --operator-key operator.key", "argument 'identity'. No identity"],
        ["pdl --tls-cert cert.pem", "--tls-cert and --tls-key need each other"],
        ["pdl init --tls-key key.pem", "--tls-cert and --tls-key need each other"],
        ["pdl --url ftp://x", "option '--url <url>' argument 'ftp://x' is invalid"],
        ["party --url ftp://x", "option '--url <url>' argument 'ftp://x' is invalid"],
        ["requester --chain xx", "option '--chain <id>' argument 'xx' is invalid"],
        ["requester keygen --url x --committee 2/3 --out c", "option '--url <url>' argument 'x' is invalid"],
        ["observer inspect foo", "argument 'what'. A number is needed"],
        ["observer inspect 1 --ledger-key abc", "option '--ledger-key <key>' argument 'abc' is invalid"],
        ["observer verify-pulse --url ftp://x", "option '--url <url>' argument 'ftp://x' is invalid"],
        ["demo --url here", "option '--url <url>' argument 'here' is invalid"],
    ])("%s ends with 2", async (line, problem) => {
        const { code, stdout, stderr } = await stage.run(...line.split(" "))
        expect(stderr).toContain(problem)
        expect({ code, stdout }).toEqual({ code: 2, stdout: "" })
    })

    test("is told from a file that is wrong, which ends with 1", async () => {
        await writeFile(join(stage.folder, "party.jsonc"), '{ "url": "ftp://x" }')
        const { code, stderr } = await stage.run("party", "--config", "party.jsonc")
        expect(stderr).toContain("“ftp://x” is no address")
        expect(code).toBe(1)
    })
})

test("--help of a command shows what it takes from those above it", async () => {
    const shown = async (...words: string[]): Promise<string> => (await stage.run(...words, "--help")).stdout
    for (const command of ["admit", "remove", "admitted", "doctor"]) {
        const help = await shown("pdl", command)
        for (const option of ["--config", "--data", "--url", "--json", "--tls-cert"])
            expect(help).toContain(option)
    }
    for (const app of ["party", "requester", "entropy-node"]) {
        const help = await shown(app, "doctor")
        for (const option of ["--config", "--data", "--url", "--chain", "--json"])
            expect(help).toContain(option)
    }
})
