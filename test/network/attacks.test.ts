import { afterAll, beforeAll, describe, test } from "vitest"
import type { OpenGroup } from "../attacks/attack.ts"
import { groups } from "../attacks/run.ts"

for (const { title, attacks, open } of groups) {
    describe(title, () => {
        let opened: OpenGroup
        beforeAll(async () => {
            opened = await open()
        })
        afterAll(() => opened.close())
        test.each(attacks)("$name: $stoppedBy", ({ name }) => opened.run(name))
    })
}
