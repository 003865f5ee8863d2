/** What a ledger server says at /readyz, for whoever looks after it on its own machine. */
import { once } from "node:events"
import { get as getPlain } from "node:http"
import type { IncomingMessage } from "node:http"
import { get as getSecure } from "node:https"
import type { z } from "zod"
import type { PdlConfig } from "../config.ts"
import { answers } from "./schema.ts"

const mostBytes = 64 * 1024

/** Undefined where it is no ledger server that answers; rejects where nobody does. */
export async function askReadiness(
    { host, port, tls }: Pick<PdlConfig, "host" | "port" | "tls">,
    signal: AbortSignal,
): Promise<z.output<typeof answers.readiness> | undefined> {
    const asked = { host, port, path: "/readyz", agent: false, signal } as const
    // The certificate is for the name that clients use, which may not be the address here, and has a check of its own.
    const request = tls === undefined ? getPlain(asked) : getSecure({ ...asked, rejectUnauthorized: false })
    const [response] = (await once(request, "response")) as [IncomingMessage]
    let text = ""
    for await (const chunk of response.setEncoding("utf8")) {
        text += chunk as string
        if (text.length > mostBytes) return undefined
    }
    return answers.readiness.safeParse(parseJson(text)).data
}

function parseJson(text: string): unknown {
    try {
        return JSON.parse(text) as unknown
    } catch (error) {
        if (error instanceof SyntaxError) return undefined
        throw error
    }
}
