/**
 * GET /v1/random: amplified bytes, the one route that is worth being fast. It is answered with Node's own request and
 * response, before Fastify's router.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { mostAtOnce, smallBytes } from "./amplifier.ts"
import type { Seeded } from "./amplifier.ts"
import { callerOf, checkHost } from "./caller.ts"
import type { Door } from "./caller.ts"
import { encoded, encodedLength, latin1, mediaTypes } from "./encoding.ts"
import type { Encoding } from "./encoding.ts"
import { answerOf, Problem } from "./problem.ts"
import { parse, randomQuery } from "./schema.ts"
import { amplifiedList, paid, privately } from "./serving.ts"
import type { OriginHeaders, Refund, Serving } from "./serving.ts"
import { pieceBytes, stream } from "./stream.ts"
import type { Caller } from "./tokens.ts"

export const randomPath = "/v1/random"

type Wanted = { readonly bytes: number; readonly encoding: Encoding }

export function isRandom({ method, url }: IncomingMessage): boolean {
    if (method !== "GET" || url?.startsWith(randomPath) !== true) return false
    return url.length === randomPath.length || url.charCodeAt(randomPath.length) === 0x3f
}

/** Answers whatever comes of it, also what is wrong with the request. */
export function answerRandom(
    serving: Serving,
    door: Door,
    request: IncomingMessage,
    response: ServerResponse,
): void {
    try {
        checkHost(request.headers, door, serving.admission)
        const caller = callerOf(request.headers, door, serving.admission)
        const wanted = parseWanted(request.url ?? "")
        const { streamBytes } = serving.limits
        if (wanted.bytes > streamBytes) {
            const detail = `bytes: at most ${streamBytes} in one request`
            throw new Problem("malformed", detail, { most: streamBytes })
        }
        const seeded = serving.amplifier.fresh
        // With a fresh seed and no budget there is nothing to wait for, and a promise would cost as much as the rest.
        if (seeded !== undefined && caller.budget === undefined) give(serving, response, wanted, seeded)
        else
            giveOnce(serving, response, wanted, caller).catch((error: unknown) =>
                refuse(serving, response, error),
            )
    } catch (error) {
        refuse(serving, response, error)
    }
}

/** Once there is a fresh seed, and the caller has paid. */
async function giveOnce(
    serving: Serving,
    response: ServerResponse,
    wanted: Wanted,
    caller: Caller,
): Promise<void> {
    const { amplifier } = serving
    // Whoever would get nothing spends nothing.
    if (amplifier.fresh === undefined) await amplifier.refresh()
    await paid(serving, caller, wanted.bytes, async (allowance, refund) =>
        give(serving, response, wanted, amplifier.fresh ?? (await amplifier.refresh()), allowance, refund),
    )
}

/** Almost every query is this one, and a parser that takes all of them costs as much as making the bytes. */
const plainQuery = /^\/v1\/random\?bytes=([1-9][0-9]{0,9})$/

function parseWanted(url: string): Wanted {
    const [, digits] = plainQuery.exec(url) ?? []
    if (digits !== undefined) return { bytes: Number(digits), encoding: "raw" }
    const { searchParams } = new URL(url, "http://localhost")
    const repeated = [...searchParams.keys()].find((name) => searchParams.getAll(name).length > 1)
    if (repeated !== undefined) throw new Problem("malformed", `${repeated}: once is enough`)
    return parse(randomQuery, Object.fromEntries(searchParams))
}

/** Throws a {@link Problem} `busy`, and has then given nothing. */
function give(
    serving: Serving,
    response: ServerResponse,
    { bytes, encoding }: Wanted,
    seeded: Seeded,
    allowance?: OriginHeaders,
    refund?: Refund,
): void {
    const { amplifier, counts } = serving
    const holds = heldAtOnce(serving, response, bytes, encoding)
    if (bytes > smallBytes) serving.held.hold(response, encodedLength(encoding, holds))
    const headers = amplifiedList(seeded, amplifier.ages(seeded))
    if (allowance !== undefined) headers.push(...Object.entries(allowance).flat())
    headers.push("content-type", mediaTypes[encoding])
    headers.push("content-length", String(encodedLength(encoding, bytes)))
    response.writeHead(200, headers)
    counts.answered("GET", randomPath, 200)
    if (bytes <= smallBytes) {
        counts.gave("fortuna", bytes)
        // Text leaves in one piece with the headers.
        if (encoding === "raw") response.end(latin1(amplifier.take(bytes)), "latin1")
        else response.end(encoded(encoding, amplifier.take(bytes)))
    } else if (holds === bytes) {
        counts.gave("fortuna", bytes)
        // Headers and pieces leave together.
        response.cork()
        for (const piece of amplifier.takePieces(bytes, pieceBytes)) response.write(encoded(encoding, piece))
        response.end()
    } else {
        void stream(serving, response, bytes, encoding, refund)
    }
}

/** How many bytes may wait at a time for that response, as they are before they are written: all of them, or a piece. */
function heldAtOnce({ held }: Serving, response: ServerResponse, bytes: number, encoding: Encoding): number {
    // All streams of an HTTP/2 session together may hold no more than Node allows it: ten megabytes.
    const atMost = response.req.httpVersionMajor === 1 ? mostAtOnce : pieceBytes
    const fits = bytes <= atMost && encodedLength(encoding, bytes) <= held.room
    return fits ? bytes : Math.min(bytes, pieceBytes)
}

function refuse({ counts, onDefect }: Serving, response: ServerResponse, error: unknown): void {
    const { status, headers, body } = answerOf(error, onDefect)
    const text = JSON.stringify(body)
    counts.answered("GET", randomPath, status)
    response.writeHead(status, {
        ...privately,
        ...headers,
        "content-type": "application/json; charset=utf-8",
        "content-length": String(Buffer.byteLength(text)),
    })
    response.end(text)
}
