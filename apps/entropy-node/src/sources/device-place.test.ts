import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { UserError } from "@tallylight/node/user-error.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { sourceSettings } from "../config.ts"
import { refuseDoubles } from "../core/distinct-sources.ts"
import { configuredSource } from "./configured.ts"

let folder: string
beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-place-"))
    await mkdir(join(folder, "by-id"))
    for (const file of ["first", "second", "module.so", "other.so"]) await writeFile(join(folder, file), "")
    await symlink(join(folder, "first"), join(folder, "by-id/first"))
    await symlink(join(folder, "module.so"), join(folder, "linked.so"))
})
afterAll(() => rm(folder, { recursive: true }))

type Given = Readonly<Record<string, unknown>>

/** In the temporary folder, where it is given as a path in it. */
const there = (given: Given): Given =>
    Object.fromEntries(
        Object.entries(given).map(([key, value]) => [
            key,
            typeof value === "string" && value.startsWith("./") ? join(folder, value) : value,
        ]),
    )

async function refusal(...given: readonly Given[]): Promise<UserError | undefined> {
    const sources = given.map((one, at) => sourceSettings.parse(there({ name: `source-${at}`, ...one })))
    const configured = await Promise.all(sources.map((source) => configuredSource(source, systemClock)))
    try {
        refuseDoubles(configured)
        return undefined
    } catch (error) {
        if (error instanceof UserError) return error
        throw error
    }
}

const chip = { kind: "atecc608a" }
const card = { kind: "character-device", device: "quantis", path: "./first" }
const token = { kind: "pkcs11", module: "./module.so", token: "label", pinFile: "pin" }
const appliance = { kind: "qrng-http", api: "idq", url: "https://qrng.example" }
const anu = { kind: "qrng-http", api: "anu", keyFile: "key" }

describe("one device under two names is refused, and both are named", () => {
    test.each<readonly [string, Given, Given]>([
        ["a chip", chip, { ...chip, bus: 1, address: 0x60 }],
        ["a device", card, { ...card, device: "hwrng" }],
        ["a device by a link", card, { ...card, path: "./by-id/first" }],
        [
            "a device by another form of its path",
            { ...card, path: "/dev/null" },
            { ...card, path: "/dev/../dev/null" },
        ],
        ["a device that is not there now", { ...card, path: "/dev/none" }, { ...card, path: "/dev/none" }],
        ["a token", token, { ...token, pinFile: "other", timeoutMs: 1 }],
        ["a token whose module has two paths", token, { ...token, module: "./linked.so" }],
        [
            "a token whose environment is written in another order",
            { ...token, environment: { A: "1", B: "2" } },
            { ...token, environment: { B: "2", A: "1" } },
        ],
        ["an appliance", appliance, { ...appliance, url: "https://QRNG.example:443/", format: "hexbytes" }],
        ["a service with two keys", anu, { ...anu, keyFile: "other", type: "uint8" }],
    ])("%s", async (_, one, other) => {
        const between = { ...chip, bus: 7 }
        expect((await refusal(one, between, other))?.message).toBe(
            "the sources source-0 and source-2 are one device, which would count as two; take one of them out of " +
                "“sources”, or correct where its device is",
        )
    })
})

describe("two devices are not", () => {
    test.each<readonly [string, Given, Given]>([
        ["chips at two addresses", chip, { ...chip, address: 0x35 }],
        ["chips on two buses", chip, { ...chip, bus: 0 }],
        ["simulated chips", { ...chip, simulated: true }, { ...chip, simulated: true }],
        ["devices", card, { ...card, path: "./second" }],
        ["tokens of two labels", token, { ...token, token: "other" }],
        ["tokens of two modules", token, { ...token, module: "./other.so" }],
        [
            "tokens of one label that the module's environment tells apart",
            { ...token, environment: { CONF: "1" } },
            { ...token, environment: { CONF: "2" } },
        ],
        ["appliances", appliance, { ...appliance, url: "https://other.example" }],
        ["servers at two ports", appliance, { ...appliance, url: "https://qrng.example:8443" }],
    ])("%s", async (_, one, other) => {
        expect(await refusal(one, other)).toBeUndefined()
    })
})

test("one name for two devices is refused, and the operating system's", async () => {
    expect((await refusal({ ...chip, name: "a" }, { ...card, name: "a" }))?.message).toBe(
        "two sources are called a; each needs a name of its own",
    )
    expect((await refusal({ ...chip, name: "system" }))?.message).toMatch(/^system is what/)
})
