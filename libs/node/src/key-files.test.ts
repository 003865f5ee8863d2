import { mkdir, chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { createKeyFile, readKeyFile } from "./key-files.ts"
import { UserError } from "./user-error.ts"

const seed = Uint8Array.from({ length: 32 }, (_, i) => i)
const hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

describe("a key file", () => {
    let folder: string
    let path: string
    beforeEach(async () => {
        folder = await mkdtemp(join(tmpdir(), "tallylight-keys-"))
        path = join(folder, "vrf.key")
    })
    afterEach(() => rm(folder, { recursive: true }))

    test("is one line that its owner alone may read", async () => {
        await createKeyFile(path, "vrf", seed)
        expect(await readFile(path, "utf8")).toBe(`tallylight-key-v1 vrf ${hex}\n`)
        expect((await stat(path)).mode & 0o777).toBe(0o600)
        expect(await readKeyFile(path, "vrf")).toStrictEqual(seed)
        expect(await readdir(folder)).toStrictEqual(["vrf.key"])
    })

    test("is never overwritten", async () => {
        await createKeyFile(path, "vrf", seed)
        const again = createKeyFile(path, "vrf", new Uint8Array(32))
        await expect(again).rejects.toThrow(
            new UserError(`the key file ${path} exists, and keys are never overwritten`),
        )
        expect(await readKeyFile(path, "vrf")).toStrictEqual(seed)
        expect(await readdir(folder)).toStrictEqual(["vrf.key"])
    })

    test("serves one purpose", async () => {
        await createKeyFile(path, "vrf", seed)
        await expect(readKeyFile(path, "identity")).rejects.toThrow(
            new UserError(`the key in ${path} is for vrf, not for identity`),
        )
    })

    test.each([0o640, 0o604, 0o620, 0o610])(
        "that others may use (%o) is refused with the remedy",
        async (mode) => {
            await createKeyFile(path, "vrf", seed)
            await chmod(path, mode)
            await expect(readKeyFile(path, "vrf")).rejects.toThrow(
                new UserError(`others may read the key file ${path}; run: chmod 600 ${path}`),
            )
            await chmod(path, 0o400)
            expect(await readKeyFile(path, "vrf")).toStrictEqual(seed)
        },
    )

    test("that is missing is named", async () => {
        const missing = readKeyFile(path, "vrf")
        await expect(missing).rejects.toThrow(UserError)
        await expect(missing).rejects.toThrow(`there is no key file ${path}; put it back from a backup`)
    })

    test("that is a folder is named", async () => {
        await mkdir(path)
        await expect(readKeyFile(path, "vrf")).rejects.toThrow(
            new UserError(`${path} is a folder, and no key file`),
        )
    })

    test.each([
        ["a short key", `tallylight-key-v1 vrf ${hex.slice(2)}\n`, "has 62 hexadecimal digits, not 64"],
        ["a long key", `tallylight-key-v1 vrf ${hex}00\n`, "has 66 hexadecimal digits, not 64"],
        ["upper case", `tallylight-key-v1 vrf ${hex.toUpperCase()}\n`, "is not a key file"],
        ["no newline", `tallylight-key-v1 vrf ${hex}`, "is not a key file"],
        ["a second line", `tallylight-key-v1 vrf ${hex}\n\n`, "is not a key file"],
        ["another version", `tallylight-key-v2 vrf ${hex}\n`, "is not a key file"],
        ["the seed alone", `${hex}\n`, "is not a key file"],
        ["nothing", "", "is not a key file"],
    ])("with %s is refused", async (_, content, problem) => {
        await writeFile(path, `tallylight-key-v1 vrf ${hex}\n`, { mode: 0o600 })
        expect(await readKeyFile(path, "vrf")).toStrictEqual(seed)
        await writeFile(path, content)
        const refused = readKeyFile(path, "vrf")
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow(problem)
        // No part of a key shows in a message.
        await expect(refused).rejects.not.toThrow(/0102|0A0B/)
    })

    test("has 32 bytes", async () => {
        await expect(createKeyFile(path, "vrf", new Uint8Array(31))).rejects.toThrow(RangeError)
        expect(await readdir(folder)).toStrictEqual([])
    })
})
