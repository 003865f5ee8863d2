/** Where parties get the bytes for their points, each with a statement that is signed for it in that round. */
import { drawAnswerJson, drawnBytes, drawPath, drawRequest } from "@tallylight/node/draw-exchange.js"
import type { Signer } from "@tallylight/protocol/chain/signer.js"
import { makeStatement } from "@tallylight/protocol/round/statement.js"
import type { LockState, StatedSource } from "@tallylight/protocol/round/statement.js"
import type { FastifyInstance } from "fastify"
import type { Core } from "../core/core.ts"
import type { SourceStatus } from "../core/node-core.ts"
import { parse } from "../http/schema.ts"

export function addDrawRoute(
    server: FastifyInstance,
    core: Pick<Core, "draw" | "status">,
    identity: Signer,
): void {
    server.post(drawPath, (request, reply) => {
        const { identity: party, ...context } = parse(drawRequest, request.body)
        return request.paid(drawnBytes, async (allowance) => {
            const { bytes, time, sources } = await core.draw()
            const { reseeds } = (await core.status()).pool
            const statement = makeStatement(context, party, identity, {
                ...{ time, reseeds },
                sources: sources.map(statedSource),
            })
            return reply.headers(allowance).send(drawAnswerJson({ bytes, statement }))
        })
    })
}

function statedSource({ name, kind, simulated, state, facts, bytes, health }: SourceStatus): StatedSource {
    const { repetitionFailures, proportionFailures, startupFailures, selfTestFailures } = health
    const failures = repetitionFailures + proportionFailures + startupFailures + selfTestFailures
    return { name, kind, simulated, state, lock: lockOf(facts), bytes, failures }
}

/** Of the zone whose lock decides what a chip's random bytes are worth. */
function lockOf({ configLocked }: SourceStatus["facts"]): LockState {
    if (typeof configLocked !== "boolean") return "none"
    return configLocked ? "locked" : "unlocked"
}
