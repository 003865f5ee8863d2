/** The container file and the compose file name what is there, and fit together. */
import { access, readFile } from "node:fs/promises"
import { posix } from "node:path"
import { fileURLToPath } from "node:url"
import { entropyNodeConfig } from "@tallylight/entropy-node/config.js"
import { loadConfig } from "@tallylight/node/config.js"
import { partyConfig } from "@tallylight/party/command.js"
import { pdlConfig } from "@tallylight/pdl/config.js"
import { requesterConfig } from "@tallylight/requester/config.js"
import { beforeAll, describe, expect, test } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import { commandProblem } from "./command-line.ts"

const root = new URL("../../", import.meta.url)
const deploy = new URL("deploy/", root)

const service = z.looseObject({
    image: z.string(),
    command: z.array(z.string()),
    environment: z.strictObject({ HEALTH_URL: z.url() }).optional(),
    volumes: z.array(z.string().regex(/^[^:]+:\/[^:]+(:ro)?$/)),
})
const compose = z.looseObject({
    services: z.record(z.string(), service),
    volumes: z.record(z.string(), z.null()),
})

function configOf<Schema extends z.ZodType>(role: string, schema: Schema): Promise<z.output<Schema>> {
    return loadConfig(schema, fileURLToPath(new URL(`compose/${role}.jsonc`, deploy)))
}

describe("compose.yaml", () => {
    let services: z.output<typeof compose>["services"]
    let volumes: string[]
    beforeAll(async () => {
        const text = await readFile(new URL("compose.yaml", deploy), "utf8")
        const all = compose.parse(parse(text, { merge: true }))
        services = all.services
        volumes = Object.keys(all.volumes)
    })

    test("runs a ledger server, an entropy node, two parties and a requester", () => {
        const roles = Object.values(services).map(({ command }) => command[0])
        expect(roles.toSorted()).toStrictEqual(["entropy-node", "party", "party", "pdl", "requester"])
    })

    test("starts commands that there are", () => {
        const problems = Object.values(services).map(({ command }) => commandProblem(command))
        expect(problems).toStrictEqual(problems.map(() => undefined))
    })

    test("mounts files that there are, and volumes that it declares", async () => {
        const used = new Set<string>()
        for (const { volumes: mounts } of Object.values(services)) {
            for (const [from = "", , mode] of mounts.map((mount) => mount.split(":"))) {
                if (!from.startsWith(".")) used.add(from)
                else {
                    await access(new URL(from, deploy))
                    expect(mode).toBe("ro")
                }
            }
        }
        expect([...used].toSorted()).toStrictEqual(volumes.toSorted())
    })

    test("gives each service its configuration, and a volume of its own for its data", () => {
        const owned = Object.values(services).map(({ command, volumes: mounts }) => {
            const at = (option: string) => command[command.indexOf(option) + 1] ?? ""
            const targets = new Map(
                mounts.map((mount) => mount.split(":").slice(0, 2).reverse() as [string, string]),
            )
            expect(targets.get(at("--config"))).toBe(`./compose/${command[0] ?? ""}.jsonc`)
            return targets.get(posix.dirname(at("--data")))
        })
        expect(owned).not.toContain(undefined)
        expect(new Set(owned).size).toBe(owned.length)
    })

    test("asks for the health of those who listen, at their ports", async () => {
        const [pdl, node] = [
            await configOf("pdl", pdlConfig),
            await configOf("entropy-node", entropyNodeConfig),
        ]
        const asked = Object.entries(services).map(([name, { environment }]) => [
            name,
            environment?.HEALTH_URL,
        ])
        expect(Object.fromEntries(asked)).toStrictEqual({
            pdl: `http://127.0.0.1:${pdl.port}/readyz`,
            "entropy-node": `http://127.0.0.1:${String(node.http.port)}/readyz`,
            "party-1": undefined,
            "party-2": undefined,
            requester: undefined,
        })
    })

    test("has everybody reach the ledger server, and parties the entropy node", async () => {
        const pdl = await configOf("pdl", pdlConfig)
        const [party, requester, node] = [
            await configOf("party", partyConfig),
            await configOf("requester", requesterConfig),
            await configOf("entropy-node", entropyNodeConfig),
        ]
        const url = `http://pdl:${pdl.port}`
        expect([party.url, requester.url, node.chains.map((chain) => chain.url)]).toStrictEqual([
            url,
            url,
            [url],
        ])
        expect(party.entropyNode?.url).toBe(`unix:${node.http.socket?.path ?? ""}`)
        const folder = posix.dirname(node.http.socket?.path ?? "")
        for (const name of ["entropy-node", "party-1", "party-2"])
            expect(services[name]?.volumes).toContain(`sockets:${folder}`)
    })
})

describe("Containerfile", () => {
    let instructions: { readonly name: string; readonly rest: string }[]
    beforeAll(async () => {
        const text = await readFile(new URL("Containerfile", deploy), "utf8")
        const lines = text
            .replace(/^#.*\n/gm, "")
            .replace(/\\\n\s*/g, "")
            .split("\n")
        instructions = lines
            .filter((line) => line.trim() !== "")
            .map((line) => {
                const [, name = "", rest = ""] = /^([A-Z]+) (.+)$/.exec(line) ?? []
                return { name, rest }
            })
    })
    const all = (wanted: string) => instructions.filter(({ name }) => name === wanted).map(({ rest }) => rest)

    test("is made of instructions, in stages of one base image with a Node that will do", async () => {
        const known = ["FROM", "RUN", "WORKDIR", "ENV", "COPY", "USER", "HEALTHCHECK", "ENTRYPOINT", "CMD"]
        expect(instructions.map(({ name }) => name).filter((name) => !known.includes(name))).toStrictEqual([])
        const images = all("FROM").map((rest) => rest.split(" ")[0])
        expect(images).toHaveLength(2)
        expect(new Set(images)).toStrictEqual(new Set(["docker.io/library/node:20-bookworm-slim"]))
        const { engines } = z
            .object({ engines: z.object({ node: z.string() }) })
            .parse(JSON.parse(await readFile(new URL("package.json", root), "utf8")))
        expect(engines.node).toMatch(/^>=20\./)
    })

    test("runs files that there are, as nobody in particular", async () => {
        const words = (rest: string) => z.array(z.string()).parse(JSON.parse(rest))
        const [entry = ""] = all("ENTRYPOINT")
        const [check = ""] = all("HEALTHCHECK")
        for (const [node, file = ""] of [words(entry), words(check.replace(/^.*CMD /, ""))]) {
            expect(node).toBe("node")
            await access(new URL(file, root))
        }
        expect(all("USER")).toStrictEqual(["10001:10001"])
    })

    test("is given what it needs, and nothing that was compiled for this machine", async () => {
        const ignored = (await readFile(new URL(".dockerignore", root), "utf8"))
            .split("\n")
            .filter((line) => line !== "" && !line.startsWith("#"))
        for (const name of ["**/node_modules", "**/dist", "**/*.tsbuildinfo", ".git", "data"])
            expect(ignored).toContain(name)
        for (const name of ["package.json", "package-lock.json", "tsconfig.json", "tsconfig.base.json"]) {
            await access(new URL(name, root))
            expect(ignored).not.toContain(name)
        }
        for (const name of ["apps", "bin", "deploy", "libs", "scripts"]) expect(ignored).not.toContain(name)
    })
})
