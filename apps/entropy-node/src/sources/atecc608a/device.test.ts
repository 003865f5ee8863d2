import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { describe, expect, test } from "vitest"
import { SourceCondemned } from "../source.ts"
import type { I2cBus } from "./bus.ts"
import { ChipFailure } from "./chip-failure.ts"
import { commands } from "./commands.ts"
import { Device } from "./device.ts"
import type { Fault } from "./faulty-bus.ts"
import { RecordedChip } from "./recorded-chip.ts"
import { StatusError } from "./status.ts"

const { signal } = new AbortController()

function started(options?: ConstructorParameters<typeof RecordedChip>[0]) {
    const recorded = new RecordedChip(options)
    const { chip, clock, bus } = recorded
    return { recorded, chip, clock, device: new Device(bus, 0x60, clock) }
}

/** The latest block that the chip has drawn. */
function latest(recorded: RecordedChip): string {
    return toHex(recorded.blocks.at(-1)!)
}

async function failure(outcome: Promise<unknown>): Promise<ChipFailure> {
    const error: unknown = await outcome.catch((reason: unknown) => reason)
    if (error instanceof ChipFailure) return error
    throw new Error("it did not fail as a chip does", { cause: error })
}

describe("a command", () => {
    test("wakes a chip that sleeps, and is answered in the chip's own time", async () => {
        const { device, chip, clock, recorded } = started()
        expect(chip.phase).toBe("asleep")
        expect(toHex(await device.execute(commands.random, signal))).toBe(latest(recorded))
        expect(chip.phase).toBe("awake")
        expect(clock.elapsed()).toBeGreaterThanOrEqual(23)
    })

    test("wakes one that idles, and needs not wake one that is awake", async () => {
        const { device, chip, recorded } = started()
        await device.execute(commands.info, signal)
        await device.idle()
        expect(chip.phase).toBe("idle")
        await device.execute(commands.random, signal)
        const before = recorded.transfers
        recorded.fault = (at) => (at === before ? { kind: "nack" } : undefined)
        await device.execute(commands.info, signal)
        expect(recorded.blocks).toHaveLength(1)
    })

    test("works on a chip that somebody else has woken and used, whose last answer is still in it", async () => {
        for (const left of [commands.random, commands.info, undefined]) {
            const { device, recorded } = started()
            const other = new Device(recorded.bus, 0x60, recorded.clock)
            if (left === undefined) recorded.chip.upset(0x0f)
            await other.execute(left ?? commands.info, signal).catch((error: unknown) => {
                expect(error).toBeInstanceOf(StatusError)
            })
            await recorded.bus.write(0x60, Uint8Array.of(0x00))
            expect(toHex(await device.execute(commands.random, signal))).toBe(latest(recorded))
        }
    })

    test("is not begun where the watchdog could end it", async () => {
        const { device, clock, chip, recorded } = started()
        for (let block = 0; block < 200; block += 1) {
            const answer = await device.execute(commands.random, signal)
            expect(toHex(answer)).toBe(latest(recorded))
            expect(chip.phase).toBe("awake")
        }
        // Nothing had to be done twice.
        expect(recorded.blocks).toHaveLength(200)
        expect(clock.elapsed()).toBeGreaterThan(3 * 1300)
    })

    test("finds a chip that its watchdog has put to sleep meanwhile", async () => {
        const { device, clock, chip, recorded } = started()
        await device.execute(commands.random, signal)
        clock.leap(5000)
        expect(chip.phase).toBe("asleep")
        expect(toHex(await device.execute(commands.random, signal))).toBe(latest(recorded))
        expect(recorded.blocks).toHaveLength(2)
    })

    test("is read once more after its time, by a machine that was late", async () => {
        const { device, clock, recorded } = started()
        await device.execute(commands.info, signal)
        const before = recorded.transfers
        recorded.fault = (at) => {
            if (at === before + 1) clock.leap(22)
            return undefined
        }
        expect(toHex(await device.execute(commands.random, signal))).toBe(latest(recorded))
        expect(recorded.blocks).toHaveLength(1)
    })

    test("is called off by its signal", async () => {
        const { device, recorded } = started()
        const stop = new AbortController()
        recorded.fault = () => {
            stop.abort(new Error("enough"))
            return { kind: "failed" }
        }
        await expect(device.execute(commands.random, stop.signal)).rejects.toThrow("enough")
        expect(recorded.transfers).toBeLessThan(3)
    })
})

describe("a chip that fails", () => {
    test("while it works, by its supply or by itself, is woken and told again", async () => {
        for (const trouble of ["brownout", "hangs", 0x11, 0xee, 0xff] as const) {
            const { device, recorded, chip } = started()
            await device.execute(commands.info, signal)
            if (trouble === "brownout") {
                const sent = recorded.transfers
                recorded.fault = (at) => {
                    if (at === sent + 3) chip.brownOut()
                    return undefined
                }
            } else chip.upset(trouble)
            expect(toHex(await device.execute(commands.random, signal))).toBe(latest(recorded))
            expect(recorded.blocks).toHaveLength(trouble === "brownout" ? 2 : 1)
        }
    })

    test("is told once where it gives its verdict", async () => {
        for (const [status, code] of [
            [0x03, "parse-error"],
            [0x05, "ecc-fault"],
            [0x0f, "execution-error"],
        ] as const) {
            const { device, chip, recorded } = started()
            chip.upset(status)
            await expect(device.execute(commands.random, signal)).rejects.toMatchObject({
                name: "StatusError",
                code,
            })
            expect(recorded.blocks).toHaveLength(0)
        }
    })

    test("by its own verdict has condemned what it gave", async () => {
        for (const [status, told] of [
            [
                0x07,
                "the chip answers with the status 07, self-test-error: it finds its own generator at fault",
            ],
            [
                0x08,
                "the chip answers with the status 08, health-test-error: it finds its own generator at fault",
            ],
        ] as const) {
            const { device, chip, recorded } = started()
            chip.upset(status)
            const outcome = device.execute(commands.random, signal)
            await expect(outcome).rejects.toThrow(new SourceCondemned(told))
            await expect(outcome).rejects.toBeInstanceOf(SourceCondemned)
            expect(recorded.blocks).toHaveLength(0)
        }
    })

    /** One that answers so, whenever it is woken. */
    function waking(answer: string) {
        const { chip, clock, recorded } = started()
        const bus: I2cBus = {
            write: (address, bytes) => chip.write(address, bytes),
            read: (address, length) => {
                if (length !== 4) return chip.read(address, length)
                wakes += 1
                return Promise.resolve(fromHex(answer))
            },
            close: () => chip.close(),
        }
        let wakes = 0
        const outcome = new Device(bus, 0x60, clock).execute(commands.random, signal)
        return { outcome, recorded, wakes: () => wakes }
    }

    test("its self-test, and says so whenever it is woken, has condemned what it gave", async () => {
        const { outcome, recorded, wakes } = waking("040740c2")
        await expect(outcome).rejects.toBeInstanceOf(SourceCondemned)
        await expect(outcome).rejects.toThrow("status 07, self-test-error")
        expect(wakes()).toBe(5)
        expect(recorded.blocks).toHaveLength(0)
    })

    test("its self-test, as CryptoAuthLib expects it to say and with a wrong CRC, is not used", async () => {
        const { outcome, recorded } = waking("0407c440")
        const { attempts } = await failure(outcome)
        expect(attempts.map(({ message }) => message)).toStrictEqual(
            Array(5).fill("the CRC of a packet of 4 bytes is wrong"),
        )
        expect(recorded.blocks).toHaveLength(0)
    })

    test("and was used by somebody else, whose verdict is still in it, is woken and told again", async () => {
        const { device, recorded, chip } = started()
        chip.upset(0x08)
        await expect(device.execute(commands.random, signal)).rejects.toBeInstanceOf(SourceCondemned)
        await recorded.bus.write(0x60, Uint8Array.of(0x00))
        const other = new Device(recorded.bus, 0x60, recorded.clock)
        expect(toHex(await other.execute(commands.random, signal))).toBe(latest(recorded))
    })

    test("each time is given up after five times, with what was wrong each time", async () => {
        for (const [fault, told] of [
            [{ kind: "failed" }, "failed, as scheduled"],
            [{ kind: "nack" }, "nack, as scheduled"],
            [{ kind: "unheard" }, "a packet of 4 bytes gives its count as 255"],
        ] satisfies [Fault, string][]) {
            const { device, recorded } = started()
            recorded.fault = () => fault
            const { attempts, message } = await failure(device.execute(commands.random, signal))
            expect(attempts.map((attempt) => attempt.message)).toStrictEqual(Array(5).fill(told))
            expect(message).toMatch(/^Random failed 5 times.*: 1\. .*; 5\. /)
            expect(recorded.transfers).toBeLessThan(100)
        }
    })

    test("to execute is given up within seconds, and outlasts no watchdog", async () => {
        const { device, recorded, chip, clock } = started()
        await device.execute(commands.info, signal)
        recorded.fault = () => {
            chip.upset("hangs")
            return undefined
        }
        const { attempts } = await failure(device.execute(commands.random, signal))
        expect(attempts.map((attempt) => attempt.message)).toContain("no answer within 23 ms")
        expect(clock.elapsed()).toBeLessThan(5000)
        recorded.fault = () => undefined
        clock.leap(1300)
        chip.upset(0xff)
        expect(toHex(await device.execute(commands.random, signal))).toBe(latest(recorded))
    })

    test("once, in whatever way and at whatever transfer, does its work all the same", async () => {
        const faults: Fault[] = [
            { kind: "nack" },
            { kind: "failed" },
            { kind: "unheard" },
            { kind: "unreported" },
            ...[0, 1, 7, 8, 12, 31, 100, 279].map((bit): Fault => ({ kind: "flip", bit })),
            ...[0, 1, 4, 34].map((length): Fault => ({ kind: "cut", length })),
        ]
        for (const fault of faults) {
            for (let wrong = 0; wrong < 40; wrong += 1) {
                const { device, recorded } = started()
                recorded.fault = (at) => (at === wrong ? fault : undefined)
                const where = `${JSON.stringify(fault)} at ${wrong}`
                expect(toHex(await device.execute(commands.info, signal)), where).toBe("00006002")
                const first = await device.execute(commands.random, signal)
                await device.idle()
                const second = await device.execute(commands.random, signal)
                const drawn = recorded.blocks.map(toHex)
                const places = [first, second].map((block) => drawn.indexOf(toHex(block)))
                expect(places[0], where).toBeGreaterThanOrEqual(0)
                expect(places[1], where).toBeGreaterThan(places[0]!)
            }
        }
    })
})

describe("an answer", () => {
    /** How many blocks the chip draws for one answer, if so many answers in a row are damaged on their way. */
    async function drawn(damaged: number, fault: Fault): Promise<number> {
        const { device, recorded } = started()
        await device.execute(commands.info, signal)
        let writes = 0
        recorded.fault = (_, transfer) => {
            if (transfer === "write") writes += 1
            // The command is the first, and each one after it asks for the answer once more.
            return transfer === "read" && writes <= damaged ? fault : undefined
        }
        expect(toHex(await device.execute(commands.random, signal))).toBe(latest(recorded))
        return recorded.blocks.length
    }

    test("that was damaged on its way is read again, twice, and then drawn anew", async () => {
        for (const fault of [
            { kind: "flip", bit: 100 },
            { kind: "cut", length: 20 },
        ] satisfies Fault[]) {
            expect(await drawn(1, fault)).toBe(1)
            expect(await drawn(2, fault)).toBe(1)
            expect(await drawn(3, fault)).toBe(2)
        }
    })

    test("to the command before is never taken for one to this", async () => {
        const { device, recorded } = started()
        const first = await device.execute(commands.random, signal)
        const before = recorded.transfers
        recorded.fault = (at) => (at === before ? { kind: "unheard" } : undefined)
        // Nor where the chip begins to tell it from its start.
        await recorded.chip.write(0x60, Uint8Array.of(0x00))
        const second = await device.execute(commands.random, signal)
        expect(toHex(second)).toBe(latest(recorded))
        expect(toHex(second)).not.toBe(toHex(first))
        expect(recorded.blocks).toHaveLength(2)
    })

    test("that never changes is refused", async () => {
        const { device } = started({ random: (length) => new Uint8Array(length).fill(7) })
        await device.execute(commands.random, signal)
        const { attempts } = await failure(device.execute(commands.random, signal))
        expect(attempts.at(-1)).toMatchObject({ name: "PacketError", problem: "stale" })
    })
})
