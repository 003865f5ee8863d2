/** Every limit of a ledger server is explained to whoever runs it. */
import { readFileSync } from "node:fs"
import { pdlConfig } from "@tallylight/pdl/config.js"
import { expect, test } from "vitest"

const limits = Object.keys(pdlConfig.shape.limits.unwrap().shape)
const page = readFileSync(new URL("../../docs/OPERATING.md", import.meta.url), "utf8")

test("every limit is in the Limits table of OPERATING.md, and no other", () => {
    const [, section = ""] = /^## Limits\n(.*?)^##/ms.exec(page) ?? []
    const rows = section.split("\n").filter((line) => line.startsWith("|"))
    const named = rows.flatMap((row) => [...row.matchAll(/`limits\.(\w+)`/g)].map(([, name]) => name))
    expect(limits.length).toBeGreaterThan(10)
    expect([...new Set(named)].toSorted()).toEqual(limits.toSorted())
})
