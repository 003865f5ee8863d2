/**
 * Routes that only the process with the sources has: metrics, and those of plugins, whose data cannot be in two places.
 * A worker has the same routes and sends what it is asked to that process, where Fastify answers it as if it had come
 * there. Answers go back whole, so such a route streams nothing.
 */
import type { IncomingHttpHeaders } from "node:http"
import type { FastifyInstance, HTTPMethods } from "fastify"
import type { Door } from "./caller.ts"

/** Adds routes; answered in the process that has the sources, however many serve HTTP. */
export type Plugin = (server: FastifyInstance) => void

export type ForwardedRoute = {
    readonly method: HTTPMethods[]
    readonly url: string
    readonly open: boolean
    readonly bodyLimit: number | undefined
}

export type Forwarded = {
    readonly door: Door
    readonly method: string
    readonly url: string
    readonly headers: IncomingHttpHeaders
    /** Empty where there is none. */
    readonly body: Uint8Array
    readonly remoteAddress: string
}

export type ForwardedAnswer = {
    readonly status: number
    readonly headers: Readonly<Record<string, string | string[]>>
    readonly body: Uint8Array
}

/** Of everything that is added to `server` from now on. */
export function collectRoutes(server: FastifyInstance): readonly ForwardedRoute[] {
    const routes: ForwardedRoute[] = []
    server.addHook("onRoute", ({ method, url, config, bodyLimit }) => {
        const methods = Array.isArray(method) ? method : [method]
        routes.push({ method: methods, url, open: config?.open === true, bodyLimit })
    })
    return routes
}

/** The other process's routes, in a worker. */
export function addForwarded(
    server: FastifyInstance,
    routes: readonly ForwardedRoute[],
    door: Door,
    forward: (request: Forwarded) => Promise<ForwardedAnswer>,
): void {
    void server.register((inner, _, done) => {
        inner.removeAllContentTypeParsers()
        // As it came, for the other process to parse.
        inner.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, parsed) => parsed(null, body))
        for (const { method, url, open, bodyLimit } of routes) {
            inner.route({
                // HEAD too is answered there, which alone knows the length of what GET would give.
                ...{ method, url, config: { open }, exposeHeadRoute: false },
                ...(bodyLimit !== undefined && { bodyLimit }),
                async handler(request, reply) {
                    const { raw, body, ip } = request
                    const answer = await forward({
                        ...{ door, method: raw.method ?? "GET", url: raw.url ?? "/", remoteAddress: ip },
                        headers: requestHeaders(raw.headers),
                        body: body instanceof Uint8Array ? body : new Uint8Array(),
                    })
                    // What was answered elsewhere was counted there.
                    request.counted = true
                    return reply.code(answer.status).headers(answer.headers).send(answer.body)
                },
            })
        }
        done()
    })
}

/** The process with the sources answers what a worker was asked. */
export async function answerForwarded(
    servers: ReadonlyMap<Door, FastifyInstance>,
    { door, method, url, headers, body, remoteAddress }: Forwarded,
): Promise<ForwardedAnswer> {
    const server = servers.get(door)
    if (server === undefined) throw new Error(`a worker forwarded what came by ${door}`)
    const {
        statusCode,
        headers: answered,
        rawPayload,
    } = await server.inject({
        ...{ method: method as "GET", url, headers, remoteAddress },
        ...(body.length > 0 && { payload: Buffer.from(body) }),
    })
    return { status: statusCode, headers: answerHeaders(method, answered), body: rawPayload }
}

/** HTTP/2's pseudo-headers are no headers to HTTP/1.1, where :authority is Host (RFC 9113 §8.3.1). */
function requestHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
    const { [":authority"]: authority, ...others } = headers
    const named = Object.entries(others).filter(([name]) => !name.startsWith(":"))
    return {
        ...(authority !== undefined && { host: String(authority) }),
        ...Object.fromEntries(named),
    }
}

/** Those of the connection between the processes are none of the client's. */
const ofConnection = new Set(["connection", "keep-alive", "transfer-encoding", "date"])

function answerHeaders(
    method: string,
    headers: Readonly<Record<string, unknown>>,
): Record<string, string | string[]> {
    return Object.fromEntries(
        Object.entries(headers)
            // The length of a body is that of the one that is sent; of an answer to HEAD, that of GET's.
            .filter(([name]) => !ofConnection.has(name) && (name !== "content-length" || method === "HEAD"))
            .map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)]),
    )
}
