/** The servers of one serving process. */
import { FortunaGenerator } from "@tallylight/entropy/fortuna.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { NodeCore } from "../core/node-core.ts"
import { Amplifier } from "./amplifier.ts"
import type { Budgets } from "./budget.ts"
import { Connections } from "./connections.ts"
import type { Counts } from "./counts.ts"
import { Held } from "./held.ts"
import { listen, listenOnSocket } from "./listening.ts"
import type { Plan } from "./plan.ts"
import { fortunaPrimitives } from "../core/fortuna-primitives.ts"
import { makeServer } from "./server.ts"
import type { OtherRoutes } from "./server.ts"
import type { Serving } from "./serving.ts"
import { Tokens } from "./tokens.ts"
import { Turns } from "./turns.ts"

export type Doors = {
    /** https first, and unix: last. */
    readonly urls: readonly string[]
    readonly close: () => Promise<void>
}

export type ServingParts = {
    readonly core: NodeCore
    readonly budgets: Budgets
    readonly counts: Counts
    readonly clock: Clock
    readonly onDefect: (error: unknown) => void
}

export function makeServing({ settings, tokens }: Plan, parts: ServingParts): Serving {
    const { host, hostNames, allowOpen, budgets, limits, reseed } = settings
    const generator = new FortunaGenerator(fortunaPrimitives)
    return {
        ...parts,
        amplifier: new Amplifier(parts.core, generator, reseed, parts.clock),
        admission: {
            ...{ host, hostNames, allowOpen, openBudget: budgets.open },
            tokens: tokens === undefined ? undefined : new Tokens(tokens),
        },
        limits,
        connections: new Connections(limits.connections),
        held: new Held(limits.heldBytes),
        turns: new Turns(),
    }
}

/** The ports. Rejects with a UserError where one cannot be had, and then none is open. */
export async function openPorts(plan: Plan, serving: Serving, others: OtherRoutes): Promise<Doors> {
    const { host, port, tls } = plan.settings
    const opening: Opening[] = []
    if (tls !== undefined && plan.credentials !== undefined) {
        const { http, close } = await makeServer(serving, "https", others, plan.credentials)
        opening.push({ close, open: () => listen(http, "https", host, tls.port) })
    }
    if (port !== null) {
        const { http, close } = await makeServer(serving, "http", others)
        opening.push({ close, open: () => listen(http, "http", host, port) })
    }
    return openAll(opening)
}

/** The Unix socket, where one is set. */
export async function openSocket({ settings }: Plan, serving: Serving, others: OtherRoutes): Promise<Doors> {
    const { socket } = settings
    if (socket === undefined) return { urls: [], close: () => Promise.resolve() }
    const { http, close } = await makeServer(serving, "socket", others)
    let remove = (): Promise<void> => Promise.resolve()
    const open = async (): Promise<string> => {
        remove = await listenOnSocket(http, socket)
        return `unix:${socket.path}`
    }
    return openAll([{ open, close: () => close().then(() => remove()) }])
}

type Opening = { readonly open: () => Promise<string>; readonly close: () => Promise<void> }

async function openAll(openings: readonly Opening[]): Promise<Doors> {
    const close = async (): Promise<void> => {
        await Promise.all(openings.map((opening) => opening.close()))
    }
    try {
        const urls: string[] = []
        for (const { open } of openings) urls.push(await open())
        return { urls, close }
    } catch (error) {
        await close()
        throw error
    }
}
