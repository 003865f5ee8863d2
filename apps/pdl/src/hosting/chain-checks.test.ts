import { copyFile, mkdtemp, rename, rm, truncate } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { initDataDir, lookIntoDataDir } from "@tallylight/node/data-dir.js"
import { examine } from "@tallylight/node/doctor.js"
import type { Check } from "@tallylight/node/doctor.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { pdlConfig } from "../config.ts"
import { bytesPerDay, chainChecks, judgeLedgerTime } from "./chain-checks.ts"
import { chainFolders, ledgerPath } from "./chain-folder.ts"
import type { ChainFolder } from "./chain-folder.ts"
import { makeChain } from "./create.ts"
import { operatorKeyPath } from "../operator/key.ts"

const never = new AbortController().signal

async function look(checks: readonly Check[]): Promise<Record<string, string>> {
    const found: Record<string, string> = {}
    for await (const { name, verdict, says } of examine(checks, never)) found[name] = `${verdict}: ${says}`
    return found
}

let path: string
let one: ChainFolder
let two: ChainFolder

beforeEach(async () => {
    path = join(await mkdtemp(join(tmpdir(), "tallylight-pdl-doctor-")), "pdl")
    await initDataDir(path, "pdl", async (dir) => {
        for (const name of ["one", "two"]) {
            const { chain } = pdlConfig.parse({ chain: { name, admission: "listed" } })
            await makeChain(dir, chain)
        }
    })
    const [first, second] = await chainFolders(await lookIntoDataDir(path, "pdl"))
    if (first === undefined || second === undefined) throw new Error("two chains were made")
    one = first
    two = second
    await rename(operatorKeyPath(one.path), join(path, "operator.key"))
})
afterEach(() => rm(join(path, ".."), { recursive: true }))

describe("a chain", () => {
    test("is well with its own ledger and keys", async () => {
        const found = await look(chainChecks(one))
        expect(found["one: ledger"]).toMatch(/^ok: chain [0-9a-f]{64}, 1 entries$/)
        expect(found["one: keys"]).toMatch(/^ok/)
        expect(found["one: clock"]).toMatch(/^ok/)
        expect(await bytesPerDay([one, two])).toBe(0)
    })

    test("has its operator's key elsewhere", async () => {
        expect((await look(chainChecks(two)))["two: keys"]).toMatch(
            /^warn: .*operator\.key is on the ledger server$/,
        )
    })

    test.each(["ledger", "message", "vrf"])("has no other chain's %s key", async (purpose) => {
        await copyFile(join(two.path, `keys/${purpose}.key`), join(one.path, `keys/${purpose}.key`))
        expect((await look(chainChecks(one)))["one: keys"]).toMatch(
            /^fail: .* are not the keys in the first entry/,
        )
    })

    test("has all of its keys", async () => {
        await rm(join(one.path, "keys/vrf.key"))
        const found = await look(chainChecks(one))
        expect(found["one: keys"]).toMatch(/^fail: there is no key file/)
        expect(found["one: ledger"]).toMatch(/^ok/)
    })

    test("has a ledger", async () => {
        await truncate(ledgerPath(one), 100)
        expect((await look(chainChecks(one)))["one: ledger"]).toMatch(/^fail/)
        await rm(ledgerPath(one))
        expect((await look(chainChecks(one)))["one: ledger"]).toMatch(/^fail: there is no ledger/)
    })
})

test.each([
    [0, "ok"],
    [1, "warn"],
    [5000, "warn"],
    [5001, "fail"],
])("a ledger %i ms ahead of this machine is %s", (aheadMs, verdict) => {
    expect(judgeLedgerTime(1_800_000_000_000 + aheadMs, 1_800_000_000_000)).toMatchObject({ verdict })
})
