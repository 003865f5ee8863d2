/** POST /api/v1/data: values of many formats out of raw or amplified bytes. */
import { drawValues, floatDraw, integerDraw, rangedDraw, uuidDraw } from "@tallylight/entropy/draws.js"
import type { Draw } from "@tallylight/entropy/draws.js"
import { concatBytes } from "@tallylight/crypto/bytes.js"
import { mostAtOnce } from "./amplifier.ts"
import { encoded } from "./encoding.ts"
import { allowanceHeaders, Problem } from "./problem.ts"
import type { DataRequest } from "./schema.ts"
import { amplifiedHeaders, rawHeaders, refund, spend } from "./serving.ts"
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
export async function makeData(serving: Serving, request: DataRequest, caller: Caller): Promise<Data> {
    const count = countOf(request, serving)
    const draw = drawOf(request)
    const bytes = count * (draw?.width ?? 1)
    if (request.source === "trng" && bytes > serving.limits.rawBytes) {
        const most = serving.limits.rawBytes
        throw new Problem("malformed", `count: at most ${most} raw bytes in one request, not ${bytes}`, {
            most,
        })
    }
    // Whoever would get nothing anyway spends nothing; what fails later is given back.
    const origin = request.source === "fortuna" ? await amplifiedOrigin(serving) : rawOrigin(serving)
    const allowance = await spend(serving, caller, bytes)
    try {
        const made =
            draw === undefined
                ? writtenBytes(request.format, await origin.take(count))
                : writtenValues(await drawValues(draw, count, origin.take))
        const spent = allowance === undefined ? {} : allowanceHeaders(allowance)
        serving.counts.gave(request.source, bytes)
        return { ...made, headers: { ...origin.headers(), ...spent } }
    } catch (error) {
        await refund(serving, caller, bytes)
        throw error
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

function written({ width, read }: Draw<number | bigint>, asText: boolean): Draw<number | string> {
    return {
        width,
        read(bytes) {
            const value = read(bytes)
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

function writtenValues(values: readonly (number | string)[]): Omit<Data, "headers"> {
    return { type: "application/json; charset=utf-8", body: JSON.stringify(values) }
}

type Origin = {
    readonly take: (length: number) => Uint8Array | Promise<Uint8Array>
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
    return { take, headers: () => amplifiedHeaders(seeded, amplifier.age(seeded)) }
}

function rawOrigin({ core }: Serving): Origin {
    let headers: OriginHeaders = {}
    return {
        async take(length) {
            const { bytes, ...origin } = await core.raw(length)
            headers = rawHeaders(origin)
            return bytes
        },
        headers: () => headers,
    }
}
