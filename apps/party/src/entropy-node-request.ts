/** One request to an entropy node, over a channel that is private and belongs to that node. */
import { request as plainRequest } from "node:http"
import type { IncomingMessage } from "node:http"
import { request as tlsRequest } from "node:https"
import { concatBytes, toUtf8 } from "@tallylight/crypto/bytes.js"
import { readIfThere } from "@tallylight/node/durable-file.js"
import { refuseReadableByOthers } from "@tallylight/node/key-files.js"
import { readAuthorities } from "@tallylight/node/server-settings.js"
import { tlsProblem } from "@tallylight/node/tls-problem.js"
import { UserError } from "@tallylight/node/user-error.js"
import { addressOf } from "./entropy-node-settings.ts"
import type { EntropyNodeAddress, EntropyNodeSettings } from "./entropy-node-settings.ts"

/** What {@link requestJson} needs to know of a node, read once. */
export type EntropyNodeChannel = EntropyNodeAddress & {
    readonly ca: string | undefined
    readonly token: string | undefined
}

/** Rejects with a {@link UserError} where a file is missing, of the wrong sort, or readable by others. */
export async function openChannel(settings: EntropyNodeSettings): Promise<EntropyNodeChannel> {
    const { tokenFile, caFile } = settings
    const address = addressOf(settings.url)
    // Whoever pinned a certificate believes that it is looked at.
    if (caFile !== undefined && address.url.protocol !== "https:")
        throw new UserError(`entropyNode.caFile is for https, and ${settings.url} shows no certificate`)
    const token = tokenFile === undefined ? undefined : await readToken(tokenFile)
    return { ...address, ca: await readAuthorities(caFile), token }
}

async function readToken(file: string): Promise<string> {
    const content = await readIfThere(file)
    if (content === undefined)
        throw new UserError(`there is no file ${file}, which should hold the entropy node's token`)
    await refuseReadableByOthers(file)
    const token = content.toString("latin1").trim()
    // RFC 6750 §2.1.
    if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token))
        throw new UserError(`${file} holds no token: one line, as the entropy node's operator gave it`)
    return token
}

/** Statuses are its own to judge. */
export type Answered = { readonly status: number; readonly json: unknown }

/** Some 8 KiB of statement in hexadecimal, or a list of sources; a node that says more is none. */
const maxBytes = 256 * 1024

/**
 * Where `body` is missing, it only asks. The JSON is undefined where the answer has none. Rejects with an Error whose
 * message is half a sentence: it may help to try again. Redirections are not followed: the token is for this node.
 */
export async function requestJson(
    { url, socketPath, ca, token }: EntropyNodeChannel,
    path: string,
    signal: AbortSignal,
    body?: unknown,
): Promise<Answered> {
    const send = url.protocol === "https:" ? tlsRequest : plainRequest
    const content = body === undefined ? undefined : JSON.stringify(body)
    try {
        const request = send(`${url.href.replace(/\/$/, "")}${path}`, {
            method: content === undefined ? "GET" : "POST",
            headers: {
                accept: "application/json",
                ...(content !== undefined && { "content-type": "application/json" }),
                ...(token !== undefined && { authorization: `Bearer ${token}` }),
            },
            // A connection kept from the last round would be one that the node has closed meanwhile.
            ...{ agent: false, signal },
            ...(socketPath !== undefined && { socketPath }),
            ...(ca !== undefined && { ca }),
        })
        const response = await new Promise<IncomingMessage>((resolve, reject) => {
            request.once("response", resolve).on("error", reject).end(content)
        })
        return { status: response.statusCode ?? 0, json: parseJson(await readAtMost(response)) }
    } catch (error) {
        if (signal.aborted) throw new Error("it does not answer in time", { cause: error })
        const words = tlsProblem(error)?.replaceAll("--ca", "entropyNode.caFile")
        const reason = words ?? (error instanceof Error ? error.message : String(error))
        throw new Error(reason, { cause: error })
    }
}

async function readAtMost(response: IncomingMessage): Promise<Uint8Array> {
    const chunks: Uint8Array[] = []
    let length = 0
    // Leaving the loop ends the connection.
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
        length += chunk.length
        if (length > maxBytes) throw new Error(`it answers with more than ${maxBytes} bytes`)
        chunks.push(chunk)
    }
    return concatBytes(...chunks)
}

function parseJson(bytes: Uint8Array): unknown {
    try {
        return JSON.parse(toUtf8(bytes) ?? "")
    } catch (error) {
        if (error instanceof SyntaxError) return undefined
        throw error
    }
}
