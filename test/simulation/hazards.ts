/** What may go wrong around the apps of a simulated network, asked each time that it could. */
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"

/** A process dies before a durable write, or after it and before it knows. */
export type Death = "before" | "after"

export type Hazards = {
    /** How long the next frame of that actor, or to it, is under way. */
    readonly latencyMs: (by: string) => number
    /** How long that actor, or the server about it, waits before it reads the next frame. */
    readonly pauseMs: (by: string) => number
    /** How long the next append of the ledger server takes. */
    readonly appendMs: () => number
    /** Of the ledger server, at an append of those kinds. */
    readonly atAppend: (kinds: readonly EntryKind[]) => Death | undefined
    /** Of an actor, at a write of its own. */
    readonly atWrite: (by: string) => Death | undefined
}

/** What is awaited by a process that is dead. */
export function never<T>(): Promise<T> {
    return new Promise(() => undefined)
}
