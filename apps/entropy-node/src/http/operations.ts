/** Every operation of the HTTP side: what it takes and answers, by the schemas that its routes use. */
import { drawAnswer, drawPath, drawRequest } from "@tallylight/node/draw-exchange.js"
import type { z } from "zod"
import { schemaOf } from "./json-schema.ts"
import type { JsonSchema } from "./json-schema.ts"
import {
    answers,
    consumptionChange,
    dataRequest,
    heatmapQuery,
    imageQuery,
    queueChange,
    randomQuery,
    soundQuery,
} from "./schema.ts"

export type Content = { readonly type: string; readonly schema: JsonSchema }

export type Operation = {
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
