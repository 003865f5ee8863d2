/**
 * Proofs that wait for verification, for all chains of a server together. What a round waits for goes first; chains
 * take turns, and so do the connections of a chain: whoever sends more than others waits for it, and nobody else.
 */
import type { Claim } from "@tallylight/protocol/ledger/claim.js"
import type { SentEntry } from "@tallylight/protocol/ledger/verify.js"
import type { Verifier } from "@tallylight/protocol/ports/verifier.js"
import { Refusal } from "@tallylight/protocol/wire/refusal.js"
import { Job } from "./job.ts"
import type { Batch } from "./job.ts"

/** Lower goes first. */
export const ranks = [0, 1, 2, 3] as const
export type Rank = (typeof ranks)[number]

export function rankOf(entry: SentEntry): Rank {
    if (entry.kind === "share") return 0
    if (entry.kind === "contribution" || entry.kind === "abstention") return 1
    // A round does not wait for them, but the next ticket may come before a commitment.
    if (entry.kind === "commitment" || entry.kind === "pulse") return 1
    // A removal must not wait behind the registrations of a crowd; a forged one costs as much as a forged answer.
    if (entry.kind === "admission") return 1
    return isCommittee(entry) ? 3 : 2
}

/** The one thing that a stranger can send and that takes seconds. */
export function isCommittee(entry: SentEntry): boolean {
    return entry.kind === "requester-registration" && entry.members.length > 1
}

/** A verifier has this many batches, so that it need not wait for the next one; what goes first waits for both. */
const batchesAhead = 2

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
