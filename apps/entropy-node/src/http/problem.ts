/** Every answer that is no success: a code for programs, a sentence for people, facts for both. */
import { NotReady, QueueEmpty } from "../core/node-core.ts"
import type { Allowance } from "./budget.ts"
import { BudgetSpent } from "./budget.ts"

const problems = {
    malformed: 400,
    unauthorized: 401,
    forbidden: 403,
    "no-such-route": 404,
    "too-large": 413,
    "unsupported-type": 415,
    "wrong-host": 421,
    "budget-spent": 429,
    "not-ready": 503,
    "queue-empty": 503,
    busy: 503,
    internal: 500,
} as const

export type ProblemCode = keyof typeof problems
export const problemCodes = Object.keys(problems) as ProblemCode[]

export type Facts = Readonly<Record<string, string | number | boolean | readonly string[]>>

export class Problem extends Error {
    override readonly name = "Problem"
    readonly code: ProblemCode
    readonly facts: Facts

    /** `detail` is a sentence for whoever sent the request. */
    constructor(code: ProblemCode, detail: string, facts: Facts = {}) {
        super(detail)
        this.code = code
        this.facts = facts
    }
}

export type Answer = {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: { readonly code: ProblemCode; readonly detail: string; readonly facts: Facts }
}

/** Seconds until it makes sense to ask again: a start-up test takes some, the queue fills all the time. */
const retryAfter: Readonly<Partial<Record<ProblemCode, string>>> = {
    "not-ready": "5",
    "queue-empty": "1",
    busy: "1",
}

/** `onDefect` is told of what is nobody's fault but the server's; the answer says nothing of it. */
export function answerOf(error: unknown, onDefect: (error: unknown) => void): Answer {
    const problem = problemOf(error, onDefect)
    const { code, facts, message } = problem
    const seconds = retryAfter[code]
    return {
        status: problems[code],
        headers: {
            ...(error instanceof BudgetSpent && {
                ...allowanceHeaders(error.allowance),
                "retry-after": String(error.allowance.resetSeconds),
            }),
            ...(seconds !== undefined && { "retry-after": seconds }),
            ...(code === "unauthorized" && { "www-authenticate": "Bearer" }),
        },
        body: { code, detail: message, facts },
    }
}

/** As in draft-ietf-httpapi-ratelimit-headers-07; the unit is bytes, and the reset is in seconds from now. */
export function allowanceHeaders({ limit, remaining, resetSeconds }: Allowance): Record<string, string> {
    return {
        "ratelimit-limit": String(limit),
        "ratelimit-remaining": String(remaining),
        "ratelimit-reset": String(resetSeconds),
    }
}

function problemOf(error: unknown, onDefect: (error: unknown) => void): Problem {
    if (error instanceof Problem) return error
    if (error instanceof NotReady) {
        const detail = `this node gives no bytes now: ${error.message}`
        return new Problem("not-ready", detail, { reasons: error.reasons })
    }
    if (error instanceof QueueEmpty)
        return new Problem("queue-empty", error.message, { available: error.available })
    if (error instanceof BudgetSpent) return new Problem("budget-spent", error.message, error.allowance)
    const refused = refusedByFramework(error)
    if (refused !== undefined) return refused
    onDefect(error)
    return new Problem("internal", "this server failed; its log says more")
}

/** What Fastify finds wrong with a request carries a status; its sentences are for people. */
function refusedByFramework(error: unknown): Problem | undefined {
    if (!(error instanceof Error) || !("statusCode" in error)) return undefined
    const status = Number(error.statusCode)
    if (status < 400 || status >= 500) return undefined
    if (status === 413) return new Problem("too-large", error.message)
    if (status === 415)
        return new Problem("unsupported-type", "the body must be JSON, with content-type: application/json")
    return new Problem(status === 404 ? "no-such-route" : "malformed", error.message)
}
