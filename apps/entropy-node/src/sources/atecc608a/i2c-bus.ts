/** The real bus: /dev/i2c-N through the package i2c-bus, which is optional because it is compiled and only for Linux. */
import { systemCode, UserError } from "@tallylight/node/user-error.js"
import type { PromisifiedBus } from "i2c-bus"
import { BusError } from "./bus.ts"
import type { I2cBus } from "./bus.ts"

/** What is used of the package. */
export type I2cPackage = {
    readonly openPromisified: (
        number: number,
    ) => Promise<Pick<PromisifiedBus, "i2cFuncs" | "i2cRead" | "i2cWrite" | "close">>
}

/** As adapters report an address or a byte that nobody acknowledges (Linux, Documentation/i2c/fault-codes). */
const nackCodes: readonly (string | undefined)[] = ["ENXIO", "EREMOTEIO"]

/** Rejects with a {@link UserError} that says what to install, switch on or permit. */
export async function openI2cBus(
    number: number,
    load: () => Promise<I2cPackage> = () => import("i2c-bus"),
): Promise<I2cBus> {
    const { openPromisified } = await load().catch((error: unknown) => {
        throw new UserError(
            "the package i2c-bus, which reaches I2C on Linux, is missing or was not compiled for this machine: " +
                "install make and a C++ compiler, then run npm install i2c-bus",
            { cause: error },
        )
    })
    const path = `/dev/i2c-${number}`
    const bus = await openPromisified(number)
    try {
        // The package opens the file only when it is used.
        if ((await bus.i2cFuncs()).i2c) return new LinuxI2cBus(path, bus)
    } catch (error) {
        await bus.close()
        throw unopened(path, error)
    }
    await bus.close()
    throw new UserError(`${path} only speaks SMBus; the chip needs an adapter that speaks plain I2C`)
}

function unopened(path: string, error: unknown): unknown {
    const code = systemCode(error)
    if (code === "ENOENT") {
        return new UserError(
            `there is no ${path}: enable I2C (on a Raspberry Pi: sudo raspi-config nonint do_i2c 0), load its driver ` +
                "(sudo modprobe i2c-dev), or set another bus; i2cdetect -l lists those that there are",
        )
    }
    if (code === "EACCES" || code === "EPERM") {
        return new UserError(
            `${path} may not be opened: add this user to the group i2c (sudo usermod -aG i2c $USER) and log in again`,
        )
    }
    return error
}

class LinuxI2cBus implements I2cBus {
    readonly #path: string
    readonly #bus: Pick<PromisifiedBus, "i2cRead" | "i2cWrite" | "close">

    constructor(path: string, bus: Pick<PromisifiedBus, "i2cRead" | "i2cWrite" | "close">) {
        this.#path = path
        this.#bus = bus
    }

    async write(address: number, bytes: Uint8Array): Promise<void> {
        const { bytesWritten } = await this.#transfer(address, () =>
            this.#bus.i2cWrite(address, bytes.length, Buffer.from(bytes)),
        )
        if (bytesWritten !== bytes.length) {
            throw new BusError("failed", `${this.#path} wrote ${bytesWritten} of ${bytes.length} bytes`)
        }
    }

    async read(address: number, length: number): Promise<Uint8Array> {
        const { bytesRead, buffer } = await this.#transfer(address, () =>
            this.#bus.i2cRead(address, length, Buffer.alloc(length)),
        )
        if (bytesRead !== length) {
            throw new BusError("failed", `${this.#path} read ${bytesRead} of ${length} bytes`)
        }
        return Uint8Array.from(buffer)
    }

    close(): Promise<void> {
        return this.#bus.close()
    }

    async #transfer<T>(address: number, transfer: () => Promise<T>): Promise<T> {
        try {
            return await transfer()
        } catch (error) {
            throw this.#explain(address, error)
        }
    }

    #explain(address: number, error: unknown): Error {
        const at = `0x${address.toString(16)} on ${this.#path}`
        // The package keeps the file that it could not address, and would talk to address 0 the next time.
        if (error instanceof Error && "syscall" in error && error.syscall === "setAddr") {
            return new UserError(
                `a driver of the kernel has ${at}: unload it (for this chip: sudo modprobe -r atmel_ecc)`,
                { cause: error },
            )
        }
        const code = systemCode(error)
        return nackCodes.includes(code)
            ? new BusError("nack", `nobody answers at ${at}`, { cause: error })
            : new BusError("failed", `no transfer with ${at} (${code ?? String(error)})`, { cause: error })
    }
}
