/** How a worker process asks the one that has the sources. */
import type { Consumption, GeneratorSeed, NodeStatus, QueueSettings, RawBytes } from "../core/node-core.ts"
import type { Budget, Spent } from "./budget.ts"
import type { Forwarded, ForwardedAnswer } from "./forward.ts"
import { Problem } from "./problem.ts"
import { errorOf } from "./questions.ts"
import type { Answers, Primary, Question, ToPrimary, ToWorker } from "./questions.ts"

type Asked = { readonly resolve: (value: never) => void; readonly reject: (error: Error) => void }

export class PrimaryLink implements Primary {
    readonly #send: (message: ToPrimary) => void
    readonly #most: number
    readonly #asked = new Map<number, Asked>()
    #lastId = 0

    /**
     * At most so many questions wait; whoever asks then gets a Problem `busy`. Only seeds, of which one is asked for at a
     * time, and refunds, of which each follows a spending, are always asked for: requests of strangers shall not keep this
     * process from bytes, or a caller from what it paid.
     */
    constructor(send: (message: ToPrimary) => void, most: number) {
        this.#send = send
        this.#most = most
    }

    readonly status = (): Promise<NodeStatus> => this.#ask({ name: "status" })
    readonly seed = (): Promise<GeneratorSeed> => this.#askAlways({ name: "seed" })
    readonly raw = (length: number): Promise<RawBytes> => this.#ask({ name: "raw", length })
    readonly setQueue = (settings: Partial<QueueSettings>): Promise<QueueSettings> =>
        this.#ask({ name: "setQueue", settings })
    readonly setConsumption = (consumption: Consumption): Promise<Consumption> =>
        this.#ask({ name: "setConsumption", consumption })
    readonly forward = (request: Forwarded): Promise<ForwardedAnswer> =>
        this.#ask({ name: "forward", request })
    readonly spend = (caller: string, budget: Budget, bytes: number): Promise<Spent> =>
        this.#ask({ name: "spend", caller, budget, bytes })
    readonly refund = (caller: string, period: number, bytes: number): Promise<undefined> =>
        this.#askAlways({ name: "refund", caller, period, bytes })

    settle(message: Extract<ToWorker, { kind: "answer" | "failed" }>): void {
        const asked = this.#asked.get(message.id)
        this.#asked.delete(message.id)
        if (message.kind === "failed") asked?.reject(errorOf(message.failed))
        else asked?.resolve(message.value as never)
    }

    #ask<Name extends Question["name"]>(
        question: Question & { readonly name: Name },
    ): Promise<Answers[Name]> {
        if (this.#asked.size >= this.#most) {
            const problem = new Problem("busy", "this node has more to answer than it can; come again")
            return Promise.reject(problem)
        }
        return this.#askAlways<Name>(question)
    }

    #askAlways<Name extends Question["name"]>(
        question: Question & { readonly name: Name },
    ): Promise<Answers[Name]> {
        return new Promise((resolve, reject) => {
            const id = (this.#lastId += 1)
            this.#asked.set(id, { resolve, reject })
            this.#send({ kind: "ask", id, question })
        })
    }
}
