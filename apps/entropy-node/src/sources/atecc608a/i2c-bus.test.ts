import { UserError } from "@tallylight/node/user-error.js"
import { describe, expect, test } from "vitest"
import { openI2cBus } from "./i2c-bus.ts"
import type { I2cPackage } from "./i2c-bus.ts"

type RawBus = Awaited<ReturnType<I2cPackage["openPromisified"]>>

const allFunctions: Awaited<ReturnType<RawBus["i2cFuncs"]>> = {
    i2c: true,
    tenBitAddr: false,
    protocolMangling: false,
    smbusPec: false,
    smbusBlockProcCall: false,
    smbusQuick: false,
    smbusReceiveByte: false,
    smbusSendByte: false,
    smbusReadByte: false,
    smbusWriteByte: false,
    smbusReadWord: false,
    smbusWriteWord: false,
    smbusProcCall: false,
    smbusReadBlock: false,
    smbusWriteBlock: false,
    smbusReadI2cBlock: false,
    smbusWriteI2cBlock: false,
}

/** An adapter with an echo for a device, except for what a test replaces. */
class Adapter implements RawBus {
    written = new Uint8Array(0)
    closed = false
    readonly #replaced: Partial<RawBus>

    constructor(replaced: Partial<RawBus> = {}) {
        this.#replaced = replaced
    }

    i2cFuncs(): ReturnType<RawBus["i2cFuncs"]> {
        return this.#replaced.i2cFuncs?.() ?? Promise.resolve(allFunctions)
    }

    i2cWrite(address: number, length: number, buffer: Buffer): ReturnType<RawBus["i2cWrite"]> {
        this.written = Uint8Array.from(buffer)
        return (
            this.#replaced.i2cWrite?.(address, length, buffer) ??
            Promise.resolve({ bytesWritten: length, buffer })
        )
    }

    i2cRead(address: number, length: number, buffer: Buffer): ReturnType<RawBus["i2cRead"]> {
        buffer.set(this.written.subarray(0, length))
        return (
            this.#replaced.i2cRead?.(address, length, buffer) ??
            Promise.resolve({ bytesRead: length, buffer })
        )
    }

    close(): Promise<void> {
        this.closed = true
        return Promise.resolve()
    }

    readonly load = (): Promise<I2cPackage> =>
        Promise.resolve({ openPromisified: () => Promise.resolve(this) })
}

function failing(code: string, syscall: string): () => Promise<never> {
    return () => Promise.reject(Object.assign(new Error(`${code}: ${syscall}`), { code, syscall }))
}

describe("opening a bus", () => {
    test("says how to get a device file that is not there", async () => {
        // Where the package is missing, its own sentence comes first.
        const outcome = openI2cBus(255)
        await expect(outcome).rejects.toThrow(UserError)
        await expect(outcome).rejects.toThrow(/there is no \/dev\/i2c-255: enable I2C|npm install i2c-bus/)
    })

    test("says what to do without the package, without permission, and with an adapter that does not do", async () => {
        for (const [adapter, sentence] of [
            [new Adapter({ i2cFuncs: failing("ENOENT", "open") }), /modprobe i2c-dev/],
            [
                new Adapter({ i2cFuncs: failing("EACCES", "open") }),
                /\/dev\/i2c-1 may not be opened.*group i2c/,
            ],
            [
                new Adapter({ i2cFuncs: () => Promise.resolve({ ...allFunctions, i2c: false }) }),
                /only speaks SMBus/,
            ],
        ] as const) {
            const outcome = openI2cBus(1, adapter.load)
            await expect(outcome).rejects.toThrow(UserError)
            await expect(outcome).rejects.toThrow(sentence)
            expect(adapter.closed).toBe(true)
        }
        const missing = openI2cBus(1, () => Promise.reject(new Error("Cannot find package 'i2c-bus'")))
        await expect(missing).rejects.toThrow(UserError)
        await expect(missing).rejects.toThrow(/npm install i2c-bus/)
    })
})

describe("a transfer", () => {
    test("carries bytes there and back", async () => {
        const bus = await openI2cBus(1, new Adapter().load)
        await bus.write(0x60, Uint8Array.of(1, 2, 3))
        const read = await bus.read(0x60, 3)
        expect(read).toStrictEqual(Uint8Array.of(1, 2, 3))
        expect(Object.getPrototypeOf(read)).toBe(Uint8Array.prototype)
    })

    test("that nobody acknowledges is told apart from a bus that fails", async () => {
        for (const [code, reason] of [
            ["ENXIO", "nack"],
            ["EREMOTEIO", "nack"],
            ["ETIMEDOUT", "failed"],
            ["EIO", "failed"],
        ] as const) {
            const adapter = new Adapter({ i2cWrite: failing(code, "write"), i2cRead: failing(code, "read") })
            const bus = await openI2cBus(1, adapter.load)
            await expect(bus.write(0x60, Uint8Array.of(1))).rejects.toMatchObject({
                name: "BusError",
                reason,
            })
            await expect(bus.read(0x60, 1)).rejects.toMatchObject({ name: "BusError", reason })
        }
    })

    test("of fewer bytes than were asked for has failed", async () => {
        const short = new Adapter({
            i2cWrite: (_, length, buffer) => Promise.resolve({ bytesWritten: length - 1, buffer }),
            i2cRead: (_, length, buffer) => Promise.resolve({ bytesRead: length - 1, buffer }),
        })
        const bus = await openI2cBus(1, short.load)
        await expect(bus.write(0x60, Uint8Array.of(1, 2))).rejects.toMatchObject({ reason: "failed" })
        await expect(bus.read(0x60, 2)).rejects.toMatchObject({ reason: "failed" })
    })

    test("with a device that the kernel has is refused for good, however often it is tried", async () => {
        const bus = await openI2cBus(1, new Adapter({ i2cRead: failing("EBUSY", "setAddr") }).load)
        const outcome = bus.read(0x60, 4)
        await expect(outcome).rejects.toThrow(UserError)
        await expect(outcome).rejects.toThrow(/a driver of the kernel has 0x60 on \/dev\/i2c-1.*atmel_ecc/)
    })
})
