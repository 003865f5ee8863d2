/** What `doctor` says of a ledger, held against what was seen of it before. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { replayLedger } from "@tallylight/node/doctor-ledger.js"
import type { Replayed } from "@tallylight/node/doctor-ledger.js"
import { findChain } from "@tallylight/node/find-chain.js"
import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { cleanUp, never, served } from "./fixtures.ts"

const sample = sampleLedger()
const { origin } = sample.state.genesis
const size = sample.entries.length
let url: string
beforeAll(async () => {
    url = await served(sample)
})
afterAll(cleanUp)

async function replay(seen?: { size: number; root: Uint8Array }): Promise<Replayed> {
    const address = await findChain({ url, chain: toHex(sample.state.chain) }, never)
    return replayLedger(address, seen && { origin, ...seen }, never)
}

const rootAt = (at: number): Uint8Array => rangeRoot(sample.states[at - 1]!.range)

describe("a ledger", () => {
    test("of which nothing was seen before is replayed", async () => {
        const { finding, state } = await replay()
        expect(finding).toEqual({ verdict: "ok", says: `${size} entries, by its rules` })
        expect(state?.range.size).toBe(size)
    })

    test.each([1, 2, size - 1, size])("goes on from the first %i entries", async (seen) => {
        const { finding } = await replay({ size: seen, root: rootAt(seen) })
        expect(finding.verdict).toBe("ok")
        expect(finding.says).toContain(`goes on from the ${seen} that were seen from here`)
    })

    test.each([2, size - 1, size])("does not go on from others (%i)", async (seen) => {
        const { finding, state } = await replay({ size: seen, root: rootAt(1) })
        expect(finding.verdict).toBe("fail")
        expect(finding.says).toMatch(/cut short or replaced, and signed both$/)
        expect(state).toBe(undefined)
    })

    test("was cut short", async () => {
        const { finding } = await replay({ size: size + 1, root: rootAt(1) })
        expect(finding.verdict).toBe("fail")
        expect(finding.says).toMatch(/cut short or replaced$/)
    })
})
