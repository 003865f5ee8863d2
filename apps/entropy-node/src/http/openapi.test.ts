/** The description at /openapi.json, held against OpenAPI 3.1, the routes of the server, and what it answers. */
import { Validator } from "@seriousme/openapi-schema-validator"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { makeLogger } from "@tallylight/node/logger.js"
import { newRegistry } from "@tallylight/node/metrics.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { Ajv2020 } from "ajv/dist/2020.js"
import { fastify } from "fastify"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import type { Core } from "../core/core.ts"
import { addDrawRoute } from "../network/draw-route.ts"
import type { PulseReader } from "../pulses/pulse-reader.ts"
import { addPulseRest } from "../pulses/pulse-rest.ts"
import { BudgetBook } from "./budget.ts"
import { Counts } from "./counts.ts"
import { makeServing } from "./doors.ts"
import { metricsRoute } from "./metrics.ts"
import { openApiDocument } from "./openapi.ts"
import { operations, pluginOperations } from "./operations.ts"
import { addRoutes } from "./routes.ts"
import { httpSettings } from "./settings.ts"
import { startHttp } from "./start.ts"
import type { Http } from "./start.ts"
import { makeToken } from "./tokens.ts"
import { TwinCore } from "./twin-core.ts"

type Described = {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
    readonly components: object
}
type Operation = {
    readonly operationId: string
    readonly security: readonly object[]
    readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> }
    readonly responses: Readonly<Record<string, Answer200>>
}
type Answer200 = {
    readonly headers?: Readonly<Record<string, { readonly required: boolean; readonly schema: object }>>
    readonly content: Readonly<Record<string, { readonly schema: object }>>
}

const document = openApiDocument(".") as unknown as Described

type Question = readonly [path: string, status: number, body?: object]

/** Of each operation, what to ask and the status that it must bring. */
const asked: Readonly<Record<string, readonly Question[]>> = {
    "get /v1/random": [
        ["/v1/random", 200],
        ["/v1/random?bytes=5&encoding=base64", 200],
        ["/v1/random?bytes=x", 400],
    ],
    "get /v1/image/random": [
        ["/v1/image/random?width=3&height=4", 200],
        ["/v1/image/random?width=0", 400],
    ],
    "get /v1/image/heatmap": [
        ["/v1/image/heatmap?pairs=65536", 200],
        ["/v1/image/heatmap?pairs=1", 400],
    ],
    "get /v1/sound": [
        ["/v1/sound?seconds=1", 200],
        ["/v1/sound?seconds=0", 400],
    ],
    "post /api/v1/data": [
        ["/api/v1/data", 200, { format: "int16", count: 3, source: "trng" }],
        ["/api/v1/data", 200, { format: "uint64", limit: 3, offset: 0 }],
        ["/api/v1/data", 200, { format: "float", count: 3 }],
        ["/api/v1/data", 200, { format: "uuid", count: 3 }],
        ["/api/v1/data", 200, { format: "integer", min: "-5", max: 5, count: 3 }],
        ["/api/v1/data", 200, { format: "binary", count: 3 }],
        ["/api/v1/data", 200, { format: "hex", count: 3 }],
        ["/api/v1/data", 400, { format: "int128" }],
        ["/api/v1/data", 413, { format: "int8", pad: "x".repeat(70_000) }],
    ],
    "get /api/v1/status": [["/api/v1/status", 200]],
    "get /api/v1/health": [["/api/v1/health", 200]],
    "get /api/v1/config/queue": [["/api/v1/config/queue", 200]],
    "put /api/v1/config/queue": [
        ["/api/v1/config/queue", 200, { capacity: 4096 }],
        ["/api/v1/config/queue", 400, {}],
    ],
    "get /api/v1/config/consumption": [["/api/v1/config/consumption", 200]],
    "put /api/v1/config/consumption": [
        ["/api/v1/config/consumption", 200, { consumption: "once" }],
        ["/api/v1/config/consumption", 400, { consumption: "twice" }],
    ],
    "get /metrics": [["/metrics", 200]],
    "get /healthz": [["/healthz", 200]],
    "get /readyz": [["/readyz", 200]],
    "get /openapi.json": [["/openapi.json", 200]],
}

const poorBytes = 2 ** 20
const log = makeLogger({ name: "entropy-node", level: "silent" })
let folder: string
let core: TwinCore
let http: Http
let url: string
let tokens: Readonly<Record<"operator" | "lab" | "poor", ReturnType<typeof makeToken>>>
beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-openapi-"))
    const tokensFile = join(folder, "tokens.jsonc")
    tokens = {
        operator: makeToken(systemRandom),
        lab: makeToken(systemRandom),
        poor: makeToken(systemRandom),
    }
    const { operator, lab, poor } = tokens
    const file = {
        tokens: [
            { name: "operator", sha256: operator.sha256, admin: true },
            { name: "lab", sha256: lab.sha256 },
            { name: "poor", sha256: poor.sha256, budget: { bytes: poorBytes, periodSeconds: 366 * 86_400 } },
        ],
    }
    await writeFile(tokensFile, JSON.stringify(file), { mode: 0o600 })
    core = new TwinCore()
    const settings = httpSettings.parse({ port: 0, tokensFile, reseed: { ms: 10 } })
    http = await startHttp({ settings, core, log })
    url = http.urls[0] ?? ""
})
afterAll(async () => {
    await http.close()
    await rm(folder, { recursive: true })
})
beforeEach(() => {
    core.unready = []
    core.waiting = 1 << 20
})

const ajv = new Ajv2020({ strict: false, validateFormats: false })

function fits(schema: object, value: unknown): string[] {
    const check = ajv.compile({ ...schema, components: document.components })
    check(value)
    return (check.errors ?? []).map((error) => `${error.instancePath} ${error.message ?? ""}`)
}

/** What does not fit the description; empty where all does. */
async function misfits(operation: Operation, answer: Response): Promise<string[]> {
    const described = operation.responses[String(answer.status)]
    if (described === undefined) return [`status ${answer.status} is not described`]
    const [type = ""] = (answer.headers.get("content-type") ?? "").split(";")
    const content = described.content[type]
    if (content === undefined) return [`${type} is not described`]
    const headers = Object.entries(described.headers ?? {}).flatMap(([name, { required, schema }]) => {
        const value = answer.headers.get(name)
        if (value === null) return required ? [`${name} is missing`] : []
        return fits(schema, value).map((misfit) => `${name}: ${misfit}`)
    })
    return type === "application/json" ? [...headers, ...fits(content.schema, await answer.json())] : headers
}

function ask(method: string, path: string, body?: object, token = tokens.operator.token): Promise<Response> {
    return fetch(url + path, {
        method: method.toUpperCase(),
        ...(body !== undefined && { body: JSON.stringify(body) }),
        headers: {
            ...(body !== undefined && { "content-type": "application/json" }),
            ...(token !== "" && { authorization: `Bearer ${token}` }),
        },
    })
}

function operationOf(name: string): Operation {
    const [method = "", path = ""] = name.split(" ")
    return document.paths[path]![method]!
}

test("is OpenAPI 3.1, and served as it is, to the page that tries it too", async () => {
    const validator = new Validator()
    expect(await validator.validate(structuredClone(openApiDocument(".")))).toMatchObject({ valid: true })
    expect(validator.version).toBe("3.1")
    const twisted = { ...openApiDocument("."), paths: { healthz: {} } }
    expect(await validator.validate(twisted)).toMatchObject({ valid: false })
    const copies = { "/openapi.json": ".", "/docs/json": ".." }
    for (const [path, root] of Object.entries(copies)) {
        const served: unknown = await (await fetch(url + path)).json()
        expect(served).toEqual(JSON.parse(JSON.stringify(openApiDocument(root))))
        // As OpenAPI has it: the server's address is relative to the document's, and paths are joined to it.
        const server = new URL(root, url + path).href.replace(/\/$/, "")
        expect((await fetch(`${server}/healthz`)).status).toBe(200)
    }
})

test("the page that tries it loads everything from this server, and may load nothing from elsewhere", async () => {
    const page = await fetch(`${url}/docs/`)
    expect(page.status).toBe(200)
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'self';/)
    const html = await page.text()
    const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, target]) => target ?? "")
    expect(loaded.length).toBeGreaterThan(3)
    for (const target of loaded) {
        expect(target).not.toMatch(/^(https?:)?\/\//)
        expect((await fetch(new URL(target, `${url}/docs/`))).status).toBe(200)
    }
})

test("has every route of the server, and no other", async () => {
    const names = Object.entries(operations).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method} ${path}`),
    )
    const server = fastify()
    const served: string[] = []
    server.addHook("onRoute", ({ method, url }) => {
        const methods = [method].flat().filter((one) => one !== "HEAD")
        if (!url.startsWith("/docs")) served.push(...methods.map((one) => `${one.toLowerCase()} ${url}`))
    })
    const plan = { settings: httpSettings.parse({}), tokens: undefined, credentials: undefined }
    const [budgets, counts] = [new BudgetBook(systemClock), new Counts()]
    const serving = makeServing(plan, {
        core,
        budgets,
        counts,
        clock: systemClock,
        onDefect: () => undefined,
    })
    await addRoutes(server, serving, "http")
    metricsRoute(newRegistry(), core, counts)(server)
    expect(served.toSorted()).toEqual(names.toSorted())
    expect(Object.keys(asked).toSorted()).toEqual(names.toSorted())
})

test("has every route of the node's plugins", () => {
    const server = fastify()
    const served: string[] = []
    server.addHook("onRoute", ({ method, url }) => {
        const path = url.replace(/:([a-z]+)/g, "{$1}").replace("*", "{id}")
        if (method !== "HEAD") served.push(`${String(method).toLowerCase()} ${path}`)
    })
    // Nothing is asked of them.
    addDrawRoute(server, {} as Core, {} as Signer)
    addPulseRest(server, {} as PulseReader)
    const names = Object.entries(pluginOperations).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method} ${path}`),
    )
    expect(served.toSorted()).toEqual(names.toSorted())
})

test("names each operation once", () => {
    const ids = Object.values(document.paths).flatMap((methods) =>
        Object.values(methods).map(({ operationId }) => operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
})

describe.each(Object.entries(asked))("%s", (name, questions) => {
    const [method = ""] = name.split(" ")
    const operation = operationOf(name)

    const cases = questions.map(([path, status, body]) => ({ path, status, body }))
    test.each(cases)("answers $path with $status, as described", async ({ path, status, body }) => {
        const answer = await ask(method, path, body)
        expect(answer.status).toBe(status)
        expect(await misfits(operation, answer)).toEqual([])
        const described = operation.requestBody?.content["application/json"]
        if (described !== undefined && status === 200) expect(fits(described.schema, body)).toEqual([])
        if (method === "get") {
            const head = await ask("head", path)
            expect(head.status).toBe(operation.responses["200"]?.headers === undefined ? status : 200)
        }
    })

    test("needs a token exactly where it says so", async () => {
        const [path, , body] = questions[0]!
        const answer = await ask(method, path, body, "")
        expect(answer.status).toBe(operation.security.length === 0 ? 200 : 401)
        expect(await misfits(operation, answer)).toEqual([])
    })

    test("refuses as described where no bytes, no budget or no right is left", async () => {
        const [path, , body] = questions[0]!
        // The last of its bytes, which are more than any of these takes.
        await ask("get", `/v1/random?bytes=${poorBytes}`, undefined, tokens.poor.token)
        const poor = await ask(method, path, body, tokens.poor.token)
        const mayChange = method === "put" ? 403 : 200
        expect(poor.status).toBe(operation.responses["429"] === undefined ? mayChange : 429)
        expect(await misfits(operation, poor)).toEqual([])
        core.unready = ["chip-a is gone"]
        // Until the seed in use is too old.
        await sleep(15)
        const unready = await ask(method, path, body)
        expect(unready.status).toBe(operation.responses["503"] === undefined ? 200 : 503)
        expect(await misfits(operation, unready)).toEqual([])
    })
})
