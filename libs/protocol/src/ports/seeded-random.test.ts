import { expect, test } from "vitest"

import { seededRandom } from "./seeded-random.ts"

test("gives the same bytes for the same seed, however they are drawn", () => {
    const whole = seededRandom("a")(200)
    const random = seededRandom("a")
    const parts = [1, 63, 0, 65, 71].map((length) => random(length))
    expect(parts.map(({ length }) => length)).toStrictEqual([1, 63, 0, 65, 71])
    expect(Uint8Array.from(parts.flatMap((part) => [...part]))).toStrictEqual(whole)
})

test("gives other bytes for another seed, and never the same again", () => {
    const [a, b] = [seededRandom("a"), seededRandom("b")]
    const drawn = [a(32), a(32), a(32), b(32), b(32)].map((bytes) => bytes.join())
    expect(new Set(drawn).size).toBe(5)
})
