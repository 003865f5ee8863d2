/** The OpenAPI 3.1 description of the HTTP side, made of the schemas by which it takes and answers. */
import { drawAnswer, drawPath, drawRequest } from "@tallylight/node/draw-exchange.js"
import { z } from "zod"
import {
    answers,
    consumptionChange,
    dataRequest,
    failure,
    heatmapQuery,
    imageQuery,
    queueChange,
    randomQuery,
    soundQuery,
} from "./schema.ts"

type JsonSchema = Readonly<Record<string, unknown>>

type Content = { readonly type: string; readonly schema: JsonSchema }

type Operation = {
    readonly id: string
    readonly summary: string
    readonly query?: z.ZodObject
    readonly body?: z.ZodType
    readonly ok: readonly Content[]
    /** Whether its answer says where its bytes come from. */
    readonly origin?: boolean
    /** Whether it is answered without a token too, wherever there are tokens. */
    readonly open?: boolean
    /** Statuses beside 200 that this operation, and not every one, may have. */
    readonly also?: Readonly<Record<number, Content | "Failure">>
}

const json = (schema: z.ZodType): Content => ({
    type: "application/json",
    schema: schemaOf(schema, "output"),
})
const text = (description: string): Content => ({
    type: "text/plain",
    schema: { type: "string", description },
})
const binary = (type: string, description: string): Content => ({
    type,
    schema: { contentMediaType: type, description },
})

const refusals = { 400: "Failure" } as const
const drawn = { origin: true, also: { ...refusals, 429: "Failure", 503: "Failure" } } as const
const change = { also: { ...refusals, 403: "Failure", 413: "Failure", 415: "Failure" } } as const

type Method = "get" | "post" | "put"

/** Every route but those of plugins: a test compares them with those that the server has. */
export const operations: Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>> = {
    "/v1/random": {
        get: {
            id: "getRandom",
            summary: "Amplified bytes.",
            query: randomQuery,
            ok: [binary("application/octet-stream", "The bytes."), text("The same in hex or base64.")],
            ...drawn,
        },
    },
    "/v1/image/random": {
        get: {
            id: "getImage",
            summary: "A picture whose pixels are amplified bytes: red, green and blue, row by row.",
            query: imageQuery,
            ok: [binary("image/png", "Eight bits a channel.")],
            ...drawn,
        },
    },
    "/v1/image/heatmap": {
        get: {
            id: "getHeatmap",
            summary:
                "How often each pair of amplified bytes occurs: 256 by 256 grey pixels, the first byte to the right, the " +
                "second downwards. Middle grey is the mean, 24 levels are one standard deviation.",
            query: heatmapQuery,
            ok: [binary("image/png", "Eight bits of grey.")],
            ...drawn,
        },
    },
    "/v1/sound": {
        get: {
            id: "getSound",
            summary: "White noise whose samples are amplified bytes.",
            query: soundQuery,
            ok: [binary("audio/wav", "One channel of 16 bits, 44,100 samples a second.")],
            ...drawn,
        },
    },
    "/api/v1/data": {
        post: {
            id: "postData",
            summary:
                "Values of a format. A POST, because raw bytes are handed out once: nothing may fetch them ahead or again.",
            body: dataRequest,
            ok: [
                json(answers.data),
                text("Bytes in hex or base64."),
                binary("application/octet-stream", "Bytes."),
            ],
            origin: true,
            also: { ...drawn.also, 413: "Failure", 415: "Failure" },
        },
    },
    "/api/v1/status": {
        get: { id: "getStatus", summary: "Everything about the node.", ok: [json(answers.status)] },
    },
    "/api/v1/health": {
        get: {
            id: "getNodeHealth",
            summary: "Whether the node gives bytes, and how its sources are.",
            ok: [json(answers.health)],
            also: { 503: json(answers.health) },
        },
    },
    "/api/v1/config/queue": {
        get: { id: "getQueue", summary: "The queue of raw bytes.", ok: [json(answers.queue)] },
        put: {
            id: "putQueue",
            summary: "Changes the queue. For administrators.",
            body: queueChange,
            ok: [json(answers.queue)],
            ...change,
        },
    },
    "/api/v1/config/consumption": {
        get: {
            id: "getConsumption",
            summary: "What becomes of raw bytes that were handed out.",
            ok: [json(answers.consumption)],
        },
        put: {
            id: "putConsumption",
            summary: "Changes it. For administrators.",
            body: consumptionChange,
            ok: [json(answers.consumption)],
            ...change,
        },
    },
    "/metrics": {
        get: {
            id: "getMetrics",
            summary: "What the node counts, for Prometheus.",
            ok: [text("Prometheus' text format.")],
        },
    },
    "/healthz": {
        get: {
            id: "getAlive",
            summary: "Answers as soon as the port is open.",
            ok: [json(answers.alive)],
            open: true,
        },
    },
    "/readyz": {
        get: {
            id: "getReadiness",
            summary: "Whether this node should get traffic: whether it gives bytes.",
            ok: [json(answers.readiness)],
            open: true,
            also: { 503: json(answers.readiness) },
        },
    },
    "/openapi.json": {
        get: { id: "getDescription", summary: "This document.", ok: [json(answers.document)], open: true },
    },
}

const refused = (description: string): Content => text(`${description} XML for whoever prefers it.`)

function pulseRoute(id: string, summary: string): Readonly<Record<"get", Operation>> {
    return beaconRoute(id, summary, [
        { type: "application/json", schema: { type: "object" } },
        { type: "application/xml", schema: { type: "string" } },
    ])
}

function beaconRoute(
    id: string,
    summary: string,
    ok: readonly Content[],
): Readonly<Record<"get", Operation>> {
    const also = { 400: refused("What is wrong."), 404: refused("What there is none of.") }
    return { get: { id, summary, ok, open: true, also } }
}

/** Of the programs that add them: draws of parties, and pulses where the node makes some (NIST IR 8213). */
export const pluginOperations: typeof operations = {
    [drawPath]: {
        post: {
            id: "postDraw",
            summary:
                "64 amplified bytes for a party's contribution, with a statement for that party in that round, signed by the " +
                "node. They are paid for like any others.",
            body: drawRequest,
            ok: [{ type: "application/json", schema: schemaOf(drawAnswer, "input") }],
            also: { ...drawn.also, 413: "Failure", 415: "Failure" },
        },
    },
    "/beacon/2.0/pulse/last": pulseRoute("getLastPulse", "The latest pulse."),
    "/beacon/2.0/pulse/time/{time}": pulseRoute("getPulseAt", "That of a time, or the next one."),
    "/beacon/2.0/pulse/time/next/{time}": pulseRoute("getPulseAfter", "The first after a time."),
    "/beacon/2.0/pulse/time/previous/{time}": pulseRoute("getPulseBefore", "The last before a time."),
    "/beacon/2.0/chain/last/pulse/last": pulseRoute("getLastChainsPulse", "The latest of the latest chain."),
    "/beacon/2.0/chain/{chain}/pulse/last": pulseRoute("getChainsLastPulse", "The latest of a chain."),
    "/beacon/2.0/chain/{chain}/pulse/{pulse}": pulseRoute("getPulse", "One by its number."),
    "/beacon/2.0/chain/time/{from}/{to}/previous": pulseRoute("getPulsesBetween", "Those of a span of time."),
    "/beacon/2.0/skipList/{from}/{to}": pulseRoute("getSkipListByTime", "Few that lead from one to another."),
    "/beacon/2.0/skipList/{chain}/{from}/{to}": pulseRoute("getSkipList", "The same by numbers of pulses."),
    "/beacon/2.0/certificate/{id}": beaconRoute("getCertificate", "One by its SHA-512, which pulses have.", [
        { type: "application/x-pem-file", schema: { type: "string" } },
    ]),
    "/beacon/2.0/externalSource/{id}": beaconRoute(
        "getExternalSource",
        "What an external value comes from.",
        [text("A description.")],
    ),
}

export function openApiDocument(): JsonSchema {
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
        // Relative to where this document is, so that it holds behind a proxy that strips a prefix.
        servers: [{ url: "." }],
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
    400: "A parameter or the body is malformed.",
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

function schemaOf(type: z.ZodType, io: "input" | "output"): JsonSchema {
    const { $schema: _, ...schema } = z.toJSONSchema(type, { io, unrepresentable: "any" })
    return schema
}
