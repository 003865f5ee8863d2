import { expect, test } from "vitest"
import { runKills } from "../torture/kills.ts"

/** `npm run torture -- kills` goes on for minutes. */
test("whoever is killed, and when, every receipt is kept and rounds go on", async () => {
    const { killed, rounds, receipts, problems } = await runKills(1, (kills) => kills < 6)
    expect(problems).toEqual([])
    expect(killed.pdl).toBeGreaterThan(0)
    expect(killed.party + killed.requester).toBeGreaterThan(0)
    expect(rounds).toBeGreaterThan(2)
    expect(receipts).toBeGreaterThan(rounds)
})
