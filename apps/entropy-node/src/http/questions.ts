/**
 * What a worker process asks the one that has the sources, and how it is answered. Everything that crosses is plain data,
 * which Node clones as it is (cluster's "advanced" serialization).
 */
import { NotReady, QueueEmpty } from "../core/node-core.ts"
import type {
    Consumption,
    GeneratorSeed,
    NodeCore,
    NodeStatus,
    QueueSettings,
    RawBytes,
} from "../core/node-core.ts"
import { BudgetSpent } from "./budget.ts"
import type { Allowance, Budget, Budgets, Spent } from "./budget.ts"
import type { Counted } from "./counts.ts"
import type { Forwarded, ForwardedAnswer, ForwardedRoute } from "./forward.ts"
import type { Plan } from "./plan.ts"

export interface Primary extends NodeCore, Budgets {
    /** To a route that only the process with the sources has. */
    forward(request: Forwarded): Promise<ForwardedAnswer>
}

export type Question =
    | { readonly name: "status" }
    | { readonly name: "seed" }
    | { readonly name: "raw"; readonly length: number }
    | { readonly name: "setQueue"; readonly settings: Partial<QueueSettings> }
    | { readonly name: "setConsumption"; readonly consumption: Consumption }
    | {
          readonly name: "spend"
          readonly caller: string
          readonly budget: Budget
          readonly bytes: number
      }
    | {
          readonly name: "refund"
          readonly caller: string
          readonly period: number
          readonly bytes: number
      }
    | { readonly name: "forward"; readonly request: Forwarded }

export type Answers = {
    readonly status: NodeStatus
    readonly seed: GeneratorSeed
    readonly raw: RawBytes
    readonly setQueue: QueueSettings
    readonly setConsumption: Consumption
    readonly spend: Spent
    readonly refund: undefined
    readonly forward: ForwardedAnswer
}

/** The errors that the other side answers differently; of any other, only the sentence crosses. */
type Failed =
    | { readonly name: "NotReady"; readonly reasons: readonly string[] }
    | { readonly name: "QueueEmpty"; readonly available: number }
    | { readonly name: "BudgetSpent"; readonly allowance: Allowance }
    | { readonly name: "Error"; readonly message: string }

export type ToPrimary =
    | { readonly kind: "hello" }
    | { readonly kind: "listening"; readonly urls: readonly string[] }
    /** Nothing that is tried again would help; a sentence for the person at the terminal. */
    | { readonly kind: "cannot"; readonly problem: string }
    /** Showed while a request was answered; for the log. */
    | { readonly kind: "defect"; readonly stack: string }
    | { readonly kind: "counted"; readonly counted: Counted }
    | { readonly kind: "ask"; readonly id: number; readonly question: Question }

export type ToWorker =
    | { readonly kind: "start"; readonly plan: Plan; readonly routes: readonly ForwardedRoute[] }
    | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
    | { readonly kind: "failed"; readonly id: number; readonly failed: Failed }
    | { readonly kind: "stop" }

/** What is sent back, whatever comes of it. */
export async function answerQuestion(
    primary: Primary,
    { id, question }: Extract<ToPrimary, { kind: "ask" }>,
): Promise<ToWorker> {
    try {
        return { kind: "answer", id, value: await answerTo(primary, question) }
    } catch (error) {
        return { kind: "failed", id, failed: failedOf(error) }
    }
}

function answerTo(primary: Primary, question: Question): Promise<unknown> {
    switch (question.name) {
        case "status":
            return primary.status()
        case "seed":
            return primary.seed()
        case "raw":
            return primary.raw(question.length)
        case "setQueue":
            return primary.setQueue(question.settings)
        case "setConsumption":
            return primary.setConsumption(question.consumption)
        case "spend":
            return primary.spend(question.caller, question.budget, question.bytes)
        case "refund":
            return primary.refund(question.caller, question.period, question.bytes)
        case "forward":
            return primary.forward(question.request)
    }
}

function failedOf(error: unknown): Failed {
    if (error instanceof NotReady) return { name: "NotReady", reasons: error.reasons }
    if (error instanceof QueueEmpty) return { name: "QueueEmpty", available: error.available }
    if (error instanceof BudgetSpent) return { name: "BudgetSpent", allowance: error.allowance }
    return { name: "Error", message: error instanceof Error ? error.message : String(error) }
}

export function errorOf(failed: Failed): Error {
    switch (failed.name) {
        case "NotReady":
            return new NotReady(failed.reasons)
        case "QueueEmpty":
            return new QueueEmpty(failed.available)
        case "BudgetSpent":
            return new BudgetSpent(failed.allowance)
        case "Error":
            return new Error(failed.message)
    }
}
