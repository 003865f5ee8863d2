import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { encodeEntry } from "@tallylight/protocol/ledger/entry.js"
import { honest } from "@tallylight/protocol/sample/mutant.js"
import { mutants } from "@tallylight/protocol/sample/mutants.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { audit } from "@tallylight/protocol/verify/audit.js"
import { entryRules, logRules } from "@tallylight/protocol/verify/rules.js"
import type { RefusalCode } from "@tallylight/protocol/wire/refusal.js"
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

/** The facts that come with a code, by name, none where it is not listed; one of them where there are several. */
const facts: Partial<Record<RefusalCode, readonly string[]>> = {
    "already-answered": ["member"],
    "already-contributed": ["round"],
    "already-signed": ["round"],
    "bad-committee": ["t n"],
    "bad-genesis": ["problem"],
    "bad-links": ["problem"],
    "bad-opening": ["field"],
    "bad-possession": ["member", ""],
    "bad-pulse": ["field"],
    "bad-share": ["member"],
    "bad-statement": ["bytes"],
    forked: ["size", "seen"],
    "key-taken": ["key"],
    "malformed-entry": ["kind bytes"],
    "missing-entries": ["expected got"],
    "no-beacon": ["round"],
    "no-extension": ["expected"],
    "no-round": ["round"],
    "no-tally": ["round"],
    "not-a-member": ["member"],
    "not-on-roster": ["round"],
    "out-of-turn": ["request"],
    "queue-full": ["waiting own"],
    "roster-too-small": ["roster minimum"],
    "round-closed": ["closedAt"],
    "round-open": ["round"],
    "stale-sequence": ["last"],
    "time-backwards": ["last time"],
    "too-early": ["closesAt"],
    "too-far-ahead": ["now"],
    "wrong-commitment": ["next beacons"],
    "wrong-deadline": ["expected got"],
    "wrong-election": ["k n"],
    "wrong-range": ["count"],
    "wrong-reason": ["expected", "missing", "count minimum"],
    "wrong-root": ["size"],
    "wrong-round": ["expected got"],
    "wrong-shares": ["valid", ""],
}

test.each(mutants)("$rule: refuses $breaks with $code", async ({ rule, code, mutate }) => {
    const { entries, checkpoint, pinned } = mutate(sample)
    const report = await audit({ entries: each(entries), checkpoint, ...(pinned && { pinned }) })
    expect(report.holds).toBe(false)
    const broken = report.verdicts.filter(({ verdict }) => verdict === "broken")
    expect(broken.map((verdict) => [verdict.rule, verdict.first?.code])).toEqual([[rule, code]])
    expect(facts[code] ?? [""]).toContain(Object.keys(broken[0]?.first?.facts ?? {}).join(" "))
})

test("every rule has a mutant", () => {
    const shown = new Set(mutants.map(({ rule }) => rule))
    const unshown = [...Object.keys(entryRules), ...Object.keys(logRules)].filter(
        (rule) => !shown.has(rule as (typeof mutants)[number]["rule"]),
    )
    expect(unshown).toEqual([])
})
