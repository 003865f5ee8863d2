/**
 * Proofs that wait for verification, one step at a time: each holds the event loop for milliseconds. What a round
 * waits for goes first, and overtakes between two steps whatever anybody may send.
 */
import type { Entry } from "@tallylight/protocol/ledger/entry.js"

/** Lower goes first. */
export type Rank = 0 | 1 | 2 | 3

export function rankOf(entry: Entry): Rank {
    if (entry.kind === "share") return 0
    if (entry.kind === "contribution" || entry.kind === "abstention") return 1
    // A removal must not wait behind the registrations of a crowd. Forging one costs this server as much as a forged answer.
    if (entry.kind === "admission") return 1
    return isCommittee(entry) ? 3 : 2
}

/** The one thing that a stranger can send and that takes seconds. */
export function isCommittee(entry: Entry): boolean {
    return entry.kind === "requester-registration" && entry.members.length > 1
}

type Job = {
    readonly begin: () => Iterator<void>
    steps?: Iterator<void>
    readonly resolve: () => void
    readonly reject: (error: unknown) => void
}

export class ProofQueue {
    /** Resolves once timers, sockets and other work had their turn. */
    readonly #breathe: () => Promise<void>
    /** By rank, each in the order of arrival. */
    readonly #jobs: readonly Job[][] = [[], [], [], []]
    #running = false

    constructor(breathe: () => Promise<void>) {
        this.#breathe = breathe
    }

    /** How many wait or run that a newcomer of that rank does not overtake. */
    ahead(rank: Rank): number {
        return this.#jobs.slice(0, rank + 1).reduce((sum, jobs) => sum + jobs.length, 0)
    }

    /** Rejects with what a step throws. `begin` is called when the first step's turn has come. */
    verify(rank: Rank, begin: () => Iterator<void>): Promise<void> {
        return new Promise((resolve, reject) => {
            this.#jobs[rank]?.push({ begin, resolve, reject })
            if (!this.#running) void this.#run()
        })
    }

    async #run(): Promise<void> {
        this.#running = true
        for (;;) {
            await this.#breathe()
            const jobs = this.#jobs.find(({ length }) => length > 0)
            const [job] = jobs ?? []
            if (jobs === undefined || job === undefined) break
            if (this.#isOver(job)) jobs.shift()
        }
        this.#running = false
    }

    /** Runs the next step. */
    #isOver(job: Job): boolean {
        try {
            job.steps ??= job.begin()
            if (job.steps.next().done !== true) return false
            job.resolve()
        } catch (error) {
            job.reject(error)
        }
        return true
    }
}
