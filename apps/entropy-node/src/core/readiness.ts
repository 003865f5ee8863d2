/** Whether the node may give bytes, decided by what its sources are at this moment. */
import type { SourceStatus } from "./node-core.ts"

export type Standing = {
    readonly counting: readonly SourceStatus[]
    readonly system: SourceStatus
    readonly minimumHealthySources: number
}

/** Sentences for whoever is refused; none where the node is ready. */
export function whyNotReady({ counting, system, minimumHealthySources }: Standing): string[] {
    const healthy = counting.filter(({ state }) => state === "healthy").length
    const reasons = []
    if (healthy < minimumHealthySources) {
        reasons.push(`${healthy} of at least ${minimumHealthySources} sources are healthy`)
        reasons.push(...counting.filter(({ state }) => state !== "healthy").map(describe))
    }
    // It is always mixed in, so that no source alone decides.
    if (system.state !== "healthy") reasons.push(describe(system))
    return reasons
}

function describe({ name, state, reason }: SourceStatus): string {
    return `${name} is ${state}: ${reason}`
}
