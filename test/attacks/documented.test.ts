import { readFileSync, writeFileSync } from "node:fs"
import { expect, test } from "vitest"
import { attackTable } from "./documented.ts"
import { groups } from "./run.ts"

const path = new URL("../../docs/ATTACKS.md", import.meta.url)
const [begin, end] = ["<!-- attacks: begin -->", "<!-- attacks: end -->"]

test("docs/ATTACKS.md has every attack that is run, and no other", () => {
    const text = readFileSync(path, "utf8")
    const [before = "", rest = ""] = text.split(begin)
    const [written = "", after = ""] = rest.split(end)
    const table = `\n\n${attackTable()}\n`
    if (process.env.UPDATE !== undefined) writeFileSync(path, `${before}${begin}${table}${end}${after}`)
    else expect(squeezed(written)).toBe(squeezed(table))
})

test("no two attacks have one name", () => {
    const names = groups.flatMap(({ attacks }) => attacks.map(({ name }) => name))
    expect(new Set(names).size).toBe(names.length)
})

/** Without the padding that a formatter puts into tables. */
function squeezed(table: string): string {
    return table.replace(/ +/g, " ").replace(/-{3,}/g, "---").replace(/\n+/g, "\n").trim()
}
