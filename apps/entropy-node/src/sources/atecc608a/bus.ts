/** An I2C bus (NXP UM10204) as its controller sees it: what the driver needs of the real one and of a simulated chip. */

export interface I2cBus {
    /** Resolves once the device has acknowledged its address and every byte. Rejects with a {@link BusError}. */
    write(address: number, bytes: Uint8Array): Promise<void>
    /**
     * Exactly `length` bytes. Only the address is acknowledged by the device; of bytes that it does not drive, the
     * controller sees FF. Rejects with a {@link BusError}.
     */
    read(address: number, length: number): Promise<Uint8Array>
    close(): Promise<void>
}

/** `nack`: nobody acknowledged, which the ATECC608A does not do while it sleeps or works. `failed`: anything else. */
export class BusError extends Error {
    override readonly name = "BusError"
    readonly reason: "nack" | "failed"

    constructor(reason: "nack" | "failed", message: string, options?: ErrorOptions) {
        super(message, options)
        this.reason = reason
    }
}

export function isNack(error: unknown): boolean {
    return error instanceof BusError && error.reason === "nack"
}
