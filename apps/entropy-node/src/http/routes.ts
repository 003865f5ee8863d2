/** The routes that every serving process answers by itself. */
import swaggerUi from "@fastify/swagger-ui"
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify"
import type { NodeStatus } from "../core/node-core.ts"
import { callerOf, checkHost, requireAdmin } from "./caller.ts"
import type { Door } from "./caller.ts"
import { amplifiedOrigin, makeData } from "./data.ts"
import { openApiDocument } from "./openapi.ts"
import { heatmapOf, heatmapSide, imageOf, sampleRate, soundOf } from "./pictures.ts"
import { answerOf, Problem } from "./problem.ts"
import { answerRandom, randomPath } from "./random.ts"
import {
    consumptionChange,
    dataRequest,
    heatmapQuery,
    imageQuery,
    parse,
    queueChange,
    soundQuery,
} from "./schema.ts"
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
        /** What `make` gives, for which the caller pays so many bytes; see serving.ts. On routes that are not open. */
        paid: <Made>(bytes: number, make: (allowance: OriginHeaders) => Made | Promise<Made>) => Promise<Made>
    }
}

const open = { config: { open: true } } as const

export type Refuse = (error: unknown, reply: FastifyReply) => FastifyReply

export function refuser({ onDefect }: Serving): Refuse {
    return (error, reply) => {
        const { status, headers, body } = answerOf(error, onDefect)
        return reply.code(status).headers(headers).send(body)
    }
}

/** What holds for every route of a server, plugins' included. Before any of them is added. */
export function addRules(server: FastifyInstance, serving: Serving, door: Door, refuse: Refuse): void {
    const { admission, counts } = serving
    server.decorateRequest("caller", undefined)
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
    server.addHook("onResponse", ({ method, routeOptions }, reply, next) => {
        // What was answered elsewhere was counted there.
        if (routeOptions.config.forwarded !== true && (routeOptions.url !== randomPath || method === "HEAD"))
            counts.answered(method, routeOptions.url ?? "none", reply.statusCode)
        next()
    })
    server.setErrorHandler((error, _, reply) => refuse(error, reply))
    server.setNotFoundHandler((_, reply) =>
        refuse(new Problem("no-such-route", "there is no such route; /docs shows those there are"), reply),
    )
}

export async function addRoutes(server: FastifyInstance, serving: Serving, door: Door): Promise<void> {
    const { core } = serving
    server.get("/healthz", open, () => ({ status: "ok" }))
    server.get("/readyz", open, async (_, reply) => {
        const { unready } = await core.status()
        return reply
            .code(unready.length === 0 ? 200 : 503)
            .send({ ready: unready.length === 0, reasons: unready })
    })
    server.get("/api/v1/status", () => core.status())
    server.get("/api/v1/health", async (_, reply) => {
        const health = healthOf(await core.status())
        return reply.code(health.status === "unready" ? 503 : 200).send(health)
    })
    server.get("/api/v1/config/queue", async () => {
        const { capacity, chunk } = (await core.status()).queue
        return { capacity, chunk }
    })
    server.put("/api/v1/config/queue", async (request) => {
        requireAdmin(known(request))
        const { capacity, chunk } = parse(queueChange, request.body)
        return core.setQueue({
            ...(capacity !== undefined && { capacity }),
            ...(chunk !== undefined && { chunk }),
        })
    })
    server.get("/api/v1/config/consumption", async () => {
        const { consumption } = (await core.status()).queue
        return { consumption }
    })
    server.put("/api/v1/config/consumption", async (request) => {
        requireAdmin(known(request))
        const { consumption } = parse(consumptionChange, request.body)
        return { consumption: await core.setConsumption(consumption) }
    })
    server.post("/api/v1/data", async (request, reply) => {
        const { type, body, headers } = await makeData(
            serving,
            parse(dataRequest, request.body),
            known(request),
            reply.raw,
        )
        return reply.headers(headers).type(type).send(body)
    })
    addPictures(server, serving)
    // Where it comes this far: as HEAD, for which nothing is drawn, or in a way that random.ts leaves to the router.
    server.route({
        ...{ method: ["GET", "HEAD"], url: randomPath },
        handler({ raw, method }, reply) {
            if (method === "HEAD") return reply.type("application/octet-stream").send()
            reply.hijack()
            answerRandom(serving, door, raw, reply.raw)
            return reply
        },
    })
    await addDescription(server)
}

/** Each is small enough to be made in one turn; nothing of it is kept. */
function addPictures(server: FastifyInstance, serving: Serving): void {
    const drawn = (
        path: string,
        type: string,
        plan: (query: unknown) => {
            readonly bytes: number
            /** Of what is sent, in bytes, but for some headers. */
            readonly length: number
            readonly make: (bytes: Uint8Array) => Uint8Array
        },
    ): void => {
        server.get(path, { exposeHeadRoute: false }, async (request, reply) => {
            const { bytes, length, make } = plan(request.query)
            serving.held.hold(reply.raw, length)
            const origin = await amplifiedOrigin(serving)
            return paid(serving, known(request), bytes, async (allowance) => {
                const content = await serving.turns.take(reply.raw, async () =>
                    make(await origin.take(bytes)),
                )
                serving.counts.gave("fortuna", bytes)
                return reply
                    .headers({ ...origin.headers(), ...allowance })
                    .type(type)
                    .send(content)
            })
        })
        server.head(path, (_, reply) => reply.type(type).send())
    }
    drawn("/v1/image/random", "image/png", (query) => {
        const { width, height } = parse(imageQuery, query)
        const most = serving.limits.imagePixels
        if (Math.max(width, height) > most)
            throw new Problem("malformed", `width and height: at most ${most} pixels`, { most })
        const bytes = 3 * width * height
        return { bytes, length: bytes, make: (bytes) => imageOf(bytes, width, height) }
    })
    drawn("/v1/image/heatmap", "image/png", (query) => {
        const { pairs } = parse(heatmapQuery, query)
        return { bytes: 2 * pairs, length: heatmapSide ** 2, make: heatmapOf }
    })
    drawn("/v1/sound", "audio/wav", (query) => {
        const { seconds } = parse(soundQuery, query)
        const bytes = 2 * sampleRate * seconds
        return { bytes, length: bytes, make: soundOf }
    })
}

async function addDescription(server: FastifyInstance): Promise<void> {
    const document = openApiDocument()
    server.get("/openapi.json", open, () => document)
    // swagger-ui asks for the plugin that would make a document of the routes, and for nothing of it but this method.
    const described = (instance: FastifyInstance, _: object, done: () => void): void => {
        instance.decorate("swagger", () => document)
        done()
    }
    await server.register(
        Object.assign(described, {
            [Symbol.for("skip-override")]: true,
            [Symbol.for("plugin-meta")]: { name: "@fastify/swagger" },
        }),
    )
    await server.register(async (inner) => {
        inner.addHook("onRoute", (route) => {
            route.config = { ...route.config, open: true }
        })
        await inner.register(swaggerUi, {
            routePrefix: "/docs",
            uiConfig: { validatorUrl: null, deepLinking: false },
            // All that the page loads is served here; its style sheet has pictures in data: addresses.
            staticCSP:
                "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
        })
    })
}

function healthOf({ unready, simulated, sources }: NodeStatus) {
    const degraded = sources.some(({ state }) => state !== "healthy")
    return {
        status: unready.length > 0 ? "unready" : degraded ? "degraded" : "ok",
        simulated,
        reasons: unready,
        sources: sources.map(({ name, kind, simulated, state, reason }) => ({
            ...{ name, kind, simulated, state, reason },
        })),
    }
}

function known({ caller }: FastifyRequest): Caller {
    if (caller === undefined) throw new Error("a route that is not open was answered without a caller")
    return caller
}
