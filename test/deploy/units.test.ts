/** The systemd units start what is there, as users that are made, and differ in nothing that protects. */
import { spawnSync } from "node:child_process"
import { readdir, readFile, stat } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"
import { commandProblem } from "./command-line.ts"

const root = new URL("../../", import.meta.url)
const folder = new URL("deploy/systemd/", root)
const files = await readdir(folder)
const units = files.filter((name) => name.endsWith(".service"))

/** Each setting by its name, as often as it is there. */
async function settingsOf(unit: string): Promise<ReadonlyMap<string, readonly string[]>> {
    const settings = new Map<string, string[]>()
    for (const line of (await readFile(new URL(unit, folder), "utf8")).split("\n")) {
        if (line === "" || line.startsWith("#") || /^\[(Unit|Service|Install)\]$/.test(line)) continue
        const [, name = "", value = ""] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? []
        if (name === "") throw new Error(`${unit} has a line that is no setting: ${line}`)
        settings.set(name, [...(settings.get(name) ?? []), value])
    }
    return settings
}

const only = (settings: ReadonlyMap<string, readonly string[]>, name: string): string => {
    const [value, ...others] = settings.get(name) ?? []
    expect([name, value, others]).toStrictEqual([name, expect.any(String), []])
    return value ?? ""
}

test("there is a unit for each role that runs for good", () => {
    expect(units.toSorted()).toStrictEqual(
        ["entropy-node", "party", "pdl", "requester"].map((role) => `tallylight-${role}.service`),
    )
})

describe.each(units)("%s", (unit) => {
    test("starts a command that there is, on a configuration and a data directory of its own", async () => {
        const settings = await settingsOf(unit)
        const [node, program = "", ...words] = only(settings, "ExecStart").split(" ")
        const role = words[0] ?? ""
        expect([node, program]).toStrictEqual(["/usr/bin/node", "bin/tallylight.mjs"])
        expect(only(settings, "WorkingDirectory")).toBe("/opt/tallylight")
        expect((await stat(new URL(program, root))).isFile()).toBe(true)
        expect(commandProblem(words)).toBeUndefined()
        expect(unit).toBe(`tallylight-${role}.service`)
        expect(words[words.indexOf("--config") + 1]).toBe(`/etc/tallylight/${role}.jsonc`)
        expect((await stat(new URL(`config/${role}.jsonc`, root))).isFile()).toBe(true)
        expect(words[words.indexOf("--data") + 1]).toBe(`/var/lib/${only(settings, "StateDirectory")}`)
    })

    test("runs as a user that systemd-sysusers makes", async () => {
        const users = await readFile(new URL("tallylight.sysusers.conf", folder), "utf8")
        expect(users).toMatch(new RegExp(`^u ${only(await settingsOf(unit), "User")} `, "m"))
    })

    test("is as protected as the others", async () => {
        const [own, pdl] = [await settingsOf(unit), await settingsOf("tallylight-pdl.service")]
        const protects = /^(Protect|Restrict(?!Mode)|Private|SystemCall|Capability|NoNew|Lock|UMask)/
        const names = [...pdl.keys()].filter((name) => protects.test(name))
        expect(names.length).toBeGreaterThan(15)
        // Devices are what an entropy node is for.
        const shared = own.has("DeviceAllow") ? names.filter((name) => name !== "PrivateDevices") : names
        for (const name of shared) expect([name, own.get(name)]).toStrictEqual([name, pdl.get(name)])
        expect(own.has("PrivateDevices")).toBe(!own.has("DeviceAllow"))
        if (own.has("DeviceAllow")) expect(only(own, "DevicePolicy")).toBe("closed")
    })
})

test("udev gives devices to the group of the entropy node", async () => {
    const rules = (await readFile(new URL("60-tallylight.rules", folder), "utf8"))
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"))
    expect(rules.length).toBeGreaterThan(2)
    for (const rule of rules) {
        expect(rule).toMatch(/^([A-Z]+==?"[^"]+", )+MODE="0640"$/)
        expect(rule).toContain('GROUP="tallylight-entropy"')
    }
})

const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0

test.skipIf(!hasSystemd)("systemd-analyze, where there is one, finds nothing wrong", () => {
    const paths = units.map((unit) => fileURLToPath(new URL(unit, folder)))
    const { stderr } = spawnSync("systemd-analyze", ["verify", ...paths], { encoding: "utf8" })
    // Whether Node lies here where it lies on other machines is no matter of the units.
    const complaints = stderr
        .split("\n")
        .filter((line) => line.includes("tallylight-") && !line.includes("/usr/bin/node"))
    expect(complaints).toStrictEqual([])
})
