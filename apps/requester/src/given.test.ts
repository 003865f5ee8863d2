import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { pick } from "@tallylight/protocol/sample/mutant.js"
import { expect, test } from "vitest"
import { Given } from "./given.ts"

test("a share is there for its verdict, once", () => {
    const share = pick(sampleLedger(), "share").entry
    const given = new Given()
    given.add(2, share)
    expect([given.take(2), given.take(2), given.take(4)]).toEqual([share, undefined, undefined])
    given.add(2, share)
    given.clear()
    expect(given.take(2)).toBeUndefined()
})

test("of shares that are never acknowledged the latest thousand are kept", () => {
    const share = pick(sampleLedger(), "share").entry
    const given = new Given()
    for (let id = 1; id <= 5000; id++) given.add(id, share)
    const kept = Array.from({ length: 5000 }, (_, at) => at + 1).filter((id) => given.take(id) !== undefined)
    expect([kept.length, kept[0], kept.at(-1)]).toEqual([1024, 3977, 5000])
})
