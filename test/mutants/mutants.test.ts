import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { honest } from "@tallylight/protocol/sample/mutant.js"
import { mutants } from "@tallylight/protocol/sample/mutants.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { audit } from "@tallylight/protocol/verify/audit.js"
import { entryRules, logRules } from "@tallylight/protocol/verify/rules.js"
import { expect, test } from "vitest"

const sample = sampleLedger()

async function* each(entries: readonly Uint8Array[]) {
    yield* entries
    await Promise.resolve()
}

test("the honest sample holds in every rule, and reaches each of them", async () => {
    const { entries, checkpoint } = honest(sample)
    const report = await audit({ entries: each(entries), checkpoint, chain: sample.state.chain })
    expect(report.holds).toBe(true)
    expect(report.verified).toBe(sample.entries.length)
    const unreached = report.verdicts.filter(({ verdict }) => verdict === "not-reached")
    expect(unreached).toEqual([])
})

test("a checkpoint seen before is recognised in the ledger that extends it", async () => {
    const shorter = sample.entries.slice(0, 20).map(encodeEntry)
    const { entries, checkpoint } = honest(sample)
    const seen = sample.states[shorter.length - 1]
    if (seen === undefined) throw new Error("the sample is longer than that")
    const pinned = { size: shorter.length, root: rangeRoot(seen.range) }
    const report = await audit({ entries: each(entries), checkpoint, pinned })
    expect(report.verdicts.find(({ rule }) => rule === "append-only")?.verdict).toBe("holds")
})

test.each(mutants)("$rule: refuses $breaks with $code", async ({ rule, code, mutate }) => {
    const { entries, checkpoint, pinned } = mutate(sample)
    const report = await audit({ entries: each(entries), checkpoint, ...(pinned && { pinned }) })
    expect(report.holds).toBe(false)
    const broken = report.verdicts.filter(({ verdict }) => verdict === "broken")
    expect(broken.map((verdict) => [verdict.rule, verdict.first?.code])).toEqual([[rule, code]])
})

test("every rule has a mutant", () => {
    const shown = new Set(mutants.map(({ rule }) => rule))
    const unshown = [...Object.keys(entryRules), ...Object.keys(logRules)].filter(
        (rule) => !shown.has(rule as (typeof mutants)[number]["rule"]),
    )
    expect(unshown).toEqual([])
})
