/**
 * Processes that serve HTTP for the one that has the sources (node:cluster: they share the ports, and get connections in
 * turn). One that dies is replaced; what it was answering is lost, and nothing else.
 */
import cluster from "node:cluster"
import type { Worker } from "node:cluster"
import { fileURLToPath } from "node:url"
import type { Logger } from "@tallylight/node/logger.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { Counts } from "./counts.ts"
import type { ForwardedRoute } from "./forward.ts"
import type { Plan } from "./plan.ts"
import { answerQuestion } from "./questions.ts"
import type { Primary, ToPrimary, ToWorker } from "./questions.ts"

export type Program = {
    /** Of worker.ts, as the caller's own loader would find it. */
    readonly url: URL
    /** Node's options for the process; those of this one where absent. */
    readonly execArgv?: readonly string[]
}

export type WorkersOptions = {
    readonly plan: Plan
    readonly program: Program
    readonly primary: Primary
    readonly routes: readonly ForwardedRoute[]
    readonly counts: Counts
    readonly clock: Clock
    readonly log: Logger
}

/**
 * The bytes of answers lie outside V8's heap for a moment, and V8 counts them to what may be in its old space before all
 * of the heap is marked. At first that is little more than what is answered between two collections of young objects, so
 * the whole heap would be marked again and again, which costs a process more than making the bytes.
 */
const heapOptions = ["--initial-old-space-size=128"]

/**
 * Of glibc, where whoever started this process set nothing else: memory that answers have freed is kept for the next
 * ones. By default it goes back to the kernel, which clears every page that it gives out again.
 */
const memoryVariables = {
    MALLOC_MMAP_THRESHOLD_: String(4 * 2 ** 20),
    MALLOC_TRIM_THRESHOLD_: String(64 * 2 ** 20),
    MALLOC_TOP_PAD_: String(4 * 2 ** 20),
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
        const { url, execArgv = process.execArgv } = options.program
        cluster.setupPrimary({
            ...{ exec: fileURLToPath(url), args: [], serialization: "advanced" },
            execArgv: [...heapOptions, ...execArgv],
        })
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
        const worker = cluster.fork({ ...memoryVariables, ...process.env })
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
