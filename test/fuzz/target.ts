/** What a decoder promises, whatever it is given: one input, judged. */
import type { Dice } from "./dice.ts"

/** Throws where the promise is broken; tells apart what was taken and what was refused as it should be. */
export type Target = {
    readonly name: string
    /** Valid inputs, from which the others are made. */
    readonly corpus: readonly Uint8Array[]
    /** How the others are made; without it, by changing bytes. */
    readonly mutate?: (dice: Dice) => Uint8Array
    readonly check: (input: Uint8Array) => "taken" | "refused"
}

export class BrokenPromise extends Error {
    override readonly name = "BrokenPromise"
}

export function promise(holds: boolean, what: string): asserts holds {
    if (!holds) throw new BrokenPromise(what)
}
