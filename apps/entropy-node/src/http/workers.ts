/**
 * Processes that serve HTTP for the one that has the sources (node:cluster: they share the ports, and get connections in
 * turn). One that dies is replaced; what it was answering is lost, and nothing else.
 */
import type { Worker } from "node:cluster"
import type { Logger } from "@tallylight/node/logger.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { Counts } from "./counts.ts"
import type { ForwardedRoute } from "./forward.ts"
import type { Plan } from "./plan.ts"
import { answerQuestion } from "./questions.ts"
import type { Primary, ToPrimary, ToWorker } from "./questions.ts"
import { forkWorker, useProgram } from "./worker-process.ts"
import type { Program } from "./worker-process.ts"

export type WorkersOptions = {
    readonly plan: Plan
    readonly program: Program
    readonly primary: Primary
    readonly routes: readonly ForwardedRoute[]
    readonly counts: Counts
    readonly clock: Clock
    readonly log: Logger
}

/** Before one that died is replaced: what kills it at once shall not keep this process busy. */
const pauseMs = 200

type State = "starting" | "running" | "stopping"

export class Workers {
    readonly #options: WorkersOptions
    readonly #alive = new Set<Worker>()
    readonly #stopped = new AbortController()
    #state: State = "starting"
    #allGone: (() => void) | undefined
    /** How many died and were replaced. */
    deaths = 0

    private constructor(options: WorkersOptions) {
        this.#options = options
    }

    /** Resolves when all of them listen; rejects where one cannot, with a {@link UserError} if a person can help. */
    static async start(options: WorkersOptions): Promise<{ workers: Workers; urls: readonly string[] }> {
        useProgram(options.program)
        const workers = new Workers(options)
        try {
            // A port of 0 becomes one that all of them share.
            const length = options.plan.settings.workers
            const [urls = []] = await Promise.all(
                Array.from({ length }, async () => workers.#listening(workers.#spawn())),
            )
            workers.#state = "running"
            // Of those that listened, one may have died while another still started.
            const missing = length - workers.#alive.size
            for (let count = 0; count < missing; count++) workers.#died("a worker ended while others started")
            return { workers, urls }
        } catch (error) {
            await workers.close()
            throw error
        }
    }

    /** For requests in progress there is a while, then workers are killed. */
    async close(): Promise<void> {
        this.#state = "stopping"
        this.#stopped.abort()
        if (this.#alive.size === 0) return
        const gone = new Promise<void>((resolve) => (this.#allGone = resolve))
        for (const worker of this.#alive) send(worker, { kind: "stop" })
        const grace = new AbortController()
        const { clock, plan } = this.#options
        const killed = clock.sleep(plan.settings.limits.stopMs + pauseMs, grace.signal).then(
            () => this.#alive.forEach((worker) => worker.process.kill("SIGKILL")),
            () => undefined,
        )
        await gone
        grace.abort()
        await killed
    }

    /** Process ids, for whoever watches or kills them. */
    get pids(): readonly number[] {
        return [...this.#alive].flatMap(({ process: { pid } }) => pid ?? [])
    }

    /** Throws where the system starts no more processes. */
    #spawn(): Worker {
        const worker = forkWorker()
        this.#alive.add(worker)
        return worker
    }

    /** Resolves with its addresses once it listens. */
    #listening(worker: Worker): Promise<readonly string[]> {
        const { plan, primary, routes, counts, log } = this.#options
        return new Promise((resolve, reject) => {
            worker.on("message", (message: ToPrimary) => {
                switch (message.kind) {
                    case "hello":
                        send(worker, { kind: "start", plan, routes })
                        return
                    case "listening":
                        resolve(message.urls)
                        return
                    case "cannot":
                        reject(new UserError(message.problem))
                        // While they start, whoever starts them is told. One that replaces another is tried again.
                        if (this.#state !== "running") return
                        log.error({ problem: message.problem }, "worker cannot serve")
                        worker.process.kill("SIGKILL")
                        return
                    case "defect":
                        log.error({ stack: message.stack }, "request failed")
                        return
                    case "counted":
                        counts.add(message.counted)
                        return
                    case "ask":
                        void answerQuestion(primary, message).then((answer) => send(worker, answer))
                }
            })
            const gone = (problem: string): void => {
                reject(new Error(problem))
                this.#ended(worker, problem)
            }
            worker.once("exit", (code, signal) => {
                const ending = signal === "" || (signal as string | null) === null ? `code ${code}` : signal
                gone(`a worker ended with ${ending}`)
            })
            worker.on("error", (error) => {
                if (worker.process.pid === undefined) return gone(`a worker cannot start: ${error.message}`)
                // node:cluster told it of a port when it was gone already. One that is not gone waits for that in vain.
                log.debug({ err: error }, "worker cannot be told")
                worker.process.kill("SIGKILL")
            })
        })
    }

    #ended(worker: Worker, problem: string): void {
        this.#alive.delete(worker)
        if (this.#state === "stopping" && this.#alive.size === 0) this.#allGone?.()
        // While they start, whoever starts them is told.
        if (this.#state === "running") this.#died(problem)
    }

    #died(problem: string): void {
        this.deaths += 1
        this.#options.log.error({ problem }, "worker replaced")
        this.#replace()
    }

    #replace(): void {
        this.#options.clock.sleep(pauseMs, this.#stopped.signal).then(
            () => this.#startAnother(),
            () => undefined,
        )
    }

    #startAnother(): void {
        if (this.#state !== "running") return
        try {
            // One that ends before it listens is replaced like any other.
            this.#listening(this.#spawn()).catch(() => undefined)
        } catch (err) {
            this.#options.log.error({ err }, "worker cannot be started")
            this.#replace()
        }
    }
}

/** To one that is gone nothing is sent: what it asked for was for its own clients, who are gone too. */
function send(worker: Worker, message: ToWorker): void {
    if (worker.isConnected()) worker.send(message, () => undefined)
}
