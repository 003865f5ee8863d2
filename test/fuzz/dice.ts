/** Random choices that a seed repeats, fast enough for millions of inputs a minute. */
import { uniformInt } from "pure-rand/distribution/uniformInt"
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus"

export class Dice {
    readonly #generator

    constructor(seed: number) {
        this.#generator = xoroshiro128plus(seed)
    }

    /** From 0 to `sides - 1`. */
    below(sides: number): number {
        return uniformInt(this.#generator, 0, sides - 1)
    }

    pick<T>(items: readonly T[]): T {
        const item = items[this.below(items.length)]
        if (item === undefined) throw new RangeError("there is nothing to pick from")
        return item
    }

    bytes(length: number): Uint8Array {
        return Uint8Array.from({ length }, () => this.below(256))
    }
}
