import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { describeTwoHistories } from "@tallylight/protocol/verify/evidence.js"
import { afterEach, beforeEach, expect, test } from "vitest"
import { writeEvidence } from "./evidence-file.ts"

let folder: string
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-evidence-"))
})
afterEach(() => rm(folder, { recursive: true }))

const one = new SampleLedger("a chain").state.genesis
const other = new SampleLedger("another chain").state.genesis
const notes = ["a note", "another note"] as const
const about = (genesis: typeof one) => describeTwoHistories(genesis, notes, undefined)

test("of one chain takes the name of what was there before", async () => {
    const path = join(folder, "evidence-fork-7.json")
    expect(await writeEvidence(path, about(one))).toEqual({ path, convicts: false })
    expect(await writeEvidence(path, about(one))).toEqual({ path, convicts: false })
    expect(await readdir(folder)).toEqual(["evidence-fork-7.json"])
})

test("of another chain, or anything else of that name, stays what it is", async () => {
    const path = join(folder, "evidence-fork-7.json")
    await writeFile(path, "somebody's own")
    const first = await writeEvidence(path, about(one))
    const second = await writeEvidence(path, about(other))
    expect(first.path).toBe(join(folder, "evidence-fork-7-2.json"))
    expect(second.path).toBe(join(folder, "evidence-fork-7-3.json"))
    expect(await readFile(path, "utf8")).toBe("somebody's own")
    for (const [filed, genesis] of [
        [first, one],
        [second, other],
    ] as const) {
        expect(JSON.parse(await readFile(filed.path, "utf8"))).toEqual(about(genesis))
        expect(await writeEvidence(path, about(genesis))).toEqual(filed)
    }
})
