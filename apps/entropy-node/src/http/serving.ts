/** What one serving process has to answer with. */
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { NodeCore, RawBytes } from "../core/node-core.ts"
import type { Ages, Amplifier, Seeded } from "./amplifier.ts"
import type { Budgets } from "./budget.ts"
import type { Admission } from "./caller.ts"
import type { Connections } from "./connections.ts"
import type { Counts } from "./counts.ts"
import type { Held } from "./held.ts"
import { allowanceHeaders, Problem } from "./problem.ts"
import type { HttpSettings } from "./settings.ts"
import type { Caller } from "./tokens.ts"
import type { Turns } from "./turns.ts"

export type Serving = {
    readonly core: NodeCore
    readonly amplifier: Amplifier
    readonly budgets: Budgets
    readonly admission: Admission
    readonly limits: HttpSettings["limits"]
    readonly connections: Connections
    readonly held: Held
    readonly turns: Turns
    readonly counts: Counts
    readonly clock: Clock
    /** Told of a defect that showed while a request was answered. */
    readonly onDefect: (error: unknown) => void
}

/** Names as in the service that /v1/random comes from; ages in whole milliseconds. */
export type OriginHeaders = Readonly<Record<string, string>>

/** Random bytes are for one reader: no cache may keep them, and no page may guess what they are. */
export const privately: OriginHeaders = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

const drbg = "Fortuna (AES-256, SHAd-256)"

/** Where amplified bytes come from. */
export function amplifiedHeaders(seeded: Seeded, ages: Ages): OriginHeaders {
    const [generator, generatorAge, pool, poolAge] = ageList(ages)
    return { ...constantHeaders(seeded), [generator]: generatorAge, [pool]: poolAge }
}

function constantHeaders({ sources, degraded, simulated }: Seeded): OriginHeaders {
    return {
        ...privately,
        "x-rng-source": "fortuna",
        "x-rng-drbg": drbg,
        "x-rng-devices": sources.join(", "),
        "x-rng-health": degraded ? "degraded" : "ok",
        "x-rng-simulated": String(simulated),
    }
}

/** Names and values in turn. */
function ageList({ generatorMs, poolMs }: Ages): [string, string, string, string] {
    const age = String(Math.floor(generatorMs))
    return ["x-rng-reseed-age-ms", age, "x-rng-pool-reseed-age-ms", String(Math.floor(poolMs))]
}

const lists = new WeakMap<Seeded, readonly string[]>()

/** The same as names and values in turn, which node:http takes in half the time; made once for each seed. */
export function amplifiedList(seeded: Seeded, ages: Ages): string[] {
    let list = lists.get(seeded)
    if (list === undefined) {
        list = Object.entries(constantHeaders(seeded)).flat()
        lists.set(seeded, list)
    }
    return list.concat(ageList(ages))
}

/** Where raw bytes come from, and whether others may get them too. */
export function rawHeaders(origin: Omit<RawBytes, "bytes">): OriginHeaders {
    const { sources, simulated, degraded, consumption } = origin
    return {
        ...privately,
        "x-rng-source": "trng",
        "x-rng-drbg": "none",
        "x-rng-devices": sources.join(", "),
        "x-rng-health": degraded ? "degraded" : "ok",
        "x-rng-simulated": String(simulated),
        "x-rng-consumption": consumption,
    }
}

/** Gives back so many bytes of those that were paid for. */
export type Refund = (bytes: number) => Promise<void>

/**
 * What `make` gives, for which the caller pays; it gets the headers that say what is left, and a way to give back what
 * is not handed out after all. Where it fails, the caller pays nothing. Rejects with BudgetSpent, or with a Problem where
 * no period has so many bytes, and then nothing was made.
 */
export async function paid<Made>(
    { budgets }: Pick<Serving, "budgets">,
    { name, budget }: Caller,
    bytes: number,
    make: (allowance: OriginHeaders, refund?: Refund) => Made | Promise<Made>,
): Promise<Made> {
    if (budget === undefined) return make({})
    const most = budget.bytes
    if (bytes > most) {
        const detail = `this takes ${bytes} bytes, and ${name} has at most ${most} in a period`
        throw new Problem("malformed", detail, { most })
    }
    const { period, ...allowance } = await budgets.spend(name, budget, bytes)
    const refund: Refund = (unused) => budgets.refund(name, period, unused)
    try {
        return await make(allowanceHeaders(allowance), refund)
    } catch (error) {
        await refund(bytes)
        throw error
    }
}
