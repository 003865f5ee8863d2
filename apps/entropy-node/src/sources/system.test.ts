import { release } from "node:os"
import { fileURLToPath } from "node:url"

import { expect, test } from "vitest"

import { systemDriver, systemSettings } from "./system.ts"

const { signal } = new AbortController()

test("gives as many bytes as are asked for, other ones each time", async () => {
    const source = await systemDriver(systemSettings.parse({ kind: "system" })).open(signal)
    const first = await source.read(64, signal)
    const second = await source.read(64, signal)
    expect(first.constructor).toBe(Uint8Array)
    expect([first.length, second.length, (await source.read(1, signal)).length]).toEqual([64, 64, 1])
    expect(first).not.toEqual(second)
    await source.close()
})

test("says what it is", async () => {
    const driver = systemDriver(systemSettings.parse({ kind: "system" }))
    expect(driver).toMatchObject({ kind: "system", simulated: false })
    const source = await driver.open(signal)
    expect(source.facts).toEqual({ generator: "/dev/urandom", kernel: release() })
    await source.close()
})

test.each([
    ["/dev/no-such-device", "/dev/no-such-device cannot be opened (ENOENT)"],
    ["/dev/zero", "/dev/zero is the device 1:5"],
    ["/dev/null", "/dev/null is the device 1:3"],
    [fileURLToPath(import.meta.url), "is no device"],
])("refuses %s in the kernel's place", async (path, problem) => {
    const driver = systemDriver(systemSettings.parse({ kind: "system" }), path)
    await expect(driver.open(signal)).rejects.toThrow(problem)
})

test("ends with the signal's reason", async () => {
    const reason = new Error("enough")
    const source = await systemDriver(systemSettings.parse({ kind: "system" })).open(signal)
    await expect(source.read(8, AbortSignal.abort(reason))).rejects.toBe(reason)
    await source.close()
})

test("has no settings but its name and what it declares", () => {
    expect(systemSettings.parse({ kind: "system" })).toEqual({
        kind: "system",
        name: "system",
        minEntropy: 8,
    })
    expect(() => systemSettings.parse({ kind: "system", minEntropy: 9 })).toThrow()
    expect(() => systemSettings.parse({ kind: "system", name: "-x" })).toThrow("small letters")
    expect(() => systemSettings.parse({ kind: "system", path: "/dev/urandom" })).toThrow()
})
