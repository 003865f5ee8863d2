/** A verifier in a worker thread, which is replaced when it dies. */
import { Worker } from "node:worker_threads"
import type { Claim, Refused } from "@tallylight/protocol/ledger/claim.js"
import type { Verifier } from "@tallylight/protocol/ports/verifier.js"

export type Program = {
    /** Of proof-worker, as the caller's own loader would find it. */
    readonly url: URL
    /** Node's options for the thread; those of this process where absent. */
    readonly execArgv?: readonly string[]
}

export type VerifierOptions = {
    readonly program: Program
    /** A thread died and was replaced: a defect, or no memory. */
    readonly onDeath: (error: Error) => void
    /** A thread died before it could do anything, and so would the next one. */
    readonly onFault: (error: Error) => void
}

/** What the thread is sent. */
export type Batch = { readonly id: number; readonly claims: readonly Claim[] }

/** What it answers, to the batch of that id. */
export type Answer = { readonly id: number; readonly verdict: Refused | "holds" }

type Asked = {
    readonly batch: Batch
    readonly resolve: (refused: Refused | undefined) => void
    readonly reject: (error: Error) => void
}

/** Some 30 MB are in use. What grows without bound shall end the thread before it takes the ledger's memory. */
const resourceLimits = { maxOldGenerationSizeMb: 256 }

export class WorkerVerifier implements Verifier {
    /** How many threads died. */
    deaths = 0
    readonly #options: VerifierOptions
    /** Oldest first: the thread is at work on the first one, and answers in this order. */
    #asked: Asked[] = []
    #thread: Worker
    #lastId = 0
    #isReady = false
    #isClosed = false

    /** The thread starts at once, and may be asked before it is ready. */
    constructor(options: VerifierOptions) {
        this.#options = options
        this.#thread = this.#spawn()
    }

    get isAlive(): boolean {
        return this.#isReady
    }

    verify(claims: readonly Claim[]): Promise<Refused | undefined> {
        if (this.#isClosed) return Promise.reject(closed())
        return new Promise((resolve, reject) => {
            const batch = { id: (this.#lastId += 1), claims }
            this.#asked.push({ batch, resolve, reject })
            this.#thread.postMessage(batch)
        })
    }

    /** What was not answered rejects. */
    async close(): Promise<void> {
        this.#isClosed = true
        this.#isReady = false
        for (const { reject } of this.#asked.splice(0)) reject(closed())
        await this.#thread.terminate()
    }

    #spawn(): Worker {
        const { url, execArgv } = this.#options.program
        const own = execArgv === undefined ? {} : { execArgv: [...execArgv] }
        const thread = new Worker(url, { name: "proofs", resourceLimits, ...own })
        let died = new Error("the thread ended by itself")
        thread.on("message", (answer: Answer | "ready" | undefined) => {
            if (answer === "ready") this.#isReady = true
            else if (!this.#answered(answer)) {
                // An answer was lost, or is to something else: whatever it says next may be about other claims.
                died = new Error("the thread answered what it was not asked")
                thread.removeAllListeners("message")
                void thread.terminate()
            }
        })
        thread.on("error", (error: Error) => (died = error))
        thread.on("exit", () => this.#ended(died))
        return thread
    }

    /** Whether it was the answer to what the thread is at work on. */
    #answered(answer: Partial<Answer> | undefined): boolean {
        const [asked] = this.#asked
        if (asked === undefined || answer?.id !== asked.batch.id || answer.verdict === undefined) return false
        this.#asked.shift()
        asked.resolve(answer.verdict === "holds" ? undefined : answer.verdict)
        return true
    }

    #ended(error: Error): void {
        if (this.#isClosed) return
        this.deaths += 1
        if (!this.#isReady) {
            this.#isClosed = true
            for (const { reject } of this.#asked.splice(0)) reject(error)
            this.#options.onFault(error)
            return
        }
        this.#isReady = false
        this.#thread = this.#spawn()
        const [cause, ...others] = this.#asked
        // Only the first one can have killed it: the others had not been begun.
        this.#asked = others
        for (const { batch } of others) this.#thread.postMessage(batch)
        this.#options.onDeath(error)
        cause?.reject(error)
    }
}

function closed(): Error {
    return new Error("the verifier is closed")
}
