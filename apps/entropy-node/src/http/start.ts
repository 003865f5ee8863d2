/** The HTTP side of an entropy node: in the process that has the sources, or in processes of its own. */
import type { Logger } from "@tallylight/node/logger.js"
import { newRegistry } from "@tallylight/node/metrics.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { FastifyInstance } from "fastify"
import type { Registry } from "prom-client"
import type { NodeCore } from "../core/node-core.ts"
import { BudgetBook } from "./budget.ts"
import type { Door } from "./caller.ts"
import { Counts } from "./counts.ts"
import { makeServing, openPorts, openSocket } from "./doors.ts"
import type { Doors } from "./doors.ts"
import { answerForwarded, collectRoutes } from "./forward.ts"
import type { ForwardedRoute, Plugin } from "./forward.ts"
import { metricsRoute } from "./metrics.ts"
import { makePlan } from "./plan.ts"
import type { Plan } from "./plan.ts"
import { makeServer } from "./server.ts"
import type { OtherRoutes } from "./server.ts"
import type { Serving } from "./serving.ts"
import type { HttpSettings } from "./settings.ts"
import { Workers } from "./workers.ts"
import type { Program } from "./worker-process.ts"

export type HttpOptions = {
    readonly settings: HttpSettings
    readonly core: NodeCore
    readonly log: Logger
    /** More routes, on every port and on the socket. They run in this process, and may hold what they like. */
    readonly plugins?: readonly Plugin[]
    /** Whose metrics /metrics shows beside those of this side; a new one where absent. */
    readonly registry?: Registry
    readonly clock?: Clock
    /** Of the workers; found beside this file where absent. */
    readonly program?: Program
}

export type Http = {
    /** https first where there is TLS, the socket (unix:PATH) last. */
    readonly urls: readonly string[]
    /** Undefined where this process serves by itself. */
    readonly workers: Workers | undefined
    /** Requests in progress have limits.stopMs to end. */
    readonly close: () => Promise<void>
}

/** Resolves when it listens. Rejects with a UserError where settings, files or addresses are wrong. */
export async function startHttp(options: HttpOptions): Promise<Http> {
    const { settings, core, log, plugins = [], registry = newRegistry(), clock = systemClock } = options
    const plan = await makePlan(settings, clock.now())
    const counts = new Counts()
    const budgets = new BudgetBook(clock)
    const onDefect = (err: unknown): void => log.error({ err }, "request failed")
    const serving = makeServing(plan, { core, budgets, counts, clock, onDefect })
    const own = [metricsRoute(registry, core, counts), ...plugins]
    const others: OtherRoutes = (server) => own.forEach((plugin) => plugin(server))

    const socket = await openSocket(plan, serving, others)
    try {
        const ports =
            settings.workers === 0
                ? { ...(await openPorts(plan, serving, others)), workers: undefined }
                : await startWorkers(options, plan, serving, others)
        return {
            urls: [...ports.urls, ...socket.urls],
            workers: ports.workers,
            close: async () => {
                await Promise.all([ports.close(), socket.close()])
            },
        }
    } catch (error) {
        await socket.close()
        throw error
    }
}

async function startWorkers(
    { log, program = ownProgram() }: HttpOptions,
    plan: Plan,
    serving: Serving,
    others: OtherRoutes,
): Promise<Doors & { readonly workers: Workers }> {
    // These listen nowhere: they answer what workers forward.
    const inner = new Map<Door, FastifyInstance>()
    const closing: (() => Promise<void>)[] = []
    let routes: readonly ForwardedRoute[] = []
    for (const door of ["http", "https"] as const) {
        const { http, close } = await makeServer(serving, door, (server, by) => {
            routes = collectRoutes(server)
            others(server, by)
        })
        inner.set(door, http)
        closing.push(close)
    }
    const { core, budgets, counts, clock } = serving
    const { workers, urls } = await Workers.start({
        ...{ plan, program, routes, counts, clock, log },
        primary: {
            status: () => core.status(),
            seed: () => core.seed(),
            raw: (length) => core.raw(length),
            setQueue: (settings) => core.setQueue(settings),
            setConsumption: (consumption) => core.setConsumption(consumption),
            spend: (caller, budget, bytes) => budgets.spend(caller, budget, bytes),
            refund: (caller, period, bytes) => budgets.refund(caller, period, bytes),
            forward: (request) => answerForwarded(inner, request),
        },
    })
    const close = async (): Promise<void> => {
        await workers.close()
        await Promise.all(closing.map((end) => end()))
    }
    return { urls, workers, close }
}

/** Found as any import is: the compiled one, or the source where that is what runs (Node's options are inherited). */
function ownProgram(): Program {
    return { url: new URL(import.meta.resolve("@tallylight/entropy-node/http/worker.js")) }
}
