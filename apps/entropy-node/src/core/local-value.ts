/** A pulse's localRandomValue: SHA-512 over the fresh output of at least two sources, and the pool's. */
import { createHash } from "node:crypto"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { LocalValue } from "./core.ts"
import { NotReady } from "./node-core.ts"
import type { WatchedSource } from "./watched-source.ts"

/** A source that takes longer is left out: pulses have their time. */
const longestWaitMs = 5000

export type Givers = {
    readonly counting: readonly WatchedSource[]
    readonly system: WatchedSource
    /** So many of those that count must give fresh bytes, as they must be healthy for any others. */
    readonly minimumHealthySources: number
    readonly clock: Clock
    readonly readPool: () => Uint8Array
}

/** Rejects with {@link NotReady}, and the names of those that gave bytes in time. */
export async function makeLocalValue(givers: Givers): Promise<Omit<LocalValue, "simulated">> {
    const { counting, system, minimumHealthySources, clock, readPool } = givers
    const asked = [...counting, system].filter(({ healthy }) => healthy)
    const answers = await Promise.all(asked.map((source) => freshOutput(source, clock)))
    const given = answers.filter((answer) => answer !== undefined)
    const names = given.map(({ name }) => name)
    const counted = names.filter((name) => name !== system.name)
    if (counted.length < minimumHealthySources || given.length < 2) {
        throw new NotReady([
            `a local value takes fresh bytes of two sources, and of at least ${minimumHealthySources} without the ` +
                `operating system's; ${names.length === 0 ? "none" : `only ${names.join(", ")}`} gave any in time`,
        ])
    }
    const hash = createHash("sha512")
    for (const { bytes } of given) hash.update(bytes)
    return { value: Uint8Array.from(hash.update(readPool()).digest()), sources: names }
}

/** Undefined where it fails or takes too long, which its own status tells. */
async function freshOutput(
    source: WatchedSource,
    clock: Clock,
): Promise<{ name: string; bytes: Uint8Array } | undefined> {
    const { minEntropy, sampleBits } = source.status()
    // As much as the hash can hold, by what the source declares.
    const length = Math.ceil((Math.ceil(512 / minEntropy) * sampleBits) / 8)
    const ended = new AbortController()
    const bytes = await Promise.race([
        source.fresh(length, ended.signal).catch(() => undefined),
        clock.sleep(longestWaitMs, ended.signal).catch(() => undefined),
    ])
    ended.abort()
    return bytes instanceof Uint8Array ? { name: source.name, bytes } : undefined
}
