import { concatBytes, toHex } from "@tallylight/crypto/bytes.js"
import { systemClock } from "@tallylight/node/system-clock.js"
import { UserError } from "@tallylight/node/user-error.js"
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { SourceCondemned, type Source } from "../source.ts"
import type { Fault } from "./faulty-bus.ts"
import { RecordedChip } from "./recorded-chip.ts"
import { atecc608aDriver, atecc608aSettings } from "./source.ts"

const { signal } = new AbortController()

const settings = atecc608aSettings.parse({ kind: "atecc608a", name: "chip", simulated: true })

function openOn(recorded: RecordedChip): Promise<Source> {
    return atecc608aDriver(settings, recorded.clock, () => Promise.resolve(recorded.bus)).open(signal)
}

describe("a chip that is opened", () => {
    test("says which it is, and that it is simulated", async () => {
        const recorded = new RecordedChip({ name: "one" })
        const { facts } = await openOn(recorded)
        const { serialNumber, ...others } = facts
        expect(serialNumber).toMatch(/^012353494d[0-9a-f]{6}ee$/)
        expect(others).toStrictEqual({
            revision: "00006002",
            configLocked: true,
            dataLocked: true,
            bus: "simulated",
            address: "0x60",
            simulated: true,
        })
        expect(recorded.chip.phase).toBe("idle")
        const other = await openOn(new RecordedChip({ name: "two" }))
        expect(other.facts.serialNumber).not.toBe(serialNumber)
    })

    test("is refused with its zone for configuration unlocked, and stays as it was", async () => {
        for (const dataLocked of [true, false]) {
            const recorded = new RecordedChip({ locks: { configLocked: false, dataLocked } })
            const outcome = openOn(recorded)
            await expect(outcome).rejects.toThrow(UserError)
            await expect(outcome).rejects.toThrow(
                /zone of the ATECC608A 012353494d.*FF FF 00 00.*cannot be undone/,
            )
            expect(recorded.bus.closed).toBe(true)
            expect(recorded.blocks).toHaveLength(0)
            await expect(openOn(recorded)).rejects.toThrow(/is not locked/)
        }
    })

    test("may have its zone for data unlocked, and says so", async () => {
        const recorded = new RecordedChip({ locks: { configLocked: true, dataLocked: false } })
        const source = await openOn(recorded)
        expect(source.facts).toMatchObject({ configLocked: true, dataLocked: false })
        expect(toHex(await source.read(32, signal))).toBe(toHex(recorded.blocks[0]!))
    })

    test("is refused if it is another kind", async () => {
        const ecc508 = new RecordedChip({ revision: Uint8Array.of(0x00, 0x00, 0x50, 0x00) })
        await expect(openOn(ecc508)).rejects.toThrow(/revision 00005000/)
        const ecc608b = new RecordedChip({ revision: Uint8Array.of(0x00, 0x00, 0x60, 0x03) })
        expect((await openOn(ecc608b)).facts.revision).toBe("00006003")
    })

    test("is a sentence for a person where it does not answer, and leaves its bus closed", async () => {
        for (const recorded of [new RecordedChip({ address: 0x35 }), new RecordedChip()]) {
            if (recorded.chip.phase === "asleep") recorded.fault = () => ({ kind: "nack" })
            const outcome = openOn(recorded)
            await expect(outcome).rejects.toThrow(UserError)
            await expect(outcome).rejects.toThrow(
                /at 0x60 on simulated: check its supply.*Info failed 5 times/,
            )
            expect(recorded.bus.closed).toBe(true)
        }
    })

    test("rejects with the reason of its signal", async () => {
        const recorded = new RecordedChip()
        const driver = atecc608aDriver(settings, recorded.clock, () => Promise.resolve(recorded.bus))
        await expect(driver.open(AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough")
        expect(recorded.bus.closed).toBe(true)
    })
})

describe("reading", () => {
    test("gives every byte that the chip draws once, in its order, whatever is asked for at a time", async () => {
        const recorded = new RecordedChip()
        const source = await openOn(recorded)
        const read: Uint8Array[] = []
        for (const length of [1, 30, 1, 32, 33, 7, 64, 100, 5, 1024, 31]) {
            const bytes = await source.read(length, signal)
            expect(bytes).toHaveLength(length)
            read.push(bytes)
        }
        const all = concatBytes(...read)
        expect(toHex(all)).toBe(toHex(concatBytes(...recorded.blocks).subarray(0, all.length)))
        expect(recorded.blocks).toHaveLength(Math.ceil(all.length / 32))
        // The first byte of a block is random too.
        expect(toHex(all.subarray(0, 32))).toBe(toHex(recorded.blocks[0]!))
    })

    test("gives no more than a second's worth at a time, and leaves the chip idle", async () => {
        const recorded = new RecordedChip()
        const source = await openOn(recorded)
        expect(await source.read(1_000_000, signal)).toHaveLength(1024)
        expect(recorded.chip.phase).toBe("idle")
    })

    test("refuses the answer of an unlocked chip, whatever its lock bytes say", async () => {
        const pattern = (length: number): Uint8Array =>
            Uint8Array.from({ length }, (_, i) => (i % 4 < 2 ? 0xff : 0x00))
        const source = await openOn(new RecordedChip({ random: pattern }))
        const outcome = source.read(32, signal)
        await expect(outcome).rejects.toThrow(UserError)
        await expect(outcome).rejects.toThrow(/FF FF 00 00/)
        for (let at = 0; at < 32; at += 1) {
            const almost = pattern(32)
            almost[at]! ^= 1
            const other = await openOn(new RecordedChip({ random: () => almost }))
            expect(toHex(await other.read(32, signal))).toBe(toHex(almost))
        }
    })

    test("and opening condemn a chip that finds its generator at fault", async () => {
        const recorded = new RecordedChip()
        const source = await openOn(recorded)
        recorded.chip.upset(0x08)
        await expect(source.read(32, signal)).rejects.toBeInstanceOf(SourceCondemned)
        await source.close()
        recorded.chip.upset(0x07)
        await expect(openOn(recorded)).rejects.toBeInstanceOf(SourceCondemned)
    })

    test("is over with closing, which puts the chip to sleep, also where that fails", async () => {
        for (const fault of [undefined, { kind: "failed" }] satisfies (Fault | undefined)[]) {
            const recorded = new RecordedChip()
            const source = await openOn(recorded)
            await source.read(32, signal)
            recorded.fault = () => fault
            await source.close()
            expect(recorded.bus.closed).toBe(true)
            expect(recorded.chip.phase).toBe(fault === undefined ? "asleep" : "idle")
        }
    })

    test("from a chip in software needs nothing but a clock", async () => {
        const driver = atecc608aDriver(settings, systemClock)
        expect(driver).toMatchObject({ kind: "atecc608a", simulated: true })
        const source = await driver.open(signal)
        expect(source.facts).toMatchObject({ simulated: true, bus: "simulated" })
        const bytes = await source.read(96, signal)
        expect(bytes).toHaveLength(96)
        expect(new Set(bytes).size).toBeGreaterThan(48)
        await source.close()
    })
})

/** Nothing is wrong most of the time, or no chip would ever answer. */
const faults = fc.oneof(
    { weight: 90, arbitrary: fc.constant(undefined) },
    { weight: 3, arbitrary: fc.constantFrom<Fault>({ kind: "nack" }, { kind: "unheard" }) },
    { weight: 2, arbitrary: fc.constantFrom<Fault>({ kind: "failed" }, { kind: "unreported" }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("flip" as const), bit: fc.nat(8 * 35 - 1) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("cut" as const), length: fc.nat(34) }) },
)

const troubles = fc.oneof(
    { weight: 200, arbitrary: fc.constant(undefined) },
    { weight: 5, arbitrary: fc.constantFrom("brownout" as const, "hangs" as const, "late" as const) },
    { weight: 2, arbitrary: fc.constantFrom(0x08, 0x0f, 0x11, 0xee, 0xff) },
)

describe("whatever goes wrong, and however often", () => {
    test("what is read is what the chip has drawn, in its order and never twice; or nothing", async () => {
        let [read, refused] = [0, 0]
        const transfers = fc.array(fc.tuple(faults, troubles), { maxLength: 400, size: "max" })
        const lengths = fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 8 })
        await fc.assert(
            fc.asyncProperty(fc.string(), transfers, lengths, async (seed, schedule, asked) => {
                const recorded = new RecordedChip({ random: seededRandom(seed) })
                const { chip, clock } = recorded
                recorded.fault = (at) => {
                    const [fault, trouble] = schedule[at] ?? []
                    if (trouble === "brownout") chip.brownOut()
                    else if (trouble === "late") clock.leap(400)
                    else if (trouble !== undefined) chip.upset(trouble)
                    return fault
                }
                const bytes: Uint8Array[] = []
                try {
                    const source = await openOn(recorded)
                    expect(source.facts).toMatchObject({ revision: "00006002", configLocked: true })
                    expect(source.facts.serialNumber).toMatch(/^012353494d[0-9a-f]{6}ee$/)
                    for (const length of asked) bytes.push(await source.read(length, signal))
                    read += 1
                } catch (error) {
                    const names = ["UserError", "ChipFailure", "StatusError", "SourceCondemned"]
                    expect(names).toContain(error instanceof Error ? error.name : error)
                    refused += 1
                }
                expectDrawn(concatBytes(...bytes), recorded.blocks)
            }),
            { numRuns: 300 },
        )
        // Or the schedules would show nothing.
        expect(Math.min(read, refused)).toBeGreaterThan(10)
    })
})

/** Some of the blocks, each whole but for the last, in their order. */
function expectDrawn(bytes: Uint8Array, blocks: readonly Uint8Array[]): void {
    const drawn = blocks.map(toHex)
    let after = 0
    for (let start = 0; start < bytes.length; start += 32) {
        const piece = toHex(bytes.subarray(start, start + 32))
        const place = drawn.findIndex((block, at) => at >= after && block.startsWith(piece))
        expect(place, `${piece} at ${start}`).toBeGreaterThanOrEqual(after)
        after = place + 1
    }
}
