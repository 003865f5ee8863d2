/**
 * What the HTTP side takes and answers, as schemas: requests are parsed by them, the OpenAPI document is made of them,
 * and the tests hold real answers to them.
 */
import { integerFormats } from "@tallylight/entropy/draws.js"
import { z } from "zod"
import { queueCapacity, queueChunk } from "../core/settings.ts"
import { sourceKinds } from "../sources/source.ts"
import { encodings } from "./encoding.ts"
import { Problem, problemCodes } from "./problem.ts"

/** Throws a {@link Problem} `malformed` that names the first field that is wrong. */
export function parse<T>(schema: z.ZodType<T>, input: unknown): T {
    const result = schema.safeParse(input)
    if (result.success) return result.data
    const [issue] = result.error.issues
    const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined
    if (unknown !== undefined)
        throw new Problem("malformed", `${unknown}: there is no such field`, { field: unknown })
    const field = issue?.path.join(".") ?? ""
    throw new Problem("malformed", `${field === "" ? "the body" : field}: ${issue?.message ?? ""}`, { field })
}

const digits = z
    .string()
    .regex(/^(0|[1-9][0-9]{0,15})$/, "a whole number, in decimal digits")
    .transform(Number)
const number = (least: number, most: number) => digits.pipe(z.int().min(least).max(most))

export const randomQuery = z.strictObject({
    bytes: number(1, Number.MAX_SAFE_INTEGER)
        .default(4096)
        .meta({ description: "How many. Above 1 MiB they come in pieces, made as fast as they are taken." }),
    encoding: z
        .enum(encodings)
        .default("raw")
        .meta({ description: "How they are written: as they are, or as text in hex or base64." }),
})

export const imageQuery = z.strictObject({
    width: number(1, 2048).default(256),
    height: number(1, 2048).default(256),
})

export const heatmapQuery = z.strictObject({
    pairs: number(65_536, 2 ** 21)
        .default(2 ** 19)
        .meta({ description: "Of bytes, drawn for the picture." }),
})

export const soundQuery = z.strictObject({ seconds: number(1, 10).default(3) })

const amount = {
    source: z.enum(["trng", "fortuna"]).default("fortuna").meta({
        description: "trng: raw bytes of the sources, as they passed their health tests. fortuna: amplified.",
    }),
    count: z.int().min(1).max(1_000_000).optional().meta({
        description: "Values, or bytes where the format is binary, hex or base64; 1 where absent.",
    }),
    limit: z.int().min(1).max(1_000_000).optional().meta({ description: "LoKey's name for count." }),
    offset: z
        .literal(0)
        .optional()
        .meta({ description: "0, as LoKey's clients send it: what is handed out once has no pages." }),
}

const [least, most] = [-(2n ** 63n), 2n ** 64n - 1n]
const needed = "an integer of at most 64 bits is needed, as a number or, in decimal, as a string"
const bound = z.union(
    [
        z.int(),
        z
            .string()
            .regex(/^(0|-?[1-9][0-9]{0,18}|1[0-9]{19})$/, { abort: true })
            .refine((text) => BigInt(text) >= least && BigInt(text) <= most, needed),
    ],
    needed,
)

export const dataRequest = z.discriminatedUnion("format", [
    z.strictObject({ format: z.enum(integerFormats), ...amount }),
    z.strictObject({ format: z.enum(["binary", "hex", "base64"]), ...amount }),
    z.strictObject({ format: z.enum(["float", "uuid"]), ...amount }),
    z.strictObject({
        format: z.literal("integer"),
        min: bound.meta({ description: "The least; as a string where it is no safe integer." }),
        max: bound.meta({ description: "The greatest, which is drawn too. At most 2^64 values." }),
        ...amount,
    }),
])
export type DataRequest = z.output<typeof dataRequest>

export const queueChange = z
    .strictObject({
        capacity: queueCapacity.optional().meta({ description: "Most raw bytes that wait." }),
        chunk: queueChunk.optional().meta({ description: "Bytes that are read from the sources at a time." }),
    })
    .refine(({ capacity, chunk }) => capacity !== undefined || chunk !== undefined, "nothing is to change")

const consumptions = z.enum(["once", "keep"]).meta({
    description: "once: a raw byte leaves with its first reader. keep: it stays, and answers say so.",
})

export const consumptionChange = z.strictObject({ consumption: consumptions })

const count = z.int().nonnegative()
const time = count.meta({ description: "Milliseconds since 1970." })
const sourceState = z.enum(["missing", "starting", "healthy", "failed"])

const source = z.strictObject({
    ...{ name: z.string(), kind: z.enum(sourceKinds), simulated: z.boolean(), state: sourceState },
    reason: z.string().meta({ description: "Why it is not healthy; empty where it is." }),
    minEntropy: z.number().meta({ description: "Declared bits per sample." }),
    sampleBits: z.union([z.literal(1), z.literal(8)]),
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    ...{ bytes: count, samples: count },
    deviceFailures: count.meta({ description: "How often its device failed, or could not be opened." }),
    health: z
        .strictObject({
            ...{ repetitionFailures: count, proportionFailures: count, startupFailures: count },
            selfTestFailures: count.meta({ description: "How often a test of the device's own failed." }),
            ...{ repetitionCutoff: count, proportionCutoff: count, longestRepetition: count },
            ...{ mostFrequent: count, lastFailure: time.nullable() },
        })
        .meta({ description: "The tests of SP 800-90B §4.4." }),
})

const queue = z.strictObject({ capacity: count, chunk: count })

export const answers = {
    alive: z.strictObject({ status: z.literal("ok") }),
    readiness: z.strictObject({ ready: z.boolean(), reasons: z.array(z.string()) }),
    document: z.looseObject({ openapi: z.literal("3.1.0") }),
    data: z.array(z.union([z.number(), z.string()])).meta({
        description:
            "Numbers; integers of 64 bits as strings in decimal, because a JSON number of that size is rounded by " +
            "most readers; UUIDs as strings.",
    }),
    queue,
    consumption: z.strictObject({ consumption: consumptions }),
    health: z.strictObject({
        status: z.enum(["ok", "degraded", "unready"]).meta({
            description:
                "degraded: some source is not healthy, and enough others are. unready: no bytes are given.",
        }),
        simulated: z.boolean(),
        reasons: z.array(z.string()),
        sources: z.array(source.pick({ name: true, kind: true, simulated: true, state: true, reason: true })),
    }),
    status: z.strictObject({
        ...{ time, startedAt: time, identity: z.string(), simulated: z.boolean() },
        unready: z
            .array(z.string())
            .meta({ description: "Why the node gives no bytes; empty where it does." }),
        ...{ minimumHealthySources: count, sources: z.array(source) },
        pool: z.strictObject({
            drbg: z.literal("fortuna"),
            reseeds: count,
            lastReseed: time.nullable(),
        }),
        queue: queue.extend({
            bytes: count,
            simulated: z.boolean().meta({
                description:
                    "Whether any byte that waits is of a simulated source, as those of an earlier one are.",
            }),
            ...{ handedOut: count, consumption: consumptions },
        }),
        alarms: z.array(z.strictObject({ id: count, time, source: z.string(), what: z.string() })),
    }),
} as const

/** The body of every answer that is no success. */
export const failure = z.strictObject({
    code: z.enum(problemCodes),
    detail: z.string().meta({ description: "A sentence for whoever sent the request." }),
    facts: z.record(
        z.string(),
        z.union([z.string(), z.number(), z.boolean(), z.array(z.string()).readonly()]),
    ),
})
