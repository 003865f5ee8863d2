/** The OpenAPI 3.1 description of the read side, made of the schemas by which it answers. */
import { z } from "zod"
import { answers, chainIdParam, failure, levelParam, page, roundParam, tileParam } from "./schema.ts"

type JsonSchema = Readonly<Record<string, unknown>>

type Operation = {
    readonly id: string
    readonly summary: string
    readonly path?: Readonly<Record<string, z.ZodType>>
    readonly query?: z.ZodObject
    readonly ok: Content
    /** Statuses beside 200 that this operation, and not every one, may have. */
    readonly also?: Readonly<Record<number, Content | "Failure">>
}

type Content = { readonly type: string; readonly schema: JsonSchema; readonly cached?: string }

const json = (schema: z.ZodType): Content => ({ type: "application/json", schema: schemaOf(schema) })
const text = (cached: string): Content => ({ type: "text/plain", schema: { type: "string" }, cached })
const octets = (description: string): Content => ({
    ...{
        type: "application/octet-stream",
        schema: { contentMediaType: "application/octet-stream", description },
    },
    cached: "public, max-age=31536000, immutable",
})

const id = { id: chainIdParam }
const missing = { 404: "Failure", 503: "Failure" } as const
const missingOrMany = { ...missing, 429: "Failure" } as const
const wrong = { 400: "Failure", ...missingOrMany } as const

/** Every route of the read side: a test compares them with those that the server has. */
export const operations: Readonly<Record<string, Operation>> = {
    "/healthz": {
        id: "getHealth",
        summary: "Answers as soon as the port is open.",
        ok: json(answers.health),
    },
    "/readyz": {
        id: "getReadiness",
        summary: "Whether this server should get traffic.",
        ok: json(answers.readiness),
        also: { 503: json(answers.readiness) },
    },
    "/openapi.json": {
        id: "getDescription",
        summary: "This document.",
        ok: json(answers.document),
    },
    "/v1/chains": {
        id: "getChains",
        summary: "The chains of this server.",
        ok: json(answers.chains),
    },
    "/v1/chains/{id}": {
        id: "getChain",
        summary: "One chain.",
        path: id,
        ok: json(answers.chain),
        also: missing,
    },
    "/v1/chains/{id}/rounds/{round}": {
        id: "getRound",
        summary: "A round, with what it takes to check it alone.",
        path: { ...id, round: roundParam },
        ok: json(answers.round),
        also: wrong,
    },
    "/v1/chains/{id}/entries": {
        id: "getEntries",
        summary: "Entries of the ledger.",
        path: id,
        query: page,
        ok: json(answers.entries),
        also: wrong,
    },
    "/v1/chains/{id}/log/checkpoint": {
        id: "getCheckpoint",
        summary: "The newest checkpoint.",
        path: id,
        ok: text("no-cache"),
        also: missing,
    },
    "/v1/chains/{id}/log/tile/{level}/{tile}": {
        id: "getHashTile",
        summary: "Hashes of one level of the log's Merkle tree. A / in {tile} may be encoded or not.",
        path: { ...id, level: levelParam, tile: tileParam },
        ok: octets("1 to 256 hashes of 32 bytes."),
        also: missingOrMany,
    },
    "/v1/chains/{id}/log/tile/entries/{tile}": {
        id: "getEntryBundle",
        summary: "Entries of the log, in a bundle. A / in {tile} may be encoded or not.",
        path: { ...id, tile: tileParam },
        ok: octets("1 to 256 entries, each behind a 16-bit length."),
        also: missingOrMany,
    },
}

export function openApiDocument(): JsonSchema {
    return {
        openapi: "3.1.0",
        info: {
            title: "Tallylight ledger server",
            version: "1",
            description:
                "The read side of a PDL (PROTOCOL.md §10). Everything is public, every GET is a HEAD too. Bytes are " +
                "lower-case hex. The WebSocket at /v1/chains/{id}/socket is described in PROTOCOL.md §8.",
            license: { name: "MIT", identifier: "MIT" },
        },
        // Relative to where this document is, so that it holds behind a proxy that strips a prefix.
        servers: [{ url: "." }],
        paths: Object.fromEntries(
            Object.entries(operations).map(([path, operation]) => [path, { get: described(operation) }]),
        ),
        components: { schemas: { Failure: schemaOf(failure) } },
    }
}

function described({ id, summary, path: inPath = {}, query, ok, also }: Operation): JsonSchema {
    const parameters = [
        ...Object.entries(inPath).map(([name, schema]) => parameter("path", name, schema, true)),
        ...Object.entries(query?.shape ?? {}).map(([name, schema]) =>
            parameter("query", name, schema as z.ZodType, false),
        ),
    ]
    const responses = { 200: ok, ...also, 500: "Failure" } as const
    return {
        operationId: id,
        summary,
        ...(parameters.length > 0 && { parameters }),
        responses: Object.fromEntries(
            Object.entries(responses).map(([status, content]) => [status, response(status, content)]),
        ),
    }
}

/** What the parameter means once parsed: a number, where the text that stands for it is a number's. */
function parameter(where: "path" | "query", name: string, type: z.ZodType, required: boolean): JsonSchema {
    const { description, ...schema } = schemaOf(type)
    return { name, in: where, required, ...(description !== undefined && { description }), schema }
}

function response(status: string, content: Content | "Failure"): JsonSchema {
    if (content === "Failure") {
        const schema = { $ref: "#/components/schemas/Failure" }
        return { description: meanings[status], content: { "application/json": { schema } } }
    }
    const { type, schema, cached } = content
    return {
        description: meanings[status],
        ...(cached !== undefined && {
            headers: { "Cache-Control": { schema: { type: "string", const: cached } } },
        }),
        content: { [type]: { schema } },
    }
}

const meanings: Readonly<Record<string, string>> = {
    200: "OK",
    400: "A parameter is malformed.",
    404: "There is no such chain, round or entry.",
    429: "Too many requests from one address; Retry-After says when to come again, in seconds.",
    500: "A defect of this server.",
    503: "The server is stopping, or this chain is stopped.",
}

function schemaOf(type: z.ZodType): JsonSchema {
    const { $schema: _, ...schema } = z.toJSONSchema(type, { io: "output", unrepresentable: "any" })
    return schema
}
