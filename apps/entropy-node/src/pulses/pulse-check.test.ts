import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import type { Finding } from "@tallylight/node/doctor.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { afterEach, beforeEach, expect, test } from "vitest"

import { pulseBytesPerDay, pulsesCheck } from "./pulse-check.ts"
import { createPulses, openPulses, pulsesFile } from "./pulses.ts"
import type { Pulses } from "./pulses.ts"
import { pulseSettings } from "./settings.ts"
import { TwinSigner, TwinValues } from "./twin-parts.ts"

const noon = Date.UTC(2027, 11, 31, 12)
const day = 86_400_000

let folder: string
let opened: Pulses | undefined
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-pulse-check-"))
    await createPulses(folder)
})
afterEach(async () => {
    await opened?.close()
    opened = undefined
    await rm(folder, { recursive: true })
})

async function makeOne(): Promise<void> {
    opened = await openPulses({
        ...{ folder, settings: pulseSettings.parse({ periodic: { enabled: false } }), simulated: false },
        ...{ signer: await TwinSigner.of("first"), core: new TwinValues(), clock: new ManualClock(noon) },
    })
    const beacons = await opened.follow("a")
    const external = { source: "chain a", statusCode: 0, value: new Uint8Array(64) }
    await beacons.pulseOf({ ordinal: 1, time: noon, external })
}

async function close(): Promise<void> {
    await opened?.close()
    opened = undefined
}

function look(now: number, enabled = true): Promise<Finding> {
    const check = pulsesCheck(() => Promise.resolve(folder), enabled, new ManualClock(now))
    return check.look(new AbortController().signal)
}

test("the last pulse is told, beside a running node and after it, and nothing is left behind", async () => {
    expect(await look(noon)).toEqual({ verdict: "ok", says: "none yet" })
    await makeOne()
    const found = {
        verdict: "ok",
        says: "the last one is pulse 1 of chain 2, of 2027-12-31T12:00:00.000Z",
    }
    expect(await look(noon)).toEqual(found)
    await close()
    const before = await readdir(folder)
    expect(await look(noon + day)).toEqual(found)
    expect(await readdir(folder)).toEqual(before)
})

test("a last pulse that is still to come is worth a warning", async () => {
    await makeOne()
    expect(await look(noon - 1)).toMatchObject({
        verdict: "warn",
        says: expect.stringMatching(/T12:00:00.000Z, which is still to come$/) as string,
    })
})

test("a file that is not there is a failure, unless pulses are off", async () => {
    await rm(pulsesFile(folder))
    await expect(look(noon)).rejects.toThrow(/^there are no pulses in .+pulses\.db; put the file back/)
    expect(await look(noon, false)).toMatchObject({ verdict: "ok" })
    expect(await readdir(folder)).toEqual([])
})

test("growth is what the file has grown a day, once there was one", async () => {
    const grown = (now: number): Promise<number> => pulseBytesPerDay(folder, new ManualClock(now))
    expect(await grown(noon + 2 * day)).toBe(0)
    await makeOne()
    await close()
    expect(await grown(noon + day - 1)).toBe(0)
    const whole = await grown(noon + day)
    expect(whole).toBeGreaterThan(4096)
    expect(await grown(noon + 2 * day)).toBe(whole / 2)
    await rm(pulsesFile(folder))
    expect(await grown(noon + day)).toBe(0)
})
