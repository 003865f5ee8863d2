/** The OpenAPI 3.1 description of the HTTP side, made of its operations. */
import type { z } from "zod"
import { schemaOf } from "./json-schema.ts"
import type { JsonSchema } from "./json-schema.ts"
import { operations, pluginOperations } from "./operations.ts"
import type { Content, Operation } from "./operations.ts"
import { failure } from "./schema.ts"

/** `root` leads from where the document is to the first path: so it holds behind a proxy that strips a prefix, too. */
export function openApiDocument(root: string): JsonSchema {
    return {
        openapi: "3.1.0",
        info: {
            title: "Tallylight entropy node",
            version: "1",
            description:
                "Random bytes of hardware, health-tested: raw, each handed out once, and amplified by Fortuna. Every " +
                "GET is a HEAD too. Bytes that come of simulated hardware say so in x-rng-simulated.",
            license: { name: "MIT", identifier: "MIT" },
        },
        servers: [{ url: root }],
        paths: Object.fromEntries(
            Object.entries({ ...operations, ...pluginOperations }).map(([path, methods]) => [
                path,
                Object.fromEntries(
                    Object.entries(methods).map(([method, operation]) => [
                        method,
                        described(path, operation),
                    ]),
                ),
            ]),
        ),
        components: {
            schemas: { Failure: schemaOf(failure, "output") },
            securitySchemes: { token: { type: "http", scheme: "bearer" } },
        },
    }
}

function described(path: string, operation: Operation): JsonSchema {
    const { id, summary, query, body, ok, origin, open, also } = operation
    const parameters = [
        ...[...path.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => ({
            ...{ name, in: "path", required: true, schema: { type: "string" } },
        })),
        ...Object.entries(query?.shape ?? {}).map(([name, schema]) => parameter(name, schema as z.ZodType)),
    ]
    const statuses: NonNullable<Operation["also"]> = {
        ...also,
        ...(open !== true && { 401: "Failure" }),
        ...{ 421: "Failure", 500: "Failure" },
    }
    const others = Object.entries(statuses).map(([status, content]) => [
        status,
        response(status, content === "Failure" ? [failed] : [content]),
    ])
    return {
        operationId: id,
        summary,
        // A token, or none where the node is open.
        security: open === true ? [] : [{ token: [] }, {}],
        ...(parameters.length > 0 && { parameters }),
        ...(body !== undefined && {
            requestBody: {
                required: true,
                content: { "application/json": { schema: schemaOf(body, "input") } },
            },
        }),
        responses: {
            200: { ...response("200", ok), ...(origin === true && { headers: originHeaders }) },
            ...(Object.fromEntries(others) as JsonSchema),
        },
    }
}

const failed: Content = { type: "application/json", schema: { $ref: "#/components/schemas/Failure" } }

const header = (description: string, schema: JsonSchema): JsonSchema => ({
    description,
    required: true,
    schema,
})

const originHeaders: JsonSchema = {
    "cache-control": header("Bytes are for one reader.", { type: "string", const: "no-store" }),
    "x-rng-source": header("Amplified or raw.", { type: "string", enum: ["fortuna", "trng"] }),
    "x-rng-drbg": header("What amplifies them.", { type: "string" }),
    "x-rng-devices": header("The sources that were healthy, by name.", { type: "string" }),
    "x-rng-health": header("degraded: some source is not healthy, and enough others are.", {
        type: "string",
        enum: ["ok", "degraded"],
    }),
    "x-rng-simulated": header("Whether any of those sources is simulated.", {
        type: "string",
        enum: ["true", "false"],
    }),
    "x-rng-reseed-age-ms": {
        ...header("Of amplified bytes: milliseconds since the generator was seeded.", { type: "string" }),
        required: false,
    },
    "x-rng-pool-reseed-age-ms": {
        ...header(
            "Of amplified bytes: milliseconds since sources last reseeded the pool that gave that seed.",
            {
                type: "string",
            },
        ),
        required: false,
    },
    "x-rng-consumption": {
        ...header("Of raw bytes: `once`, or `keep` where others get the same ones.", {
            type: "string",
            enum: ["once", "keep"],
        }),
        required: false,
    },
}

/** What the parameter means once parsed: a number, where the text that stands for it is a number's. */
function parameter(name: string, type: z.ZodType): JsonSchema {
    const { description, ...schema } = schemaOf(type, "output")
    return {
        ...{ name, in: "query", required: false },
        ...(description !== undefined && { description }),
        schema,
    }
}

function response(status: string, contents: readonly Content[]): JsonSchema {
    return {
        description: meanings[status],
        content: Object.fromEntries(contents.map(({ type, schema }) => [type, { schema }])),
    }
}

const meanings: Readonly<Record<string, string>> = {
    200: "OK",
    400: "A parameter or the body is malformed, or asks for more than may ever be; facts.most is then how much may be.",
    401: "A token is missing or wrong.",
    403: "Only for administrators.",
    404: "There is none.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    421: "The Host header names another machine.",
    429: "The caller's bytes for this period are used up; Retry-After says when the next begins, in seconds.",
    500: "A defect of this server.",
    503: "Too few sources are healthy, or too few raw bytes wait; Retry-After says when to come again, in seconds.",
}
