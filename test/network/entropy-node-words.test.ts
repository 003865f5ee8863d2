/** What an entropy node and its doctor tell an operator about settings, keys and pulses. */
import { rm, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { makeSoftHsm, noSoftHsm, type SoftHsm } from "../processes/soft-hsm.ts"
import { nextLines, said } from "../processes/run.ts"
import { Stage } from "./stage.ts"

let stage: Stage
beforeEach(async () => {
    stage = await Stage.make()
})
afterEach(() => stage.clear())

async function configure(settings: object): Promise<void> {
    await writeFile(join(stage.folder, "node.json"), JSON.stringify(settings))
}

async function told(...args: readonly string[]): Promise<string> {
    return (await stage.run("entropy-node", ...args, "--config", "node.json")).stdout
}

test("chains for which nothing signs, and which sources are simulated, are told at the start", async () => {
    const device = { kind: "character-device", device: "hwrng", name: "real", path: "/nowhere" }
    await configure({ pulses: { enabled: false }, sources: [device] })
    const node = stage.start(
        ...["entropy-node", "--config", "node.json", "--simulated", "--port", "0"],
        ...["--url", "http://127.0.0.1:1"],
    )
    const [, sources] = await nextLines(node, 2)
    expect(sources).toBe("sources real, simulated-chip (SIMULATED: no hardware)")
    await said(node, "chains are configured, and nothing signs for them: pulses.enabled is false")
})

test("one device under two names is refused at the start, and the doctor says the same", async () => {
    const path = join(stage.folder, "device")
    await writeFile(path, "")
    const link = join(stage.folder, "link")
    await symlink(path, link)
    const device = { kind: "character-device", device: "hwrng" }
    await configure({
        pulses: { enabled: false },
        sources: [
            { ...device, name: "one", path },
            { ...device, name: "two", path: link },
        ],
        core: { minimumHealthySources: 2 },
    })
    const sentence = "the sources one and two are one device, which would count as two; take one of them out"
    const { code, stderr } = await stage.run("entropy-node", "--config", "node.json", "--port", "0")
    expect([code, stderr]).toEqual([1, expect.stringContaining(sentence)])
    expect(await told("doctor")).toMatch(new RegExp(`^FAIL  sources +${sentence}`, "m"))
})

test("a key that another node has is told by init, and lost pulses by the doctor", async () => {
    const file = join(stage.folder, "key.pem")
    await configure({ pulses: { key: { kind: "software", file } } })
    expect(await told("init", "--data", "first")).toMatch(/^made first: entropy node [0-9a-f]{64}\n$/)
    expect(await told("init", "--data", "second")).toContain(`a key that was there already, ${file}`)
    const doctor = (): Promise<string> => told("doctor", "--data", "first", "--simulated")
    const whole = await doctor()
    expect(whole).toMatch(/^ok {4}pulses {12}none yet$/m)
    expect(whole).toMatch(/^ok {4}open files/m)
    expect(whole).not.toMatch(/^FAIL/m)
    await rm(join(stage.folder, "first/pulses/pulses.db"))
    expect(await doctor()).toMatch(/^FAIL {2}pulses {12}there are no pulses in /m)
})

describe("a key in a token of software", () => {
    let made: SoftHsm | undefined
    let hsm: SoftHsm
    beforeEach(async (context) => {
        made = await makeSoftHsm()
        if (made === undefined) context.skip(noSoftHsm)
        else hsm = made
    })
    afterEach(() => made?.remove())

    test("is no reason to get a token", async () => {
        await configure({ pulses: { key: hsm.settings } })
        expect(await told("init", "--data", "node")).toMatch(/^made node/)
        const found = await told("doctor", "--data", "node", "--simulated")
        expect(found).toMatch(/^warn {2}pulse key {9}RSA-4096, in the token tested, which is software$/m)
        expect(found).not.toContain("HARDWARE.md")
    })
})
