import { X509Certificate } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { newRegistry } from "@tallylight/node/metrics.js"
import { FolderInUse } from "@tallylight/node/process-lock.js"
import { SqliteConnection } from "@tallylight/node/sqlite-connection.js"
import { UserError } from "@tallylight/node/user-error.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { parsePulse, pulseJson } from "@tallylight/protocol/pulse/json.js"
import type { PulseCertificate } from "@tallylight/protocol/pulse/signer-checks.js"
import { extendTrail } from "@tallylight/protocol/pulse/trail.js"
import type { PulseTrail } from "@tallylight/protocol/pulse/trail.js"
import { checkUris } from "@tallylight/protocol/pulse/uri-check.js"
import { classify, verifyPulse } from "@tallylight/protocol/pulse/verify-pulse.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { certificatePem, makeCertificate } from "./certificate.ts"
import { findFaults } from "./foreign-verifier.ts"
import type { ServedPulse } from "./foreign-verifier.ts"
import { createPulseKey, openPulseKey } from "./pulse-key.ts"
import type { External, PulseDelayed } from "./pulse-maker.ts"
import { pulseMetrics } from "../pulse-metrics.ts"
import type { PublishedPulse, PulseReader } from "./pulse-reader.ts"
import { createPulses, openPulses } from "./pulses.ts"
import type { BeaconPulses, Pulses, PulsesOptions } from "./pulses.ts"
import { pulseSettings } from "./settings.ts"
import type { PulseSettings } from "./settings.ts"
import { TwinSigner, TwinValues } from "./twin-parts.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const settings = pulseSettings.parse({ key: { kind: "pkcs11", module: "/m", token: "t", pinFile: "p" } })

let parent: string
let folder: string
let clock: ManualClock
let signer: TwinSigner
let core: TwinValues
let opened: Pulses | undefined
const optionsWith = (changes: Partial<PulseSettings> = {}): PulsesOptions => ({
    ...{ folder, settings: { ...settings, ...changes }, signer, core, clock },
    simulated: core.simulated,
})

beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "tallylight-pulses-"))
    folder = join(parent, "pulses")
    clock = new ManualClock(Date.UTC(2027, 11, 31, 22, 20))
    signer = await TwinSigner.of("first")
    core = new TwinValues()
    await createPulses(folder)
})
afterEach(async () => {
    await opened?.close()
    opened = undefined
    await rm(parent, { recursive: true })
})

/** With the period in `ms`; what was open is closed first, as by a restart. */
async function open(ms = minute): Promise<Pulses> {
    await opened?.close()
    opened = undefined
    const periodic = { ...settings.periodic, periodMs: ms }
    opened = await openPulses(optionsWith({ periodic }))
    return opened
}

async function chainOf(reader: PulseReader, chain: number): Promise<readonly PublishedPulse[]> {
    const last = await reader.last(chain)
    const found: PublishedPulse[] = []
    for (let index = 1; index <= (last?.pulse.pulseIndex ?? 0); index++) {
        const pulse = await reader.at(chain, index)
        if (pulse !== undefined) found.push(pulse)
    }
    return found
}

/** The chain's pulses, once they are found to be without a fault, by a foreign verifier and by our own rules. */
async function faultless(reader: PulseReader, chain = 1): Promise<readonly PublishedPulse[]> {
    const found = await chainOf(reader, chain)
    const pems = new Map<string, string>()
    for (const { pulse } of found) {
        const der = await reader.certificate(pulse.certificateId)
        if (der !== undefined) pems.set(toHex(pulse.certificateId), certificatePem(der))
    }
    const served = found.map(({ pulse }) => pulseJson(pulse).pulse as ServedPulse)
    expect(findFaults(served, (id) => pems.get(id) ?? "")).toStrictEqual([])
    let before: PulseTrail | undefined
    for (const { pulse } of found) {
        const certificate = certificateOf(pems.get(toHex(pulse.certificateId)) ?? "")
        const sourceText = await reader.externalSource(pulse.external.sourceId)
        const checks = verifyPulse(parsePulse(pulseJson(pulse)), { before, certificate, sourceText })
        expect(checks.filter(({ verdict }) => verdict === "broken")).toStrictEqual([])
        expect(classify(checks)).toBe("verified")
        before = extendTrail(before, pulse, pulse.outputValue)
    }
    return found
}

function certificateOf(pem: string): PulseCertificate {
    const { raw, publicKey, validFrom, validTo } = new X509Certificate(pem)
    const { n = "", e = "" } = publicKey.export({ format: "jwk" })
    return {
        der: new Uint8Array(raw),
        key: {
            modulus: new Uint8Array(Buffer.from(n, "base64url")),
            exponent: new Uint8Array(Buffer.from(e, "base64url")),
        },
        notBefore: Date.parse(validFrom),
        notAfter: Date.parse(validTo),
    }
}

/** Resolves once the condition holds: signing and the disk take real time, whatever the clock says. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
    while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Runs the periodic chain while `during` moves the clock. */
async function running(
    pulses: Pulses,
    during: (delays: readonly PulseDelayed[]) => Promise<void>,
    external: () => External | undefined = () => undefined,
): Promise<void> {
    const end = new AbortController()
    const delays: PulseDelayed[] = []
    const done = pulses.periodic?.run(external, (error) => delays.push(error), end.signal)
    try {
        // Whoever waits for a pulse would wait for ever once there are none.
        await Promise.race([during(delays), done])
    } finally {
        end.abort()
    }
    await done
}

async function lastTime(pulses: Pulses): Promise<number | undefined> {
    return (await pulses.reader.last("last"))?.pulse.timeStamp
}

/** To the next multiple of the period, and on until that instant's pulse is there. */
async function nextPulse(pulses: Pulses, period: number): Promise<void> {
    const instant = (Math.floor(clock.now() / period) + 1) * period
    // A day in seconds, at each of which the chain looks at the clock, would take as many turns.
    if (period > minute) await clock.setTime(instant - minute)
    await clock.advance(instant - clock.now())
    await until(async () => (await lastTime(pulses)) === instant)
}

async function sql(statement: string): Promise<void> {
    const connection = await SqliteConnection.open(join(folder, "pulses.db"), "write")
    try {
        await connection.exec(statement)
    } finally {
        await connection.close()
    }
}

function statuses(found: readonly PublishedPulse[]): readonly number[] {
    return found.map(({ pulse }) => pulse.statusCode)
}

function beacon(ordinal: number, output = ordinal): Parameters<BeaconPulses["pulseOf"]>[0] {
    const external = { source: "chain a", statusCode: 0, value: sha512(utf8(`output ${output}`)) }
    return { ordinal, time: clock.now(), external }
}

test("the last pulse of each chain is known, and when it was made is a metric", async () => {
    const pulses = await open(minute)
    const registry = newRegistry()
    pulseMetrics(registry, pulses.reader)
    expect(await pulses.reader.lastOfEach()).toStrictEqual([])
    await running(pulses, () => until(async () => (await lastTime(pulses)) === clock.now()))
    const followed = await pulses.follow("a")
    await followed.pulseOf(beacon(3))
    const last = await followed.pulseOf(beacon(4))
    const [periodic, ofBeacons] = await pulses.reader.lastOfEach()
    expect(periodic).toStrictEqual(await pulses.reader.last(1))
    expect(ofBeacons).toStrictEqual(last)
    const line = (chain: number, time: number): string =>
        `tallylight_entropy_pulse_timestamp_seconds{chain="${chain}"} ${time / 1000}`
    const metrics = await registry.metrics()
    expect(metrics).toContain(line(1, periodic?.pulse.timeStamp ?? 0))
    expect(metrics).toContain(line(2, last.pulse.timeStamp))
})

describe("a periodic chain", () => {
    test("has a pulse at each multiple of its period, across hours, days, months and years", async () => {
        const pulses = await open(20 * minute)
        await running(pulses, async () => {
            await until(async () => (await lastTime(pulses)) === clock.now())
            for (let count = 0; count < 11; count++) await nextPulse(pulses, 20 * minute)
        })
        const found = await faultless(pulses.reader)
        expect(statuses(found)).toStrictEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        expect(found.at(-1)?.pulse.timeStamp).toBe(Date.UTC(2028, 0, 1, 2, 0))
    })

    test("follows the calendar for months", async () => {
        const pulses = await open(day)
        await clock.setTime(Date.UTC(2028, 1, 26))
        await running(pulses, async () => {
            await until(async () => (await lastTime(pulses)) === clock.now())
            for (let count = 0; count < 6; count++) await nextPulse(pulses, day)
        })
        expect((await faultless(pulses.reader)).length).toBe(7)
    })

    test("carries what a followed chain last put out, and serves the text that says so", async () => {
        const pulses = await open()
        const external = { source: "the beacons of chain a", statusCode: 0, value: sha512(utf8("output")) }
        await running(
            pulses,
            () => until(async () => (await lastTime(pulses)) === clock.now()),
            () => external,
        )
        const [first] = await faultless(pulses.reader)
        expect(first?.pulse.external.value).toStrictEqual(external.value)
        expect(await pulses.reader.externalSource(first?.pulse.external.sourceId ?? utf8(""))).toBe(
            external.source,
        )
    })

    test("goes on after a restart without a gap, within the period that a pulse begins", async () => {
        const pulses = await open()
        await running(pulses, () => until(async () => (await lastTime(pulses)) !== undefined))
        await clock.advance(minute + 40_000)
        const again = await open()
        await running(again, () => until(async () => (await again.reader.last(1))?.pulse.pulseIndex === 2))
        expect(statuses(await faultless(again.reader))).toStrictEqual([1, 0])
    })

    test("says that periods were missed, and still opens what it had committed to", async () => {
        const pulses = await open(20 * minute)
        await running(pulses, () => until(async () => (await lastTime(pulses)) !== undefined))
        await clock.advance(3 * hour)
        const again = await open(20 * minute)
        await running(again, async () => {
            await until(async () => (await lastTime(again)) === clock.now())
            await nextPulse(again, 20 * minute)
        })
        expect(statuses(await faultless(again.reader))).toStrictEqual([1, 2, 0])
    })

    test("says that a value was lost, with a gap and without", async () => {
        const pulses = await open()
        await running(pulses, () => until(async () => (await lastTime(pulses)) !== undefined))
        await sql("DELETE FROM local_values")
        await running(pulses, () => nextPulse(pulses, minute))
        await sql("DELETE FROM local_values")
        await clock.advance(5 * minute)
        await running(pulses, () => nextPulse(pulses, minute))
        expect(statuses(await faultless(pulses.reader))).toStrictEqual([1, 1, 3])
    })

    test("changes to another key, says so, and keeps the certificates of both", async () => {
        const pulses = await open()
        await running(pulses, () => until(async () => (await lastTime(pulses)) !== undefined))
        signer = await TwinSigner.of("second")
        const again = await open()
        await running(again, async () => {
            await nextPulse(again, minute)
            await nextPulse(again, minute)
        })
        expect(statuses(await faultless(again.reader))).toStrictEqual([1, 4, 0])
        expect(again.certificate.id).not.toStrictEqual(pulses.certificate.id)
        for (const { pulse } of await chainOf(again.reader, 1))
            expect(await again.reader.certificate(pulse.certificateId)).toBeDefined()
        // Back to the first key, whose certificate was made already.
        signer = await TwinSigner.of("first")
        const back = await open()
        expect(back.certificate).toStrictEqual(pulses.certificate)
    })
})

describe("a clock that is set", () => {
    test("back makes the chain wait until time goes on: no instant has two pulses", async () => {
        const pulses = await open()
        await running(pulses, async () => {
            await until(async () => (await lastTime(pulses)) === clock.now())
            await nextPulse(pulses, minute)
            const before = clock.now()
            await clock.setTime(before - 10 * minute)
            await clock.advance(10 * minute + 59_000)
            await until(() => clock.waiting > 0)
            expect((await pulses.reader.last(1))?.pulse.pulseIndex).toBe(2)
            await clock.advance(1000)
            await until(async () => (await lastTime(pulses)) === before + minute)
        })
        expect(statuses(await faultless(pulses.reader))).toStrictEqual([1, 0, 0])
    })

    test("forward leaves a gap, and is noticed at once", async () => {
        const pulses = await open()
        await running(pulses, async () => {
            await until(async () => (await lastTime(pulses)) === clock.now())
            await clock.setTime(clock.now() + 30 * minute + 20_000)
            await clock.advance(1000)
            await until(async () => (await pulses.reader.last(1))?.pulse.pulseIndex === 2)
            await nextPulse(pulses, minute)
        })
        expect(statuses(await faultless(pulses.reader))).toStrictEqual([1, 2, 0])
    })

    test("back during a restart cannot make the chain go back", async () => {
        const pulses = await open()
        await running(pulses, () => until(async () => (await lastTime(pulses)) === clock.now()))
        const last = clock.now()
        await clock.setTime(last - day)
        const again = await open()
        await running(again, async () => {
            await clock.advance(day + 30_000)
            expect(await lastTime(again)).toBe(last)
            await nextPulse(again, minute)
        })
        expect(statuses(await faultless(again.reader))).toStrictEqual([1, 0])
    })
})

describe("a pulse that cannot be made now", () => {
    test.each(["gone", "wrong"] as const)(
        "for its key is %s, is tried again and keeps its time",
        async (fault) => {
            const pulses = await open()
            const start = clock.now()
            signer.fault = fault
            await running(pulses, async (delays) => {
                await until(() => delays.length === 1)
                expect(await pulses.reader.last(1)).toBeUndefined()
                signer.fault = "none"
                await until(() => clock.waiting > 0)
                await clock.advance(5000)
                await until(async () => (await lastTime(pulses)) === start)
                await nextPulse(pulses, minute)
            })
            expect(statuses(await faultless(pulses.reader))).toStrictEqual([1, 0])
        },
    )

    test("for its key is gone over periods, is published before the one of the instant when it is back", async () => {
        const pulses = await open()
        signer.fault = "gone"
        await running(pulses, async (delays) => {
            await until(() => delays.length === 1 && clock.waiting > 0)
            await clock.setTime(clock.now() + 3 * minute)
            signer.fault = "none"
            await clock.advance(1000)
            await until(async () => (await pulses.reader.last(1))?.pulse.pulseIndex === 2)
        })
        expect(statuses(await faultless(pulses.reader))).toStrictEqual([1, 2])
    })

    test("for too few sources are healthy, has no draft, and takes the output of when it is made", async () => {
        const pulses = await open()
        const external = (text: string): External => ({
            source: "a",
            statusCode: 0,
            value: sha512(utf8(text)),
        })
        let current = external("early")
        core.left = 1
        await running(
            pulses,
            async (delays) => {
                await until(() => delays.length === 1 && clock.waiting > 0)
                expect(delays[0]?.cause).toMatchObject({ reasons: ["one of two sources is healthy"] })
                current = external("late")
                core.left = Infinity
                await clock.advance(1000)
                await until(async () => (await pulses.reader.last(1)) !== undefined)
            },
            () => current,
        )
        const [pulse] = await faultless(pulses.reader)
        expect(pulse?.pulse.external.value).toStrictEqual(current.value)
        expect(core.drawn.length).toBe(2)
    })
})

describe("a crash", () => {
    /** The process stops there for good; what it had open is closed as the system would. */
    const crashes: readonly (readonly [string, () => void])[] = [
        ["before the first value is drawn", () => (core.left = 0)],
        ["between the two values", () => (core.left = 1)],
        ["before the draft is signed", () => (signer.fault = "gone")],
        ["between signing and storing", () => (signer.fault = "silent")],
    ]
    test.each(crashes)("%s leaves one message to be signed as each pulse", async (_, crash) => {
        const asked = new Map<number, Set<string>>()
        const pulses = await open()
        await running(pulses, () => until(async () => (await lastTime(pulses)) === clock.now()))
        const first = signer
        await clock.advance(minute)
        crash()
        const output = { source: "a", statusCode: 0, value: sha512(utf8("before")) }
        const before = first.asked.length
        const end = new AbortController()
        let delayed = false
        // Where the signer is silent this never settles, and the crash takes it away.
        void pulses.periodic?.run(
            () => output,
            () => (delayed = true),
            end.signal,
        )
        await until(() => delayed || first.asked.length > before)
        end.abort()
        signer = await TwinSigner.of("first")
        core.left = Infinity
        await clock.advance(7 * minute)
        const again = await open()
        const other = { ...output, value: sha512(utf8("after")) }
        await running(
            again,
            () => until(async () => (await lastTime(again)) === clock.now()),
            () => other,
        )
        const found = await faultless(again.reader)
        for (const message of [...first.asked, ...signer.asked]) {
            const index = found.findIndex(({ pulse }) => message.includes(toHex(utf8(pulse.uri))))
            asked.set(index, (asked.get(index) ?? new Set()).add(message))
        }
        // The certificate is signed too, and is no pulse.
        asked.delete(-1)
        expect([...asked.values()].every((messages) => messages.size === 1)).toBe(true)
        expect(asked.size).toBe(found.length)
        expect(core.drawn.length).toBe(found.length + 1)
    })

    test("that takes the key along leaves its draft unsigned, and another takes its place", async () => {
        const pulses = await open()
        signer.fault = "gone"
        await running(pulses, (delays) => until(() => delays.length === 1))
        signer = await TwinSigner.of("second")
        const again = await open()
        await clock.advance(minute)
        await running(again, () => until(async () => (await lastTime(again)) === clock.now()))
        const found = await faultless(again.reader)
        expect(found.map(({ pulse }) => pulse.certificateId)).toStrictEqual([again.certificate.id])
        expect(core.drawn.length).toBe(2)
    })

    test("before a new certificate for the same key leaves the message that the key may have signed", async () => {
        const beacons = await (await open()).follow("a")
        const { pulse: first } = await beacons.pulseOf(beacon(1))
        signer.fault = "silent"
        const asked = signer.asked.length
        void beacons.pulseOf(beacon(2))
        await until(() => signer.asked.length > asked)
        const begun = signer.asked.at(-1)
        const start = clock.now()
        signer = await TwinSigner.of("first")
        await clock.advance(minute)
        await opened?.close()
        opened = await openPulses(optionsWith({ subject: "CN=another name" }))
        const again = await opened.follow("a")
        expect(await again.lastMade()).toStrictEqual({ slot: 2, certificateId: first.certificateId })
        const { pulse: second } = await again.pulseOf(beacon(2))
        const { pulse: third } = await again.pulseOf(beacon(3))
        expect([second.timeStamp, second.certificateId]).toStrictEqual([start + 1, first.certificateId])
        expect(third.certificateId).toStrictEqual(opened.certificate.id)
        expect(third.certificateId).not.toStrictEqual(first.certificateId)
        expect(signer.asked).toContain(begun)
        expect(signer.asked.filter((message) => message.includes(toHex(utf8(second.uri))))).toHaveLength(1)
        expect(statuses(await faultless(opened.reader, again.chain))).toStrictEqual([1, 0, 4])
    })
})

describe("a period", () => {
    test("may become longer over a pulse that was begun", async () => {
        const pulses = await open()
        await running(pulses, async (delays) => {
            await until(async () => (await lastTime(pulses)) === clock.now())
            await until(() => clock.waiting > 0)
            signer.fault = "gone"
            await clock.advance(minute)
            await until(() => delays.length === 1)
        })
        const begun = clock.now()
        signer.fault = "none"
        const period = 2 * minute
        // Of the longer period, and within one of the pulse that was begun.
        const instant = begun + minute
        expect(instant % period).toBe(0)
        await clock.setTime(instant)
        const again = await open(period)
        await running(again, async () => {
            await until(async () => (await lastTime(again)) === begun)
            await until(() => clock.waiting > 0)
            await nextPulse(again, period)
            await nextPulse(again, period)
        })
        const found = await faultless(again.reader)
        expect(statuses(found)).toStrictEqual([1, 0, 2, 0])
        expect(found.slice(2).map(({ pulse }) => pulse.timeStamp)).toStrictEqual([
            instant + period,
            instant + 2 * period,
        ])
    })
})

describe("what a simulated source had part in", () => {
    const isNamed = async (reader: PulseReader, certificateId: Uint8Array): Promise<boolean> => {
        const der = await reader.certificate(certificateId)
        return new X509Certificate(der ?? utf8("")).subject.includes("simulated: sources in software")
    }
    const says = async (reader: PulseReader, chain: number): Promise<readonly unknown[]> =>
        Promise.all(
            (await faultless(reader, chain)).map(async ({ pulse, simulated }) => [
                simulated,
                await isNamed(reader, pulse.certificateId),
            ]),
        )
    const [ofSimulated, ofHardware] = [
        [true, true],
        [false, false],
    ]

    beforeEach(() => {
        signer.simulated = false
        core.simulated = true
    })

    test("is named so until all of it is opened, whatever sources there are by then", async () => {
        const before = await open()
        const beacons = await before.follow("a")
        await beacons.commitmentsAhead(1, 4)
        await beacons.pulseOf(beacon(1))
        const old = await beacons.plan()
        expect(old).toStrictEqual({ certificateId: before.certificate.id, hardware: false })
        core.simulated = false
        const now = await open()
        const again = await now.follow("a")
        for (const ordinal of [2, 3, 4]) {
            expect(await again.plan()).toStrictEqual(old)
            await again.pulseOf(beacon(ordinal))
        }
        expect(await again.plan()).toStrictEqual({ certificateId: now.certificate.id, hardware: true })
        for (const ordinal of [5, 6]) await again.pulseOf(beacon(ordinal))
        expect(await says(now.reader, again.chain)).toStrictEqual([
            ...Array.from({ length: 4 }, () => ofSimulated),
            ...[ofHardware, ofHardware],
        ])
        expect(statuses(await faultless(now.reader, again.chain))).toStrictEqual([1, 0, 0, 0, 4, 0])
    })

    test("is named so in pulses at fixed times", async () => {
        const before = await open()
        await running(before, () => until(async () => (await lastTime(before)) === clock.now()))
        core.simulated = false
        const now = await open()
        await running(now, async () => {
            await nextPulse(now, minute)
            await nextPulse(now, minute)
        })
        expect(await says(now.reader, 1)).toStrictEqual([ofSimulated, ofSimulated, ofHardware])
    })

    test("is forgotten with what was passed over, and says nothing of other chains", async () => {
        const before = await (await open()).follow("a")
        await before.commitmentsAhead(1, 8)
        core.simulated = false
        const now = await open()
        const [a, b] = [await now.follow("a"), await now.follow("b")]
        expect([(await a.plan()).hardware, (await b.plan()).hardware]).toStrictEqual([false, true])
        await a.pulseOf(beacon(12))
        expect((await a.plan()).hardware).toBe(true)
        expect(await says(now.reader, a.chain)).toStrictEqual([[false, true]])
    })

    test("is so while there is one, or where the key is in software", async () => {
        const ofSources = await open()
        const followed = await ofSources.follow("a")
        expect(await followed.plan()).toStrictEqual({
            certificateId: ofSources.certificate.id,
            hardware: false,
        })
        expect(await isNamed(ofSources.reader, ofSources.certificate.id)).toBe(true)
        core.simulated = false
        signer.simulated = true
        const ofKey = await open()
        expect((await (await ofKey.follow("a")).plan()).hardware).toBe(false)
        expect(await isNamed(ofKey.reader, ofKey.certificate.id)).toBe(false)
        signer.simulated = false
        expect((await (await (await open()).follow("a")).plan()).hardware).toBe(true)
    })
})

describe("a chain with a pulse for each beacon", () => {
    test("opens in each what it had committed to for that beacon, however far ahead", async () => {
        const pulses = await open()
        const beacons = await pulses.follow("a")
        const ahead = await beacons.commitmentsAhead(5, 32)
        expect(new Set(ahead.map(toHex)).size).toBe(32)
        for (const ordinal of [5, 6, 7]) await beacons.pulseOf(beacon(ordinal))
        const found = await faultless(pulses.reader, beacons.chain)
        expect(found.map(({ pulse }) => sha512(pulse.localRandomValue))).toStrictEqual(ahead.slice(0, 3))
        expect(found.map(({ pulse }) => pulse.precommitmentValue)).toStrictEqual(ahead.slice(1, 4))
        expect(found.map(({ slot, pulse }) => [slot, pulse.statusCode, pulse.period])).toStrictEqual([
            [5, 1, 0],
            [6, 0, 0],
            [7, 0, 0],
        ])
        // The same again, and after a restart, as far as it overlaps.
        const restarted = await (await open()).follow("a")
        expect(await restarted.commitmentsAhead(7, 32)).toStrictEqual([
            ...ahead.slice(2),
            ...(await restarted.commitmentsAhead(37, 2)),
        ])
        await expect(restarted.commitmentsAhead(4, 1)).rejects.toThrow(RangeError)
        expect((await restarted.lastMade())?.slot).toBe(7)
    })

    test("leaves out beacons that it missed, and says so", async () => {
        const pulses = await open()
        const beacons = await pulses.follow("a")
        const ahead = await beacons.commitmentsAhead(1, 8)
        for (const ordinal of [1, 2, 6, 7]) await beacons.pulseOf(beacon(ordinal))
        const found = await faultless(pulses.reader, beacons.chain)
        expect(statuses(found)).toStrictEqual([1, 0, 3, 0])
        expect(sha512(found[2]?.pulse.localRandomValue ?? utf8(""))).toStrictEqual(ahead[5])
        await expect(beacons.pulseOf(beacon(4))).rejects.toThrow(RangeError)
    })

    test("has one pulse of a beacon, whoever asks again, and none of another output", async () => {
        const beacons = await (await open()).follow("a")
        const made = await beacons.pulseOf(beacon(1))
        await beacons.pulseOf(beacon(2))
        const again = await (await open()).follow("a")
        await clock.advance(minute)
        expect(await again.pulseOf(beacon(1))).toStrictEqual(made)
        await expect(again.pulseOf(beacon(1, 99))).rejects.toThrow(/two histories/)
    })

    test("gives each pulse a time of its own, also where the clock stands or is set back", async () => {
        const pulses = await open()
        const beacons = await pulses.follow("a")
        const start = clock.now()
        await beacons.pulseOf(beacon(1))
        await beacons.pulseOf(beacon(2))
        await clock.setTime(start - hour)
        await beacons.pulseOf(beacon(3))
        const found = await faultless(pulses.reader, beacons.chain)
        expect(found.map(({ pulse }) => pulse.timeStamp - start)).toStrictEqual([0, 1, 2])
    })

    test("is the same after a restart, beside those of other chains", async () => {
        const pulses = await open()
        const a = await pulses.follow("a")
        const b = await pulses.follow("b")
        await Promise.all([a.pulseOf(beacon(1)), b.pulseOf(beacon(1)), a.pulseOf(beacon(2))])
        expect([a.chain, b.chain]).toStrictEqual([2, 3])
        const again = await open()
        expect((await again.follow("b")).chain).toBe(3)
        expect((await again.follow("a")).chain).toBe(2)
        await faultless(again.reader, 2)
        await faultless(again.reader, 3)
        // Above the lowest that is configured, the lowest one that is free.
        await again.close()
        const periodic = { ...settings.periodic, chainIndex: 11 }
        opened = await openPulses(optionsWith({ periodic }))
        expect((await opened.follow("c")).chain).toBe(4)
        await opened.close()
        const rounds = { ...settings.rounds, chainIndex: 11 }
        opened = await openPulses(optionsWith({ periodic: { ...periodic, enabled: false }, rounds }))
        expect((await opened.follow("a")).chain).toBe(12)
        await opened.close()
        opened = undefined
        const clash = optionsWith({ periodic: { ...settings.periodic, chainIndex: 2 } })
        await expect(openPulses(clash)).rejects.toThrow(
            new UserError(
                "pulse chain 2 has pulses of the chain a already; give the new one another chainIndex",
            ),
        )
    })
})

describe("the node's address", () => {
    test("may change: older pulses keep their URIs, and links lead to where they are now", async () => {
        await (await (await open()).follow("a")).pulseOf(beacon(1))
        await opened?.close()
        opened = await openPulses(optionsWith({ baseUrl: "https://beacon.example.org" }))
        const { pulse } = await (await opened.follow("a")).pulseOf(beacon(2))
        expect((await opened.reader.at(2, 1))?.pulse.uri).toBe(
            "http://127.0.0.1:7730/beacon/2.0/chain/2/pulse/1",
        )
        expect(pulse.linkUris.previous).toBe("https://beacon.example.org/beacon/2.0/chain/2/pulse/1")
        expect(checkUris(pulse).verdict).toBe("holds")
    })
})

describe("an operator's certificate", () => {
    test("takes the place of the node's own, and is another certificate of the same key", async () => {
        await (await (await open()).follow("a")).pulseOf(beacon(1))
        await opened?.close()
        const certificateFile = join(parent, "certificate.pem")
        const { der } = await makeCertificate(signer, "CN=from an authority", clock.now() - day)
        await writeFile(certificateFile, certificatePem(der))
        opened = await openPulses(optionsWith({ certificateFile }))
        expect(opened.certificate.der).toStrictEqual(der)
        await (await opened.follow("a")).pulseOf(beacon(2))
        expect(statuses(await faultless(opened.reader, 2))).toStrictEqual([1, 4])
    })

    test("that is another key's, or is not there, is refused", async () => {
        const certificateFile = join(parent, "certificate.pem")
        const refused = optionsWith({ certificateFile })
        await expect(openPulses(refused)).rejects.toThrow(
            new UserError(`there is no certificate file ${certificateFile}`),
        )
        const { der } = await makeCertificate(await TwinSigner.of("second"), "CN=another", clock.now())
        await writeFile(certificateFile, certificatePem(der))
        await expect(openPulses(refused)).rejects.toThrow(UserError)
        // And nobody is locked out by that.
        await open()
    })
})

describe("a key in software", () => {
    test("is made once, beside the pulses, and signs them", async () => {
        const { key } = pulseSettings.parse({})
        expect(await createPulseKey(folder, key)).toBeUndefined()
        const made = await readFile(join(folder, "pulse-key.pem"))
        expect(await createPulseKey(folder, key)).toBe(join(folder, "pulse-key.pem"))
        expect(await readFile(join(folder, "pulse-key.pem"))).toStrictEqual(made)
        const software = await openPulseKey(folder, key)
        opened = await openPulses({ ...optionsWith(), signer: software })
        const { simulated } = await (await opened.follow("a")).pulseOf(beacon(1))
        expect(simulated).toBe(true)
        await faultless(opened.reader, 2)
    })
})

describe("the file of pulses", () => {
    test("has one that makes them at a time", async () => {
        await open()
        await expect(openPulses(optionsWith())).rejects.toThrow(FolderInUse)
    })

    test("is for its owner alone, with what SQLite puts beside it", async () => {
        const pulses = await open()
        await (await pulses.follow("a")).commitmentsAhead(0, 1)
        const names = (await readdir(folder)).filter((name) => name.startsWith("pulses.db"))
        expect(names.length).toBe(3)
        for (const name of names) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
    })

    test("is never made by opening it, nor over another one", async () => {
        await expect(createPulses(folder)).rejects.toThrow(/exists already/)
        await rm(join(folder, "pulses.db"))
        await expect(openPulses(optionsWith())).rejects.toThrow(UserError)
        expect((await readdir(folder)).filter((name) => name.startsWith("pulses.db"))).toStrictEqual([])
    })

    test("is not taken from another program, nor from a newer one of ours", async () => {
        const again = () => openPulses(optionsWith())
        const path = join(folder, "pulses.db")
        await sql("PRAGMA user_version = 2")
        await expect(again()).rejects.toThrow(
            new UserError(
                `${path} has version 2, made by a newer Tallylight; this one reads up to version 1`,
            ),
        )
        await sql("PRAGMA application_id = 1")
        await expect(again()).rejects.toThrow(new UserError(`${path} is no file of pulses`))
    })

    test("lets no pulse change, go, come twice or leave a hole", async () => {
        const pulses = await open()
        await (await pulses.follow("a")).pulseOf(beacon(1))
        await expect(sql("UPDATE pulses SET time = 0")).rejects.toThrow("a pulse never changes")
        await expect(sql("DELETE FROM pulses")).rejects.toThrow("a pulse never goes")
        const copy = (index: number): string =>
            `INSERT INTO pulses SELECT chain, ${index}, time + ${index}, slot + ${index}, message, links, simulated,
             signature, output FROM pulses`
        await expect(sql(copy(1))).rejects.toThrow("counted one by one")
        await expect(sql(copy(3))).rejects.toThrow("counted one by one")
        await sql(copy(2))
    })
})
