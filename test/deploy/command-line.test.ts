/** The command lines in the documents are ones that the program takes. */
import { readdir, readFile } from "node:fs/promises"
import { describe, expect, test } from "vitest"
import { commandProblem } from "./command-line.ts"

const root = new URL("../../", import.meta.url)

test.each([
    "pdl",
    "pdl init --config pdl.jsonc --data d",
    "pdl admit 00 11 --operator-key operator.key --url https://beacon.example.org",
    "party revoke --data d --party 2 3 --yes",
    "entropy-node --simulated --data d",
    "entropy-node --data d identity --json",
    "observer verify-pulse --file a b --certificate c",
])("tallylight %s is known", (line) => {
    expect(commandProblem(line.split(" "))).toBeUndefined()
})

test.each([
    ["ledger", "there is no role ledger"],
    ["pdl --simulated", "pdl has no option --simulated"],
    ["entropy-node --data", "--data needs a value"],
    ["entropy-node --data --json", "--data needs a value"],
    ["entropy-node nurse", "entropy-node takes no nurse"],
    ["party init --operator-key k", "init has no option --operator-key"],
])("tallylight %s is refused", (line, problem) => {
    expect(commandProblem(line.split(" "))).toBe(problem)
})

/** Lines of code of a document, as they would be typed; what a shell would do with them is left out. */
async function commandsIn(document: string): Promise<string[]> {
    const text = await readFile(new URL(document, root), "utf8")
    const lines = text
        .replace(/\\\n */g, "")
        .matchAll(/^(?:\/\/ +tallylight|.*\bbin\/tallylight\.mjs|network run --rm \S+) (.*)$/gm)
    return [...lines].map(([, words = ""]) => words.replace(/(?:\s+#|\s*[|>`]|\s+&|…).*$/, "").trim())
}

const documents = [
    "README.md",
    ...(await readdir(new URL("docs/", root))).map((name) => `docs/${name}`),
    ...(await readdir(new URL("config/", root))).map((name) => `config/${name}`),
].filter((name) => /\.(md|jsonc)$/.test(name))

describe("the command lines in the documents", () => {
    test("are found", async () => {
        expect(await commandsIn("docs/OPERATING.md")).toContain("pdl chains --data /var/lib/tallylight/pdl")
        expect(await commandsIn("config/party.jsonc")).toHaveLength(2)
    })

    test.each(documents)("of %s are known", async (name) => {
        const wrong = (await commandsIn(name)).map((line) => ({
            line,
            problem: commandProblem(line.split(/ +/)),
        }))
        expect(wrong.filter(({ problem }) => problem !== undefined)).toStrictEqual([])
    })
})
