/** What one serving process has to answer with. */
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { NodeCore, RawBytes } from "../core/node-core.ts"
import type { Amplifier, Seeded } from "./amplifier.ts"
import type { Allowance, Budgets } from "./budget.ts"
import type { Admission } from "./caller.ts"
import type { Counts } from "./counts.ts"
import type { HttpSettings } from "./settings.ts"
import type { Caller } from "./tokens.ts"

export type Serving = {
    readonly core: NodeCore
    readonly amplifier: Amplifier
    readonly budgets: Budgets
    readonly admission: Admission
    readonly limits: HttpSettings["limits"]
    /** Of random bytes that have not left yet, as far as `heldBytes` counts them. */
    readonly held: { bytes: number }
    readonly counts: Counts
    readonly clock: Clock
    /** Told of a defect that showed while a request was answered. */
    readonly onDefect: (error: unknown) => void
}

/** Names as in the service that /v1/random comes from; ages in whole milliseconds. */
export type OriginHeaders = Readonly<Record<string, string>>

/** Random bytes are for one reader: no cache may keep them, and no page may guess what they are. */
export const privately: OriginHeaders = { "cache-control": "no-store", "x-content-type-options": "nosniff" }

const ageHeader = "x-rng-reseed-age-ms"

const drbg = "Fortuna (AES-256, SHAd-256)"

/** Where amplified bytes come from. */
export function amplifiedHeaders(seeded: Seeded, ageMs: number): OriginHeaders {
    return {
        ...privately,
        "x-rng-source": "fortuna",
        "x-rng-drbg": drbg,
        "x-rng-devices": seeded.sources.join(", "),
        "x-rng-health": "ok",
        "x-rng-simulated": String(seeded.simulated),
        [ageHeader]: String(Math.floor(ageMs)),
    }
}

const lists = new WeakMap<Seeded, readonly string[]>()

/** The same as names and values in turn, which node:http takes in half the time; made once for each seed. */
export function amplifiedList(seeded: Seeded, ageMs: number): string[] {
    let list = lists.get(seeded)
    if (list === undefined) {
        const { [ageHeader]: _, ...constant } = amplifiedHeaders(seeded, ageMs)
        list = Object.entries(constant).flat()
        lists.set(seeded, list)
    }
    return [...list, ageHeader, String(Math.floor(ageMs))]
}

/** Where raw bytes come from, and whether others may get them too. */
export function rawHeaders({ sources, simulated, consumption }: Omit<RawBytes, "bytes">): OriginHeaders {
    return {
        ...privately,
        "x-rng-source": "trng",
        "x-rng-drbg": "none",
        "x-rng-devices": sources.join(", "),
        "x-rng-health": "ok",
        "x-rng-simulated": String(simulated),
        "x-rng-consumption": consumption,
    }
}

/** Undefined where nothing of that caller is counted. Rejects with BudgetSpent. */
export function spend(
    { budgets }: Serving,
    { name, budget }: Caller,
    bytes: number,
): Promise<Allowance> | undefined {
    return budget === undefined ? undefined : budgets.spend(name, budget, bytes)
}

export async function refund({ budgets }: Serving, { name, budget }: Caller, bytes: number): Promise<void> {
    if (budget !== undefined) await budgets.refund(name, budget, bytes)
}
