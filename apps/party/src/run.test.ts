import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openDataDir } from "@tallylight/node/data-dir.js"
import type { DataDir } from "@tallylight/node/data-dir.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { openParty } from "./run.ts"

let folder: string
let dir: DataDir

beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-party-"))
    dir = await openDataDir({ path: join(folder, "party"), named: false, role: "party" })
})
afterEach(async () => {
    await dir.release()
    await rm(folder, { recursive: true, force: true })
})

describe("a party", () => {
    test("keeps its keys", async () => {
        const { identity } = await openParty(dir, 1)
        expect((await openParty(dir, 1)).identity).toEqual(identity)
        expect((await openParty(dir, 2)).identity).not.toEqual(identity)
    })

    test.each(["identity.key", "vrf.key"])("that lost its %s does not start with another", async (name) => {
        await openParty(dir, 1)
        await rm(dir.file(`party-1/${name}`))
        await expect(openParty(dir, 1)).rejects.toThrow(`there is no key file ${dir.file("party-1")}/${name}`)
        expect(await readdir(dir.file("party-1"))).not.toContain(name)
    })
})
