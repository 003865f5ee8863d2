/** Feeds a decoder with inputs that nobody should send. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { Dice } from "./dice.ts"
import { mutate } from "./mutate.ts"
import type { Target } from "./target.ts"

export type FuzzOptions = {
    readonly seed: number
    readonly inputs: number
    /** Called now and then, with how many inputs were judged. */
    readonly onProgress?: (judged: number) => void
}

export type Fuzzed = { readonly target: string; readonly inputs: number; readonly taken: number }

/** A target's promise was broken, by an input that is shown and a seed that finds it again. */
export class FuzzFailure extends Error {
    override readonly name = "FuzzFailure"
    readonly input: Uint8Array

    constructor(target: string, seed: number, number: number, input: Uint8Array, cause: unknown) {
        const problem = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
        super(`${target}, seed ${seed}, input ${number}: ${problem}\n${toHex(input)}`, { cause })
        this.input = input
    }
}

const progressEvery = 10_000

/** Every input is taken or refused; the first one that breaks a promise is thrown. */
export function fuzz(target: Target, { seed, inputs, onProgress }: FuzzOptions): Fuzzed {
    const dice = new Dice(seed)
    let taken = 0
    for (let number = 0; number < inputs; number++) {
        // What was never mutated must be taken: a decoder that refuses everything breaks no other promise.
        const input = target.corpus[number] ?? target.mutate?.(dice) ?? mutate(target.corpus, dice)
        try {
            if (target.check(input) === "taken") taken += 1
            else if (number < target.corpus.length) throw new Error("a valid input was refused")
        } catch (error) {
            throw new FuzzFailure(target.name, seed, number, input, error)
        }
        if (number % progressEvery === 0) onProgress?.(number)
    }
    return { target: target.name, inputs, taken }
}
