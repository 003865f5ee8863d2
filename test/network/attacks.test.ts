import { afterAll, beforeAll, describe, test } from "vitest"
import type { OpenGroup } from "../attacks/attack.ts"
import { groups } from "../attacks/run.ts"

/** An audit of everything that a group left behind, on a slow machine. */
const patienceMs = 180_000

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
