/** What the read side answers where a request is refused or goes wrong. */
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import type { Facts, RefusalCode } from "@tallylight/protocol/wire/refusal.js"
import type { FastifyReply } from "fastify"

/** With a sentence of its own, where that of the code is about connections and messages. */
export class ReadRefusal extends Refusal {
    constructor(code: RefusalCode, sentence: string, facts: Facts = {}) {
        super(code, facts)
        this.message = `${code}: ${sentence}`
    }
}

function statusOf({ code }: Refusal): number {
    if (code === "rate-limited") return 429
    if (code === "shutting-down") return 503
    return code === "no-such-entry" || code === "wrong-chain" ? 404 : 400
}

export function answerError(
    error: unknown,
    reply: FastifyReply,
    onFailure: (error: unknown) => void,
): FastifyReply {
    if (error instanceof Refusal) {
        return reply
            .code(statusOf(error))
            .send({ code: error.code, detail: error.message, facts: error.facts })
    }
    // Fastify's own refusals of a request carry a status; anything else is a defect of ours, and stays here.
    const status = error instanceof Error && "statusCode" in error ? Number(error.statusCode) : 500
    if (status >= 500) onFailure(error)
    const detail = status < 500 && error instanceof Error ? error.message : "internal error"
    return reply.code(status).send({ code: status < 500 ? "malformed" : "internal", detail, facts: {} })
}
