import { expect, test } from "vitest"
import { describeStorm, runStorm } from "./storm.ts"

/** `npm run torture -- faults` runs thousands of others. */
test.each([2, 4, 8, 10])("a network comes through storm %i with every promise kept", async (seed) => {
    const storm = await runStorm(seed)
    expect(storm.problems, describeStorm(storm)).toEqual([])
    expect(storm.beacons).toBeGreaterThan(0)
    expect(storm.receipts).toBeGreaterThan(0)
})

test("a storm is the same each time", async () => {
    expect(await runStorm(7)).toEqual(await runStorm(7))
})
