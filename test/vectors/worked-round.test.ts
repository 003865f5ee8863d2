/** PROTOCOL.md §11 is what the code computes. `UPDATE=1` writes it anew. */
import { readFile, writeFile } from "node:fs/promises"
import { expect, test } from "vitest"
import { workedRound } from "../worked-round.ts"

const page = new URL("../../docs/PROTOCOL.md", import.meta.url)
const [begin, end] = ["<!-- worked round: begin -->", "<!-- worked round: end -->"]

test("the worked round of PROTOCOL.md is the one that the code computes", async () => {
    const text = await readFile(page, "utf8")
    const [head, rest, ...more] = text.split(begin)
    const [shown, tail, ...again] = (rest ?? "").split(end)
    if (head === undefined || tail === undefined || more.length + again.length > 0)
        throw new Error("PROTOCOL.md has not exactly one pair of markers of the worked round")
    const computed = `\n\n${workedRound()}\n\n`
    if (process.env.UPDATE === "1") await writeFile(page, head + begin + computed + end + tail)
    else expect(shown).toBe(computed)
})
