/** POST /api/v1/data: values of many formats out of raw or amplified bytes. */
import type { ServerResponse } from "node:http"
import { drawValues, floatDraw, integerDraw, rangedDraw, uuidDraw } from "@tallylight/entropy/draws.js"
import type { Draw } from "@tallylight/entropy/draws.js"
import { concatBytes } from "@tallylight/crypto/bytes.js"
import type { RawBytes } from "../core/node-core.ts"
import { mostAtOnce } from "./amplifier.ts"
import { encoded } from "./encoding.ts"
import { Problem } from "./problem.ts"
import type { DataRequest } from "./schema.ts"
import { amplifiedHeaders, paid, rawHeaders } from "./serving.ts"
import type { OriginHeaders, Serving } from "./serving.ts"
import type { Caller } from "./tokens.ts"

export type Data = {
    readonly type: string
    readonly body: Uint8Array | string
    readonly headers: OriginHeaders
}

/**
 * The caller pays for the bytes that the values are wide, not for attempts that had to be rejected. Rejects with a
 * Problem, NotReady, QueueEmpty or BudgetSpent; the caller then pays nothing.
 */
export async function makeData(
    serving: Serving,
    request: DataRequest,
    caller: Caller,
    response: ServerResponse,
): Promise<Data> {
    const { source, format } = request
    const count = countOf(request, serving)
    const draw = drawOf(request)
    const bytes = count * (draw?.width ?? 1)
    if (source === "trng") refuseTooMuch(bytes, serving)
    serving.held.hold(response, count * mostCharacters(request))
    // Whoever would get nothing anyway spends nothing; what fails later is given back.
    const origin = source === "fortuna" ? await amplifiedOrigin(serving) : rawOrigin(serving)
    return paid(serving, caller, bytes, async (allowance) => {
        const made =
            draw === undefined
                ? writtenBytes(format, await origin.take(count))
                : await writtenValues(serving, response, draw, count, origin)
        serving.counts.gave(source, bytes)
        return { ...made, headers: { ...origin.headers(), ...allowance } }
    })
}

/** Whoever would take the queue from others. */
function refuseTooMuch(bytes: number, { limits }: Serving): void {
    const most = limits.rawBytes
    if (bytes <= most) return
    throw new Problem("malformed", `count: at most ${most} raw bytes in one request, not ${bytes}`, { most })
}

/** Of a value, with its comma. */
function mostCharacters(request: DataRequest): number {
    switch (request.format) {
        case "binary":
            return 1
        case "hex":
        case "base64":
            return 2
        case "integer":
            return Math.max(String(request.min).length, String(request.max).length) + '"",'.length
        case "uuid":
            return 36 + '"",'.length
        case "float":
        case "int8":
        case "uint8":
        case "int16":
        case "uint16":
        case "int32":
        case "uint32":
        case "int64":
        case "uint64":
            // Of a float, such as 1.1102230246251565e-16, and of 64 bits with a sign and quotes.
            return 24
    }
}

function countOf({ count, limit }: DataRequest, { limits }: Serving): number {
    if (count !== undefined && limit !== undefined)
        throw new Problem("malformed", "limit: it is another name for count, and one of them is enough")
    const wanted = count ?? limit ?? 1
    if (wanted <= limits.values) return wanted
    throw new Problem("malformed", `count: at most ${limits.values} in one request`, { most: limits.values })
}

/** Undefined for bytes as they are. */
function drawOf(request: DataRequest): Draw<number | string> | undefined {
    const { format } = request
    switch (format) {
        case "binary":
        case "hex":
        case "base64":
            return undefined
        case "float":
            return floatDraw
        case "uuid":
            return uuidDraw
        case "integer": {
            const { min, max } = request
            // JSON readers round large numbers: whoever sends a bound as a string gets strings.
            const asText = typeof min === "string" || typeof max === "string"
            return written(rangeOf(BigInt(min), BigInt(max)), asText)
        }
        case "int64":
        case "uint64":
            return written(integerDraw(format), true)
        case "int8":
        case "int16":
        case "int32":
        case "uint8":
        case "uint16":
        case "uint32":
            return written(integerDraw(format), false)
    }
}

function rangeOf(min: bigint, max: bigint): Draw<bigint> {
    if (min > max) throw new Problem("malformed", "max: it is below min")
    if (max - min >= 1n << 64n) throw new Problem("malformed", "max: a range has at most 2^64 integers")
    return rangedDraw(min, max)
}

function written(draw: Draw<number | bigint>, asText: boolean): Draw<number | string> {
    return {
        ...draw,
        read(bytes) {
            const value = draw.read(bytes)
            if (value === undefined) return undefined
            return asText ? String(value) : Number(value)
        },
    }
}

function writtenBytes(format: DataRequest["format"], bytes: Uint8Array): Omit<Data, "headers"> {
    if (format === "binary") return { type: "application/octet-stream", body: bytes }
    const body = encoded(format === "hex" ? "hex" : "base64", bytes)
    return { type: "text/plain; charset=utf-8", body }
}

/** Amplified values between which others are answered: five milliseconds' worth. */
const valuesAtOnce = 2048

async function writtenValues(
    { turns }: Serving,
    response: ServerResponse,
    draw: Draw<number | string>,
    count: number,
    { take, atOnce }: Origin,
): Promise<Omit<Data, "headers">> {
    const parts: string[] = []
    for (let left = count; left > 0; left -= atOnce) {
        const written = await turns.take(response, async () =>
            JSON.stringify(await drawValues(draw, Math.min(left, atOnce), take)),
        )
        parts.push(written.slice(1, -1))
    }
    return { type: "application/json; charset=utf-8", body: `[${parts.join(",")}]` }
}

type Origin = {
    readonly take: (length: number) => Uint8Array | Promise<Uint8Array>
    /** Values that may be drawn in one turn. */
    readonly atOnce: number
    /** Once everything is taken. */
    readonly headers: () => OriginHeaders
}

export async function amplifiedOrigin({ amplifier }: Serving): Promise<Origin> {
    let seeded = amplifier.fresh ?? (await amplifier.refresh())
    const take = async (length: number): Promise<Uint8Array> => {
        const parts: Uint8Array[] = []
        for (let left = length; left > 0; left -= mostAtOnce) {
            seeded = amplifier.fresh ?? (await amplifier.refresh())
            parts.push(amplifier.take(Math.min(left, mostAtOnce)))
        }
        return concatBytes(...parts)
    }
    const headers = (): OriginHeaders => amplifiedHeaders(seeded, amplifier.ages(seeded))
    return { take, atOnce: valuesAtOnce, headers }
}

function rawOrigin({ core }: Serving): Origin {
    const takes: Omit<RawBytes, "bytes">[] = []
    return {
        async take(length) {
            const { bytes, ...origin } = await core.raw(length)
            takes.push(origin)
            return bytes
        },
        // All or nothing, but for values that are drawn again where some were rejected: no byte more is taken than is needed,
        // and if the queue is empty by then, what was taken is lost, and costs the caller nothing.
        atOnce: Infinity,
        headers: () => rawHeaders(together(takes)),
    }
}

/** Whatever is to be said of any part is said of the whole. */
function together(origins: readonly Omit<RawBytes, "bytes">[]): Omit<RawBytes, "bytes"> {
    return {
        sources: [...new Set(origins.flatMap(({ sources }) => sources))],
        simulated: origins.some(({ simulated }) => simulated),
        degraded: origins.some(({ degraded }) => degraded),
        consumption: origins.some(({ consumption }) => consumption === "keep") ? "keep" : "once",
    }
}
