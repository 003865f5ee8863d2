/** A bus, for tests, on which transfers go wrong when a schedule says so. */
import { BusError } from "./bus.ts"
import type { I2cBus } from "./bus.ts"
import { PacketError, parsePacket } from "./packet.ts"

/**
 * `nack`: a stray one, and the device sees nothing. `failed`: likewise, by a bus that is stuck. `unheard`: acknowledged,
 * though the device sees nothing; a read finds the bus at rest. `unreported`: it takes place, and is told as failed.
 * `flip`: one bit, counted from the first, arrives inverted. `cut`: a device falls silent after so many bytes.
 */
export type Fault =
    | { readonly kind: "nack" | "failed" | "unheard" | "unreported" }
    | { readonly kind: "flip"; readonly bit: number }
    | { readonly kind: "cut"; readonly length: number }

export type Transfer = "write" | "read"

export class FaultyBus implements I2cBus {
    readonly #bus: I2cBus
    readonly #next: (transfer: Transfer) => Fault | undefined
    closed = false

    /** `next` is asked once a transfer. */
    constructor(bus: I2cBus, next: (transfer: Transfer) => Fault | undefined) {
        this.#bus = bus
        this.#next = next
    }

    async write(address: number, bytes: Uint8Array): Promise<void> {
        const fault = this.#next("write")
        if (fault?.kind === "nack" || fault?.kind === "failed") throw refusal(fault)
        if (fault?.kind === "unheard") return
        await this.#bus.write(address, damaged(bytes, fault))
        if (fault?.kind === "unreported") throw refusal(fault)
    }

    async read(address: number, length: number): Promise<Uint8Array> {
        const fault = this.#next("read")
        if (fault?.kind === "nack" || fault?.kind === "failed") throw refusal(fault)
        if (fault?.kind === "unheard") return silence(length)
        const bytes = await this.#bus.read(address, length)
        if (fault?.kind === "unreported") throw refusal(fault)
        return damaged(bytes, fault)
    }

    async close(): Promise<void> {
        this.closed = true
        await this.#bus.close()
    }
}

function refusal(fault: Fault): BusError {
    return new BusError(fault.kind === "nack" ? "nack" : "failed", `${fault.kind}, as scheduled`)
}

function silence(length: number): Uint8Array {
    return new Uint8Array(length).fill(0xff)
}

function damaged(bytes: Uint8Array, fault: Fault | undefined): Uint8Array {
    const arrived = bytes.slice()
    if (fault?.kind === "flip") {
        const at = Math.floor(fault.bit / 8) % bytes.length
        arrived[at] = (arrived[at] ?? 0) ^ (1 << (fault.bit % 8))
    }
    if (fault?.kind === "cut") arrived.fill(0xff, fault.length % bytes.length)
    // One cut in 65536 leaves a good CRC, and nobody could tell: no driver can be asked to.
    return fault?.kind === "cut" && isWhole(arrived) ? silence(bytes.length) : arrived
}

function isWhole(bytes: Uint8Array): boolean {
    try {
        parsePacket(bytes)
        return true
    } catch (error) {
        if (error instanceof PacketError) return false
        throw error
    }
}
