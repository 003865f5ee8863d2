import { refusals } from "@tallylight/protocol/wire/refusal.js"
import type { RefusalCode } from "@tallylight/protocol/wire/refusal.js"
import { expect, test } from "vitest"
import { cases } from "./cases.ts"

const codes = Object.keys(refusals) as RefusalCode[]

test("every refusal code has a case, and every case a code", () => {
    expect(Object.keys(cases).sort()).toEqual([...codes].sort())
})

test.each(codes)("something is refused with %s, and its honest twin is not", async (code) => {
    expect(await cases[code]()).toBe(code)
})
