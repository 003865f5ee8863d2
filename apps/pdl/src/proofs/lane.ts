/** One chain's proofs that wait: what a round waits for first, and a batch from each connection in turn. */
import type { Claim } from "@tallylight/protocol/ledger/claim.js"
import { Job } from "./job.ts"
import type { Batch } from "./job.ts"
import { ranks } from "./rank.ts"
import type { Rank } from "./rank.ts"

/** The entries of one rank of one chain, a batch from each sender in turn. */
class Turns {
    readonly #jobs = new Map<object, Job[]>()

    push(sender: object, job: Job): void {
        const jobs = this.#jobs.get(sender)
        if (jobs === undefined) this.#jobs.set(sender, [job])
        else jobs.push(job)
    }

    take(): Batch | undefined {
        for (const [sender, jobs] of this.#jobs) {
            this.#jobs.delete(sender)
            const [job] = jobs
            const batch = job?.take()
            if (job?.isGiven === true) jobs.shift()
            if (jobs.length > 0) this.#jobs.set(sender, jobs)
            if (batch !== undefined) return batch
        }
        return undefined
    }
}

/** One chain's part of the pool. */
export class ProofLane {
    /** Entries that wait or are being verified, by rank. */
    readonly waiting: number[] = ranks.map(() => 0)
    readonly #turns: readonly Turns[] = ranks.map(() => new Turns())
    readonly #start: (job: Job) => Promise<void>

    constructor(start: (job: Job) => Promise<void>) {
        this.#start = start
    }

    /** How many wait or run that a newcomer of that rank does not overtake. */
    ahead(rank: Rank): number {
        return this.waiting.slice(0, rank + 1).reduce((sum, count) => sum + count, 0)
    }

    /**
     * Resolves where all claims hold; rejects with the Refusal of the first that does not, or with what `begin` throws,
     * which is called when its turn has come. `sender` stands for the connection.
     */
    async verify(rank: Rank, sender: object, begin: () => readonly Claim[]): Promise<void> {
        const job = new Job(begin)
        this.#turns[rank]?.push(sender, job)
        this.#count(rank, 1)
        await this.#start(job).finally(() => this.#count(rank, -1))
    }

    take(): Batch | undefined {
        for (const turns of this.#turns) {
            const batch = turns.take()
            if (batch !== undefined) return batch
        }
        return undefined
    }

    #count(rank: Rank, change: number): void {
        this.waiting[rank] = (this.waiting[rank] ?? 0) + change
    }
}
