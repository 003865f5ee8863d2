/**
 * Proofs that wait for verification, for all chains of a server together. What a round waits for goes first; chains
 * take turns, and so do the connections of a chain: whoever sends more than others waits for it, and nobody else.
 */
import type { Verifier } from "@tallylight/protocol/ports/verifier.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import type { Batch, Job } from "./job.ts"
import { ProofLane } from "./lane.ts"
import type { Rank } from "./rank.ts"

/** A verifier has this many batches, so that it need not wait for the next one; what goes first waits for both. */
const batchesAhead = 2

export class ProofPool {
    /** Entries whose proofs held, and that did not hold or could not be judged, so far. */
    verified = 0
    refused = 0
    /** Whose turn it is comes first. */
    readonly #lanes: ProofLane[] = []
    /** Each verifier as often as it can take another batch. */
    readonly #free: Verifier[]
    readonly #jobs = new Set<Job>()
    #isClosed = false

    constructor(verifiers: readonly Verifier[]) {
        this.#free = Array.from({ length: batchesAhead }, () => verifiers).flat()
    }

    /** Entries of that rank that wait or are being verified, of all chains. */
    waiting(rank: Rank): number {
        return this.#lanes.reduce((sum, { waiting }) => sum + (waiting[rank] ?? 0), 0)
    }

    /** For one more chain. */
    open(): ProofLane {
        const lane = new ProofLane((job) => this.#start(job))
        this.#lanes.push(lane)
        return lane
    }

    /** Everything that waits rejects, whoever is at work on it. */
    close(): void {
        this.#isClosed = true
        for (const job of this.#jobs) job.end(new Refusal("shutting-down"))
    }

    async #start(job: Job): Promise<void> {
        if (this.#isClosed) throw new Refusal("shutting-down")
        this.#jobs.add(job)
        this.#give()
        try {
            await job.done
            this.verified += 1
        } catch (error) {
            this.refused += 1
            throw error
        } finally {
            this.#jobs.delete(job)
        }
    }

    /** As much as the verifiers take. */
    #give(): void {
        while (!this.#isClosed && this.#free.length > 0) {
            const batch = this.#take()
            if (batch === undefined) return
            const verifier = this.#free.shift()
            if (verifier !== undefined) void this.#judge(verifier, batch)
        }
    }

    #take(): Batch | undefined {
        for (const lane of [...this.#lanes]) {
            this.#lanes.push(...this.#lanes.splice(0, 1))
            const batch = lane.take()
            if (batch !== undefined) return batch
        }
        return undefined
    }

    async #judge(verifier: Verifier, { job, from, claims }: Batch): Promise<void> {
        try {
            // Once more where the verifier died, which may have been no fault of these claims.
            const refused = await verifier.verify(claims).catch(() => verifier.verify(claims))
            job.judged(from, refused && new Refusal(refused.code, refused.facts))
        } catch {
            job.judged(from, new Refusal("unverified"))
        }
        this.#free.push(verifier)
        this.#give()
    }
}
