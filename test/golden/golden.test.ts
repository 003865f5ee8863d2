import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { decodeEntry, encodeEntry, entryKinds } from "@tallylight/protocol/ledger/entry.js"
import { describe, expect, test } from "vitest"
import { goldenNames, judge, readGolden } from "./golden.ts"

describe.each(goldenNames)("the ledger %s.json, which is never written again", (name) => {
    const golden = readGolden(name)

    test("is read, and written, byte by byte as it was", () => {
        expect(golden.entries.length).toBeGreaterThan(30)
        for (const hex of golden.entries) expect(toHex(encodeEntry(decodeEntry(fromHex(hex))))).toBe(hex)
    })

    test("verifies, and comes to what it came to", async () => {
        expect(golden.verdict.holds).toBe(true)
        expect(await judge(golden)).toEqual(golden.verdict)
    })

    test("does not verify with one bit changed", async () => {
        const { entries } = golden
        const at = entries.length - 2
        const changed = fromHex(entries[at]!)
        changed[changed.length - 1]! ^= 1
        const { holds } = await judge({ ...golden, entries: entries.with(at, toHex(changed)) })
        expect(holds).toBe(false)
    })
})

test("the golden sample has every kind of entry", () => {
    const kinds = new Set(readGolden("sample-2").entries.map((hex) => decodeEntry(fromHex(hex)).kind))
    expect([...kinds].toSorted()).toEqual([...entryKinds].toSorted())
})
