/** Hazards that a storm sets and that pass: slow lines, cut-off places, slow readers, slow and failing disks. */
import type { EntryKind } from "@tallylight/protocol/ledger/entry.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import type { Dice } from "../fuzz/dice.ts"
import type { Death, Hazards } from "./hazards.ts"

export class Weather implements Hazards {
    readonly #clock: Clock
    readonly #dice: Dice
    readonly #onDeath: (by: string, death: Death) => void
    /** By actor: no frame arrives before that moment. */
    readonly #partitioned = new Map<string, number>()
    /** By actor: until then it reads slowly. */
    readonly #slow = new Map<string, number>()
    #slowDiskUntil = 0
    /** By actor: which of its durable writes is the last of its process. */
    readonly #lastWrites = new Map<string, { writes: number; readonly death: Death }>()
    /** The kind of entry whose append is the last of the server's process. */
    #lastAppend: { readonly kind: EntryKind; readonly death: Death } | undefined

    constructor(clock: Clock, dice: Dice, onDeath: (by: string, death: Death) => void) {
        this.#clock = clock
        this.#dice = dice
        this.#onDeath = onDeath
    }

    partition(by: string, ms: number): void {
        this.#partitioned.set(by, this.#clock.elapsed() + ms)
    }

    slowReader(by: string, ms: number): void {
        this.#slow.set(by, this.#clock.elapsed() + ms)
    }

    slowDisk(ms: number): void {
        this.#slowDiskUntil = this.#clock.elapsed() + ms
    }

    /** The process of that name dies at its durable write after `writes` more. */
    dieAtWrite(by: string, writes: number, death: Death): void {
        this.#lastWrites.set(by, { writes, death })
    }

    /** The server dies when it appends an entry of that kind. */
    dieAtAppend(kind: EntryKind, death: Death): void {
        this.#lastAppend = { kind, death }
    }

    /** From now on everything works, if not at once. */
    clear(): void {
        for (const map of [this.#partitioned, this.#slow, this.#lastWrites]) map.clear()
        this.#slowDiskUntil = 0
        this.#lastAppend = undefined
    }

    latencyMs(by: string): number {
        const left = (this.#partitioned.get(by) ?? 0) - this.#clock.elapsed()
        return Math.max(left, 1 + this.#dice.below(60))
    }

    pauseMs(by: string): number {
        return (this.#slow.get(by) ?? 0) > this.#clock.elapsed() ? 200 + this.#dice.below(800) : 0
    }

    appendMs(): number {
        return this.#slowDiskUntil > this.#clock.elapsed() ? 50 + this.#dice.below(400) : 1
    }

    atAppend(kinds: readonly EntryKind[]): Death | undefined {
        const last = this.#lastAppend
        if (last === undefined || !kinds.includes(last.kind)) return undefined
        this.#lastAppend = undefined
        this.#onDeath("server", last.death)
        return last.death
    }

    atWrite(by: string): Death | undefined {
        const last = this.#lastWrites.get(by)
        if (last === undefined) return undefined
        last.writes -= 1
        if (last.writes >= 0) return undefined
        this.#lastWrites.delete(by)
        this.#onDeath(by, last.death)
        return last.death
    }
}
