import { describe, expect, test } from "vitest"
import { fuzz, FuzzFailure } from "./fuzz.ts"
import { promise } from "./target.ts"
import { targets } from "./targets.ts"

/** Another one each time: FUZZ_SEED repeats a run. A failure names its seed and its input. */
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))

describe(`seed ${seed}`, () => {
    test.each(targets)("$name: every input is taken or refused, as promised", (target) => {
        const { taken } = fuzz(target, { seed, inputs: 10_000 })
        expect(taken).toBeGreaterThanOrEqual(target.corpus.length)
    })
})

test("a broken promise is told with its seed and its input", () => {
    const naive = {
        name: "naive",
        corpus: [Uint8Array.of(1, 2, 3)],
        check: (input: Uint8Array) => {
            promise(input[0] !== 0xdd, "nothing begins with dd")
            return "taken" as const
        },
    }
    const run = (): unknown => fuzz(naive, { seed: 4, inputs: 100_000 })
    expect(run).toThrow(FuzzFailure)
    expect(run).toThrow(/^naive, seed 4, input \d+: BrokenPromise: nothing begins with dd\ndd/)
})
