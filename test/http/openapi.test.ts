/** The description at /openapi.json, held against OpenAPI 3.1, the routes of the server, and what it answers. */
import { Validator } from "@seriousme/openapi-schema-validator"
import { openApiDocument, operations } from "@tallylight/pdl/http/openapi.js"
import { addReadSide } from "@tallylight/pdl/http/read-side.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { Ajv2020 } from "ajv/dist/2020.js"
import { fastify } from "fastify"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { serveSample } from "./serving.ts"
import type { Serving } from "./serving.ts"

type Described = {
    readonly paths: Readonly<
        Record<string, { get: { operationId: string; responses: Record<string, Response200> } }>
    >
    readonly components: object
}
type Response200 = {
    readonly headers?: Record<string, { schema: { const: string } }>
    readonly content: Record<string, { schema: object }>
}

const document = openApiDocument() as unknown as Described
const nobody = "f".repeat(64)

/** Of each path: what to ask for with `{id}` in place of the chain's, and the status that it must bring. */
const asked: Readonly<Record<string, readonly (readonly [string, number])[]>> = {
    "/healthz": [["/healthz", 200]],
    "/readyz": [["/readyz", 200]],
    "/openapi.json": [["/openapi.json", 200]],
    "/v1/chains": [["/v1/chains", 200]],
    "/v1/chains/{id}": [
        ["/v1/chains/{id}", 200],
        [`/v1/chains/${nobody}`, 404],
        ["/v1/chains/{ID}", 404],
        ["/v1/chains/none", 404],
    ],
    "/v1/chains/{id}/rounds/{round}": [
        ...["1", "2", "3", "4", "6", "7", "8", "latest"].map(
            (round) => [`/v1/chains/{id}/rounds/${round}`, 200] as const,
        ),
        ["/v1/chains/{id}/rounds/0", 404],
        ["/v1/chains/{id}/rounds/9", 404],
        [`/v1/chains/${nobody}/rounds/1`, 404],
        ["/v1/chains/{id}/rounds/01", 400],
        ["/v1/chains/{id}/rounds/-1", 400],
        ["/v1/chains/{id}/rounds/first", 400],
        ["/v1/chains/{id}/rounds/9999999999999999", 400],
    ],
    "/v1/chains/{id}/entries": [
        ["/v1/chains/{id}/entries", 200],
        ["/v1/chains/{id}/entries?from=3&limit=2", 200],
        ["/v1/chains/{id}/entries?from={size}", 200],
        ["/v1/chains/{id}/entries?limit=1000", 200],
        ["/v1/chains/{id}/entries?from={size}0", 404],
        [`/v1/chains/${nobody}/entries`, 404],
        ["/v1/chains/{id}/entries?limit=0", 400],
        ["/v1/chains/{id}/entries?limit=1001", 400],
        ["/v1/chains/{id}/entries?from=", 400],
        ["/v1/chains/{id}/entries?from=1&from=2", 400],
        ["/v1/chains/{id}/entries?form=1", 400],
    ],
    "/v1/chains/{id}/log/checkpoint": [
        ["/v1/chains/{id}/log/checkpoint", 200],
        [`/v1/chains/${nobody}/log/checkpoint`, 404],
    ],
    "/v1/chains/{id}/log/tile/{level}/{tile}": [
        ["/v1/chains/{id}/log/tile/0/000.p/{size}", 200],
        ["/v1/chains/{id}/log/tile/0/000.p%2F{size}", 200],
        ["/v1/chains/{id}/log/tile/0/000", 404],
        ["/v1/chains/{id}/log/tile/0/x001/000", 404],
        ["/v1/chains/{id}/log/tile/64/000", 404],
        ["/v1/chains/{id}/log/tile/0/0", 404],
        [`/v1/chains/${nobody}/log/tile/0/000.p/1`, 404],
    ],
    "/v1/chains/{id}/log/tile/entries/{tile}": [
        ["/v1/chains/{id}/log/tile/entries/000.p/{size}", 200],
        ["/v1/chains/{id}/log/tile/entries/000.p%2F3", 200],
        ["/v1/chains/{id}/log/tile/entries/000", 404],
        ["/v1/chains/{id}/log/tile/entries/000.p/0", 404],
        [`/v1/chains/${nobody}/log/tile/entries/000.p/1`, 404],
    ],
}

let server: Serving
beforeAll(async () => {
    server = await serveSample(sampleLedger())
})
afterAll(() => server.close())

const ajv = new Ajv2020({ strict: false, validateFormats: false })

/** What does not fit the description; empty where all does. */
async function misfits(path: string, answer: Response): Promise<string[]> {
    const described = document.paths[path]?.get.responses[String(answer.status)]
    if (described === undefined) return [`status ${answer.status} is not described`]
    const [type = ""] = (answer.headers.get("content-type") ?? "").split(";")
    const content = described.content[type]
    if (content === undefined) return [`${type} is not described`]
    const headers = Object.entries(described.headers ?? {})
        .filter(([name, { schema }]) => answer.headers.get(name) !== schema.const)
        .map(([name]) => `${name}: ${answer.headers.get(name) ?? "none"}`)
    if (type !== "application/json") return headers
    const check = ajv.compile({ ...content.schema, components: document.components })
    check(await answer.json())
    return [
        ...headers,
        ...(check.errors ?? []).map((error) => `${error.instancePath} ${error.message ?? ""}`),
    ]
}

test("is OpenAPI 3.1, and served as it is", async () => {
    const validator = new Validator()
    expect(await validator.validate(structuredClone(openApiDocument()))).toMatchObject({ valid: true })
    expect(validator.version).toBe("3.1")
    const twisted = { ...openApiDocument(), paths: { healthz: {} } }
    expect(await validator.validate(twisted)).toMatchObject({ valid: false })
    const answer = await fetch(`${server.url}/openapi.json`)
    expect(await answer.json()).toEqual(JSON.parse(JSON.stringify(openApiDocument())))
})

test("has every route of the server, and no other", () => {
    const http = fastify()
    const routes: string[] = []
    http.addHook("onRoute", ({ method, url }) => {
        if (method === "HEAD") return
        expect(method).toBe("GET")
        routes.push(url.replace("*", "{tile}").replaceAll(/:(\w+)/g, "{$1}"))
    })
    addReadSide(http, { chains: new Map(), unready: () => [], onFailure: () => undefined })
    expect(routes.toSorted()).toEqual(Object.keys(operations).toSorted())
    expect(Object.keys(document.paths)).toEqual(Object.keys(operations))
    expect(Object.keys(asked).toSorted()).toEqual(Object.keys(operations).toSorted())
})

test("names each operation once", () => {
    const ids = Object.values(document.paths).map(({ get }) => get.operationId)
    expect(new Set(ids).size).toBe(ids.length)
})

describe.each(Object.entries(asked))("%s", (path, questions) => {
    test.each(questions)("answers %s with %i, as described", async (question, status) => {
        const { url, id, chain } = server
        const target = question
            .replace("{id}", id)
            .replace("{ID}", id.toUpperCase())
            .replace("{size}", String(chain.head.size))
        const answer = await fetch(url + target)
        expect(answer.status).toBe(status)
        expect(answer.headers.get("access-control-allow-origin")).toBe("*")
        expect(await misfits(path, answer)).toEqual([])
        expect((await fetch(url + target, { method: "HEAD" })).status).toBe(status)
    })
})

test("what is wrong with a request before it reaches a route is answered as a failure too", async () => {
    for (const [path, init, status] of [
        ["/v1/chains/%zz", {}, 400],
        ["/v2", {}, 404],
        ["/v1/chains", { method: "POST", body: "{}" }, 404],
    ] as const) {
        const answer = await fetch(server.url + path, init)
        expect(answer.status).toBe(status)
        expect(await misfits("/v1/chains/{id}/entries", answer)).toEqual([])
    }
})

test("a server that is stopping says so as described", async () => {
    server.unready.push("stopping")
    const answer = await fetch(`${server.url}/readyz`)
    server.unready.length = 0
    expect(answer.status).toBe(503)
    expect(await misfits("/readyz", answer)).toEqual([])
})

test("a defect of the server is a described failure, which says nothing of the defect", async () => {
    const failures: unknown[] = []
    const http = fastify()
    const broken = new Map([["a", undefined as never]])
    broken.get = () => {
        throw new Error("a secret of the house")
    }
    addReadSide(http, { chains: broken, unready: () => [], onFailure: (error) => failures.push(error) })
    const { statusCode, headers, payload } = await http.inject("/v1/chains/a")
    expect(payload).not.toContain("secret")
    expect(failures).toHaveLength(1)
    const answer = new Response(payload, {
        status: statusCode,
        headers: { "content-type": String(headers["content-type"]) },
    })
    expect(statusCode).toBe(500)
    expect(await misfits("/v1/chains/{id}", answer)).toEqual([])
})
