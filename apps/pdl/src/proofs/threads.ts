/** The threads that verify proofs for a server, and the pool that gives them work. */
import { availableParallelism } from "node:os"
import type { Logger } from "@tallylight/node/logger.js"
import { WorkerVerifier } from "@tallylight/node/worker-verifier.js"
import { ProofPool } from "./pool.ts"

export type Proofs = {
    readonly pool: ProofPool
    readonly threads: readonly WorkerVerifier[]
    /** Whatever waits is told `shutting-down`. */
    readonly close: () => Promise<void>
}

/** `onFault` is told where no thread can be had at all. */
export function startProofs(
    count = Math.max(1, availableParallelism() - 1),
    log: Logger,
    onFault: (error: Error) => void,
): Proofs {
    // Found as any import is. It must be the compiled one: Node 20 reads no TypeScript in threads, whatever is preloaded.
    const program = { url: new URL(import.meta.resolve("@tallylight/node/proof-worker.js")) }
    const onDeath = (err: Error): void => log.error({ err }, "proof thread replaced")
    const threads = Array.from({ length: count }, () => new WorkerVerifier({ program, onDeath, onFault }))
    const pool = new ProofPool(threads)
    const close = async (): Promise<void> => {
        pool.close()
        await Promise.all(threads.map((thread) => thread.close()))
    }
    return { pool, threads, close }
}
