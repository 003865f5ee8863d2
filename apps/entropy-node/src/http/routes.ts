/** The routes that every serving process answers by itself. */
import swaggerUi from "@fastify/swagger-ui"
import type { FastifyInstance } from "fastify"
import type { NodeStatus } from "../core/node-core.ts"
import { requireAdmin } from "./caller.ts"
import type { Door } from "./caller.ts"
import { makeData } from "./data.ts"
import { openApiDocument } from "./openapi.ts"
import { addPictures } from "./picture-routes.ts"
import { answerRandom, randomPath } from "./random.ts"
import { known } from "./rules.ts"
import { consumptionChange, dataRequest, parse, queueChange } from "./schema.ts"
import type { Serving } from "./serving.ts"

const open = { config: { open: true } } as const

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
        handler(request, reply) {
            if (request.method === "HEAD") return reply.type("application/octet-stream").send()
            reply.hijack()
            request.counted = true
            answerRandom(serving, door, request.raw, reply.raw)
            return reply
        },
    })
    await addDescription(server)
}

async function addDescription(server: FastifyInstance): Promise<void> {
    const document = openApiDocument(".")
    server.get("/openapi.json", open, () => document)
    // The page's own copy lies a folder deeper.
    const ofPage = openApiDocument("..")
    // swagger-ui asks for the plugin that would make a document of the routes, and for nothing of it but this method.
    const described = (instance: FastifyInstance, _: object, done: () => void): void => {
        instance.decorate("swagger", () => ofPage)
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
            theme: { title: "Tallylight entropy node" },
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
