/** What holds for every route: who may ask, what is counted, and how it is refused. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify"
import { callerOf, checkHost } from "./caller.ts"
import type { Door } from "./caller.ts"
import { answerOf, Problem } from "./problem.ts"
import { paid, privately } from "./serving.ts"
import type { OriginHeaders, Serving } from "./serving.ts"
import type { Caller } from "./tokens.ts"

declare module "fastify" {
    interface FastifyContextConfig {
        /** Answered without a token too, wherever there are tokens. */
        open?: boolean
    }
    interface FastifyRequest {
        /** Who asks; undefined on open routes. */
        caller: Caller | undefined
        /** Whether whoever answered it has counted it. */
        counted: boolean
        /** What `make` gives, for which the caller pays so many bytes; see serving.ts. On routes that are not open. */
        paid: <Made>(bytes: number, make: (allowance: OriginHeaders) => Made | Promise<Made>) => Promise<Made>
    }
}

export type Refuse = (error: unknown, reply: FastifyReply) => FastifyReply

export function refuser({ onDefect }: Serving): Refuse {
    return (error, reply) => {
        const { status, headers, body } = answerOf(error, onDefect)
        return reply
            .code(status)
            .headers({ ...privately, ...headers })
            .send(body)
    }
}

/** What holds for every route of a server, plugins' included. Before any of them is added. */
export function addRules(server: FastifyInstance, serving: Serving, door: Door, refuse: Refuse): void {
    const { admission, counts } = serving
    server.decorateRequest("caller", undefined)
    server.decorateRequest("counted", false)
    server.decorateRequest("paid", function (bytes, make) {
        return paid(serving, known(this), bytes, make)
    })
    // Pages of other sites may send it without being allowed to; JSON they may not.
    server.removeContentTypeParser("text/plain")
    server.addHook("onRequest", (request, reply, next) => {
        reply.headers(privately)
        checkHost(request.headers, door, admission)
        if (request.routeOptions.config.open !== true)
            request.caller = callerOf(request.headers, door, admission)
        next()
    })
    server.addHook("onSend", (request, reply, _, next) => {
        // HTTP/2 has no such header (RFC 9113 §8.2.2), and Node says so on standard error.
        if (request.raw.httpVersionMajor === 2) reply.removeHeader("connection")
        next()
    })
    server.addHook("onResponse", ({ method, routeOptions, counted }, reply, next) => {
        if (!counted) counts.answered(method, routeOptions.url ?? "none", reply.statusCode)
        next()
    })
    server.setErrorHandler((error, _, reply) => refuse(error, reply))
    server.setNotFoundHandler((_, reply) =>
        refuse(new Problem("no-such-route", "there is no such route; /docs shows those there are"), reply),
    )
}

/** Who asks on a route that is not open. */
export function known({ caller }: FastifyRequest): Caller {
    if (caller === undefined) throw new Error("a route that is not open was answered without a caller")
    return caller
}
