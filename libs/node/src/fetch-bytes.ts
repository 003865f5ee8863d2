/** Bodies over HTTP from servers that nobody trusts: never more of them in memory than the caller can use. */
import { untilAny } from "@tallylight/protocol/ports/until-any.js"
import { Agent, fetch, type Response } from "undici"

import { tlsProblem } from "./tls-problem.ts"
import { systemCode, UserError } from "./user-error.ts"

export type FetchLimits = {
    readonly maxBytes: number
    /** For the whole answer. */
    readonly timeoutMs: number
    readonly signal: AbortSignal
    /** Certificates in PEM, to be trusted instead of the public authorities. */
    readonly ca?: string | undefined
}

/** One for each set of authorities: it keeps connections open for the next request. */
const agents = new Map<string, Agent>()

function agentOf(ca: string): Agent {
    const agent = agents.get(ca) ?? new Agent({ connect: { ca } })
    agents.set(ca, agent)
    return agent
}

/**
 * The body at that address; undefined where there is nothing (404 and 410). Rejects with a {@link UserError} where
 * the answer is too large, with a plain Error where trying again may help.
 */
export async function fetchBytes(url: string, limits: FetchLimits): Promise<Uint8Array | undefined> {
    const { maxBytes, timeoutMs, signal, ca } = limits
    try {
        return await untilAny([signal, AbortSignal.timeout(timeoutMs)], async (over) => {
            const response = await fetch(url, {
                signal: over,
                ...(ca !== undefined && { dispatcher: agentOf(ca) }),
            })
            if (response.ok) return await readAtMost(response, maxBytes)
            await response.body?.cancel()
            if (response.status === 404 || response.status === 410) return undefined
            throw new Error(`it answers ${response.status}`)
        })
    } catch (error) {
        signal.throwIfAborted()
        if (error instanceof TooLarge)
            throw new UserError(`${url} answers with more than ${maxBytes} bytes`, { cause: error })
        // fetch hides what the operating system said behind "fetch failed".
        const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
        const code = systemCode(cause)
        const reason = tlsProblem(cause) ?? (cause instanceof Error ? cause.message : String(cause))
        throw new Error(
            code === "ECONNREFUSED" ? `nothing listens at ${url}` : `cannot read ${url}: ${reason}`,
            {
                cause: error,
            },
        )
    }
}

class TooLarge extends Error {}

/** Counts what arrives, after decompression: a length that the server states binds nobody. */
async function readAtMost(response: Response, maxBytes: number): Promise<Uint8Array> {
    if (response.body === null) return new Uint8Array()
    const chunks: Uint8Array[] = []
    let length = 0
    // Leaving the loop cancels the rest of the answer.
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        length += chunk.length
        if (length > maxBytes) throw new TooLarge()
        chunks.push(chunk)
    }
    const bytes = new Uint8Array(length)
    let at = 0
    for (const chunk of chunks) {
        bytes.set(chunk, at)
        at += chunk.length
    }
    return bytes
}
