import { afterAll, beforeAll, describe, test } from "vitest"
import type { Group, OpenGroup } from "../../attacks/attack.ts"

/** An audit of everything that a group left behind, on a slow machine. */
const patienceMs = 180_000

export function testAttacks(groups: readonly Group[]): void {
    for (const { title, attacks, open } of groups) {
        describe(title, () => {
            let opened: OpenGroup
            beforeAll(async () => {
                opened = await open()
            }, patienceMs)
            afterAll(() => opened.close(), patienceMs)
            for (const { name, stoppedBy } of attacks) test(`${name}: ${stoppedBy}`, () => opened.run(name))
        })
    }
}
