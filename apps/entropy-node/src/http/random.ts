/**
 * GET /v1/random: amplified bytes, the one route that is worth being fast. It is answered with Node's own request and
 * response, before Fastify's router.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { NotReady } from "../core/node-core.ts"
import { mostAtOnce, smallBytes } from "./amplifier.ts"
import type { Seeded } from "./amplifier.ts"
import { callerOf, checkHost } from "./caller.ts"
import type { Door } from "./caller.ts"
import { encoded, encodedLength, latin1, mediaTypes } from "./encoding.ts"
import type { Encoding } from "./encoding.ts"
import { answerOf, Problem } from "./problem.ts"
import { parse, randomQuery } from "./schema.ts"
import { amplifiedList, paid, privately } from "./serving.ts"
import type { OriginHeaders, Serving } from "./serving.ts"
import type { Caller } from "./tokens.ts"

export const randomPath = "/v1/random"

type Wanted = { readonly bytes: number; readonly encoding: Encoding }

/**
 * Made at a time: so much stays in a core's cache. A multiple of 3, so that pieces of base64 join without padding between
 * them, and of whole blocks of AES.
 */
const pieceBytes = 63 * 1024

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
    await paid(serving, caller, wanted.bytes, async (allowance) =>
        give(serving, response, wanted, amplifier.fresh ?? (await amplifier.refresh()), allowance),
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
): void {
    const { amplifier, counts } = serving
    const holds = heldAtOnce(serving, response, bytes)
    serving.held.hold(response, holds)
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
        // Half an answer is told by cutting it off: its length was promised.
        stream(serving, response, { bytes, encoding }).catch((error: unknown) => {
            if (!(error instanceof NotReady)) serving.onDefect(error)
            response.destroy()
        })
    }
}

/** How many bytes may wait at a time for that response: all of them, or a piece. */
function heldAtOnce({ held }: Serving, response: ServerResponse, bytes: number): number {
    // All streams of an HTTP/2 session together may hold no more than Node allows it: ten megabytes.
    const atMost = response.req.httpVersionMajor === 1 ? mostAtOnce : pieceBytes
    return bytes <= Math.min(atMost, held.room) ? bytes : Math.min(bytes, pieceBytes)
}

/** Makes a piece when the one before has left: a client that stops reading has one piece waiting, and no more. */
async function stream(
    { amplifier, counts }: Serving,
    response: ServerResponse,
    { bytes, encoding }: Wanted,
): Promise<void> {
    const flow = new Flow(response)
    for (let left = bytes; left > 0 && !flow.isOver;) {
        if (amplifier.fresh === undefined) await amplifier.refresh()
        const length = Math.min(left, pieceBytes)
        const hasRoom = response.write(encoded(encoding, amplifier.take(length)))
        counts.gave("fortuna", length)
        left -= length
        if (!hasRoom) await flow.room()
    }
    response.end()
}

/** HTTP/2's response says nowhere else that its client has gone. */
class Flow {
    isOver = false
    #go: (() => void) | undefined

    constructor(response: ServerResponse) {
        response.on("drain", () => this.#go?.())
        response.once("close", () => {
            this.isOver = true
            this.#go?.()
        })
    }

    /** Resolves when more may be written, or the client has gone. */
    room(): Promise<void> {
        return new Promise((resolve) => {
            this.#go = resolve
            if (this.isOver) resolve()
        })
    }
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
