/** An ATECC608A, real or simulated, as a source of raw bytes. */
import { concatBytes } from "@tallylight/crypto/bytes.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { z } from "zod"
import { sourceName } from "../source-name.ts"
import type { Source, SourceDriver, SourceFacts } from "../source.ts"
import type { I2cBus } from "./bus.ts"
import { ChipFailure } from "./chip-failure.ts"
import { commands, unlockedPattern } from "./commands.ts"
import { Device } from "./device.ts"
import { openI2cBus } from "./i2c-bus.ts"
import { identify } from "./identity.ts"
import { SimulatedChip } from "./simulated-chip.ts"

export const atecc608aSettings = z.strictObject({
    kind: z.literal("atecc608a"),
    name: sourceName,
    /** N of /dev/i2c-N; 1 is the one on the pins of a Raspberry Pi. */
    bus: z.int().min(0).max(255).default(1),
    /** As Microchip delivers most: 0x60, which is 96. */
    address: z.int().min(0x08).max(0x77).default(0x60),
    /** No hardware: a chip in software, on the operating system's generator, for trying things out. */
    simulated: z.boolean().default(false),
    /**
     * Bits per byte. The chip shows nothing of its noise source, only the output of the generator that it seeds inside (SP
     * 800-90A), which looks the same whatever the noise is worth. So this claim is vacuous: the health tests that it
     * sets find a chip or a wire that has failed, not a noise source that has. Half of what the bytes look like, since
     * nobody outside of the chip can know.
     */
    minEntropy: z.number().positive().max(8).default(4),
})

export type Atecc608aSettings = z.output<typeof atecc608aSettings>

/** Most bytes of one read, which take about a second: the caller hears of them, and can call it off. */
const longestRead = 1024

export function atecc608aDriver(
    settings: Atecc608aSettings,
    clock: Clock,
    openBus: () => Promise<I2cBus> = () => busOf(settings, clock),
): SourceDriver {
    const { kind, simulated } = settings
    const bus = simulated ? "simulated" : `/dev/i2c-${settings.bus}`
    const address = `0x${settings.address.toString(16).padStart(2, "0")}`
    const place = `${address} on ${bus}`
    return {
        kind,
        simulated,
        async open(signal) {
            const wires = await openBus()
            try {
                const device = new Device(wires, settings.address, clock)
                const identity = await identify(device, place, signal)
                await device.idle()
                return new Atecc608aSource(device, wires, { ...identity, bus, address, simulated })
            } catch (error) {
                await wires.close()
                throw error instanceof ChipFailure ? unanswered(error, place) : error
            }
        },
    }
}

async function busOf(settings: Atecc608aSettings, clock: Clock): Promise<I2cBus> {
    if (!settings.simulated) return openI2cBus(settings.bus)
    const { name, address } = settings
    return new SimulatedChip({ name, address, clock, random: systemRandom })
}

function unanswered(error: ChipFailure, place: string): UserError {
    return new UserError(
        `no ATECC608A answers as it should at ${place}: check its supply and wires, that the address is right (other ` +
            "tools give it as 8 bits, which is twice as much), and that the bus is not faster than 100 kHz. " +
            error.message,
        { cause: error },
    )
}

class Atecc608aSource implements Source {
    readonly facts: SourceFacts
    readonly #device: Device
    readonly #bus: I2cBus
    /** Of the last block, not given out yet. */
    #rest = new Uint8Array(0)

    constructor(device: Device, bus: I2cBus, facts: SourceFacts) {
        this.#device = device
        this.#bus = bus
        this.facts = facts
    }

    async read(length: number, signal: AbortSignal): Promise<Uint8Array> {
        const wanted = Math.min(length, longestRead)
        const blocks: Uint8Array[] = []
        for (let had = this.#rest.length; had < wanted; had += commands.random.answers) {
            blocks.push(await this.#block(signal))
        }
        // Not asleep, which would lose the generator's state.
        if (blocks.length > 0) await this.#device.idle()
        const bytes = concatBytes(this.#rest, ...blocks)
        this.#rest = bytes.slice(wanted)
        return bytes.slice(0, wanted)
    }

    async #block(signal: AbortSignal): Promise<Uint8Array> {
        const block = await this.#device.execute(commands.random, signal)
        if (block.every((byte, i) => byte === unlockedPattern[i % unlockedPattern.length])) {
            throw new UserError(
                "the chip answers Random with FF FF 00 00 over and over, as one does whose configuration zone is not " +
                    "locked, although its lock bytes say that it is: take another chip",
            )
        }
        return block
    }

    async close(): Promise<void> {
        try {
            await this.#device.shutDown()
        } finally {
            await this.#bus.close()
        }
    }
}
