import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { constants } from "node:fs"
import {
    access,
    chmod,
    mkdir,
    mkdtemp,
    open,
    readFile,
    rm,
    symlink,
    writeFile,
    type FileHandle,
} from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

import { UserError } from "@tallylight/node/user-error.js"
import { afterEach, beforeEach, describe, expect, test, type TestContext } from "vitest"

import { signalHolders } from "../../../../test/signal-holders.ts"
import { characterDeviceDriver, type DeviceFile, type Surroundings } from "./character-device.ts"
import { deviceNumber } from "./character-device-facts.ts"
import { characterDeviceSettings } from "./character-device-settings.ts"
import type { Source } from "./source.ts"

const run = promisify(execFile)
const { signal } = new AbortController()

let folder: string
let path: string
const sources: Source[] = []
const cleanups: (() => Promise<unknown>)[] = []

beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-device-"))
    path = join(folder, "qrandom0")
})

afterEach(async () => {
    for (const source of sources.splice(0)) await source.close()
    for (const cleanup of cleanups.splice(0)) await cleanup()
    await rm(folder, { recursive: true })
})

type Given = Readonly<Record<string, string | number | boolean>>

function driverOf(given: Given, surroundings: Partial<Surroundings> = {}) {
    const common = { kind: "character-device", name: "tested", device: "quantis", path, simulated: true }
    const settings = { ...common, ...given }
    return characterDeviceDriver(characterDeviceSettings.parse(settings), surroundings)
}

async function openSource(given: Given = {}, surroundings: Partial<Surroundings> = {}): Promise<Source> {
    const source = await driverOf(given, surroundings).open(signal)
    sources.push(source)
    return source
}

/** Not the source's to close when it has been closed already. */
async function closeNow(source: Source): Promise<void> {
    sources.splice(sources.indexOf(source), 1)
    await source.close()
}

/** A FIFO with somebody at its other end, as a device that is plugged in. */
async function plugIn(): Promise<FileHandle> {
    await run("mkfifo", [path])
    return writer()
}

async function writer(): Promise<FileHandle> {
    const end = await open(path, constants.O_RDWR | constants.O_NONBLOCK)
    cleanups.push(() => end.close())
    return end
}

describe("a device", () => {
    test("gives what it has, also where that is less than was asked for", async () => {
        const device = await plugIn()
        const source = await openSource()
        await device.write(Uint8Array.of(1, 2, 3, 0, 255))
        expect(await source.read(2, signal)).toStrictEqual(Uint8Array.of(1, 2))
        expect(await source.read(100, signal)).toStrictEqual(Uint8Array.of(3, 0, 255))
    })

    test("is waited for", async () => {
        const device = await plugIn()
        const source = await openSource()
        const read = source.read(4, signal)
        await device.write(Uint8Array.of(9))
        expect(await read).toStrictEqual(Uint8Array.of(9))
    })

    test("that says nothing for too long is given up", async () => {
        const device = await plugIn()
        const source = await openSource({ timeoutMs: 60 })
        await expect(source.read(4, signal)).rejects.toThrow(`${path} has given nothing for 60 ms`)
        await device.write(Uint8Array.of(9))
        expect(await source.read(4, signal)).toStrictEqual(Uint8Array.of(9))
    })

    test("that is waited for ends with the signal's reason", async () => {
        await plugIn()
        const source = await openSource()
        const stop = new AbortController()
        const reason = new Error("enough")
        const read = source.read(4, stop.signal)
        stop.abort(reason)
        await expect(read).rejects.toBe(reason)
    })

    test("leaves nothing in the signal of its reads, whatever comes of them", async () => {
        const device = await plugIn()
        const source = await openSource({ timeoutMs: 20 })
        const { signal: longLived } = new AbortController()
        for (let reads = 0; reads < 10; reads += 1) {
            await device.write(Uint8Array.of(reads))
            await source.read(1, longLived)
        }
        await expect(source.read(1, longLived)).rejects.toThrow("has given nothing")
        expect(signalHolders(longLived)).toBe(0)
    })

    test("that is unplugged fails the read, and is read again once it is back", async () => {
        const device = await plugIn()
        const driver = driverOf({})
        const source = await driver.open(signal)
        await device.write(Uint8Array.of(1))
        expect(await source.read(4, signal)).toStrictEqual(Uint8Array.of(1))
        cleanups.length = 0
        await device.close()
        await expect(source.read(4, signal)).rejects.toThrow(`${path} is gone`)
        await source.close()
        await rm(path)
        await expect(driver.open(signal)).rejects.toThrow(
            new UserError(`there is no device ${path}; plug it in, load its driver, or correct the path`),
        )
        const back = await plugIn()
        const again = await driver.open(signal)
        sources.push(again)
        await back.write(Uint8Array.of(2))
        expect(await again.read(4, signal)).toStrictEqual(Uint8Array.of(2))
    })

    test("takes no thread of the pool while it says nothing", async () => {
        const silent = await Promise.all(
            Array.from({ length: 8 }, async (_, i) => {
                const fifo = join(folder, `fifo${i}`)
                await run("mkfifo", [fifo])
                const end = await open(fifo, constants.O_RDWR | constants.O_NONBLOCK)
                cleanups.push(() => end.close())
                return openSource({ path: fifo })
            }),
        )
        const stop = new AbortController()
        const reads = silent.map((source) => source.read(1, stop.signal))
        // Twice as many as there are threads: files could not be read any more.
        await writeFile(join(folder, "file"), "x")
        stop.abort(new Error("enough"))
        const settled = await Promise.allSettled(reads)
        expect(settled.map(({ status }) => status)).toEqual(Array(8).fill("rejected"))
    })
})

describe("a driver that does not return from a read", () => {
    /** Behind it stands a FIFO; `release` lets what it was asked return. */
    async function openStuck() {
        await plugIn()
        let release = (): void => undefined
        const held = new Promise<void>((resolve) => (release = resolve))
        let opened = 0
        const openFile = async (file: string, flags: number): Promise<DeviceFile> => {
            const handle = await open(file, flags)
            if ((opened += 1) > 1) return handle
            const closed = held.then(() => handle.close())
            return {
                fd: handle.fd,
                stat: () => handle.stat(),
                write: handle.write.bind(handle),
                read: async <Buffer extends NodeJS.ArrayBufferView>(buffer: Buffer) => {
                    await held
                    return { bytesRead: 0, buffer }
                },
                close: () => closed,
            }
        }
        return { driver: driverOf({ timeoutMs: 50 }, { openFile }), release: () => release() }
    }

    test("is given up, and is not waited for again before it has returned", async () => {
        const { driver, release } = await openStuck()
        const source = await driver.open(signal)
        await expect(source.read(4, signal)).rejects.toThrow(
            `the driver of ${path} has not returned from a read for 50 ms`,
        )
        await source.close()
        const refused = driver.open(signal)
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow("has not returned from a read; unplug the device")
        release()
        await expect.poll(() => driver.open(signal).then((again) => sources.push(again))).toBe(1)
    })
})

test("a device that cannot even be closed is refused for its first problem, and is free again", async () => {
    await plugIn()
    const openFile = async (file: string, flags: number): Promise<DeviceFile> => {
        const handle = await open(file, flags)
        return {
            fd: handle.fd,
            stat: () => handle.stat(),
            read: handle.read.bind(handle),
            write: handle.write.bind(handle),
            close: async () => {
                await handle.close()
                throw Object.assign(new Error("EIO"), { code: "EIO", errno: -5, syscall: "close" })
            },
        }
    }
    const driver = driverOf({ device: "truerng" }, { openFile })
    const problem = new UserError(`${path} is no serial port; give the path of the device's own port`)
    await expect(driver.open(signal)).rejects.toThrow(problem)
    await expect(driver.open(signal)).rejects.toThrow(problem)
    await openSource({ name: "another" })
})

describe("what is no device", () => {
    test("is a regular file", async () => {
        await writeFile(path, "random enough")
        await expect(openSource()).rejects.toThrow(
            new UserError(`${path} is no character device; give the path of the device itself`),
        )
    })

    test("is a folder", async () => {
        await expect(openSource({ path: folder })).rejects.toThrow("is no character device")
    })

    test.each(["/dev/zero", "/dev/urandom", "/dev/random", "/dev/null"])("is %s", async (memory) => {
        await symlink(memory, path)
        const refused = openSource()
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow(/is the kernel's own memory device 1:\d.+ is mixed in anyway/)
    })

    test("is a FIFO or a pseudoterminal of which nobody said that it is simulated", async (context) => {
        await plugIn()
        const { port } = await plugSerial(context)
        const fifo = { path }
        const pseudoterminal = { device: "truerng", path: port }
        for (const [given, what] of [
            [fifo, "FIFO"],
            [pseudoterminal, "pseudoterminal"],
        ] as const) {
            const refused = openSource({ ...given, simulated: false })
            await expect(refused).rejects.toThrow(UserError)
            await expect(refused).rejects.toThrow(`${given.path} is a ${what}, which any program can fill`)
            expect(driverOf(given).simulated).toBe(true)
            await openSource(given)
        }
        expect(driverOf({ simulated: false }).simulated).toBe(false)
    })

    test("is a device that another source has, under another path too", async () => {
        await plugIn()
        const first = await openSource({ name: "first" })
        const alias = join(folder, "alias")
        await symlink(path, alias)
        await expect(openSource({ path: alias, name: "second" })).rejects.toThrow(
            new UserError(`${alias} is the device of the source first already; give each its own`),
        )
        await closeNow(first)
        await openSource({ path: alias, name: "second" })
    })

    test("is one that this user may not read", async (context) => {
        await plugIn()
        await chmod(path, 0o200)
        await skipIfReadable(path, context)
        const refused = openSource()
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow(`this program may not read ${path}`)
    })

    async function skipIfReadable(file: string, context: TestContext): Promise<void> {
        const refusal: unknown = await access(file, constants.R_OK).catch((error: unknown) => error)
        if (refusal === undefined) context.skip("the superuser may read everything")
    }

    test.each([
        ["ENOENT", "there is no device"],
        ["EACCES", "this program may not read"],
        ["EPERM", "this program may not read"],
        ["ENXIO", "there is no device behind"],
        ["ENODEV", "there is no device behind"],
        ["EBUSY", "another program has"],
    ])("is one of which the system says %s", async (code, sentence) => {
        const openFile = (): Promise<DeviceFile> => Promise.reject(Object.assign(new Error(code), { code }))
        const refused = openSource({}, { openFile })
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow(sentence)
    })
})

/** A serial line with a process at its other end. */
async function plugSerial(context: TestContext) {
    const program = fileURLToPath(new URL("../../../../test/processes/pty.py", import.meta.url))
    const python = spawn("python3", [program], { stdio: ["pipe", "pipe", "inherit"] })
    const lines = createInterface(python.stdout)[Symbol.asyncIterator]()
    const absent = once(python, "error").then(() =>
        context.skip("there is no python3 to make a pseudoterminal"),
    )
    const line = async (): Promise<string> => {
        const next = await Promise.race([lines.next(), absent])
        return String(next.value)
    }
    const ask = (command: string): Promise<string> => {
        python.stdin.write(`${command}\n`)
        return line()
    }
    const exit = once(python, "exit")
    const unplug = async (): Promise<void> => {
        python.stdin.end()
        await exit
    }
    cleanups.push(unplug)
    const port = await line()
    return {
        port,
        write: (bytes: Uint8Array) => ask(`w ${Buffer.from(bytes).toString("hex")}`),
        read: async (count: number) => Buffer.from(await ask(`r ${count}`), "hex").toString("latin1"),
        unplug,
    }
}

describe("a serial device", () => {
    test("hands on each byte as it is, and hears none of them back", async (context) => {
        const line = await plugSerial(context)
        const source = await openSource({ device: "truerng", path: line.port })
        const every = Uint8Array.from({ length: 256 }, (_, i) => i)
        await line.write(every)
        let got = new Uint8Array()
        while (got.length < 256) got = Uint8Array.of(...got, ...(await source.read(256, signal)))
        expect(got).toStrictEqual(every)
        const sender = await open(line.port, constants.O_WRONLY | constants.O_NOCTTY)
        cleanups.push(() => sender.close())
        await sender.write("here")
        // An echo would come first.
        expect(await line.read(4)).toBe("here")
    })

    test("loses what it said before its line was raw", async (context) => {
        const line = await plugSerial(context)
        // Holds the line open, as the kernel holds a buffer.
        const held = await open(line.port, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
        cleanups.push(() => held.close())
        await line.write(Buffer.from("old\rold\n"))
        const source = await openSource({ device: "truerng", path: line.port })
        await line.write(Buffer.from("new"))
        expect(Buffer.from(await source.read(99, signal)).toString()).toBe("new")
    })

    test.for([
        [true, "cmdo\ncmdw\ncmd0\ncmdO\n"],
        [false, "cmdo\ncmdw\ncmd1\ncmdO\n"],
    ] as const)("that is a OneRNG is told to start (whitened: %s)", async ([whitened, commands], context) => {
        const line = await plugSerial(context)
        const source = await openSource({ device: "onerng", path: line.port, whitened })
        expect(await line.read(commands.length)).toBe(commands)
        await line.write(Uint8Array.of(7))
        expect(await source.read(9, signal)).toStrictEqual(Uint8Array.of(7))
    })

    test("that is unplugged fails the read, and is read again at its new place", async (context) => {
        const first = await plugSerial(context)
        await symlink(first.port, path)
        const driver = driverOf({ device: "truerng" })
        const source = await driver.open(signal)
        await first.unplug()
        await expect(source.read(4, signal)).rejects.toThrow(`${path} is gone`)
        await source.close()
        await expect(driver.open(signal)).rejects.toThrow(UserError)
        await rm(path)
        const second = await plugSerial(context)
        await symlink(second.port, path)
        const again = await driver.open(signal)
        sources.push(again)
        await second.write(Uint8Array.of(5))
        expect(await again.read(4, signal)).toStrictEqual(Uint8Array.of(5))
    })

    test("is no FIFO", async () => {
        await plugIn()
        await expect(openSource({ device: "truerng" })).rejects.toThrow(
            new UserError(`${path} is no serial port; give the path of the device's own port`),
        )
    })
})

describe("facts", () => {
    test("say of a FIFO that it is one", async () => {
        await plugIn()
        const { facts } = await openSource()
        expect(facts).toEqual({ path, node: path, type: "fifo" })
    })

    test("name the node behind a link, and the USB device to which it belongs", async (context) => {
        const { port } = await plugSerial(context)
        await symlink(port, path)
        const number = `136:${port.split("/").at(-1)}`
        const device = join(folder, "sys/devices/pci0/usb1/1-2")
        await mkdir(join(device, "1-2:1.0/tty/ttyACM0"), { recursive: true })
        await mkdir(join(folder, "sys/dev/char"), { recursive: true })
        await symlink(join(device, "1-2:1.0/tty/ttyACM0"), join(folder, "sys/dev/char", number))
        const told = { idVendor: "04d8", idProduct: "f5fe", product: "TrueRNG", serial: "" }
        for (const [name, text] of Object.entries(told)) await writeFile(join(device, name), `${text}\n`)
        const { facts } = await openSource({ device: "truerng" }, { sysfs: join(folder, "sys") })
        const found = { usb: "04d8:f5fe", usbProduct: "TrueRNG" }
        expect(facts).toEqual({ path, node: port, type: "character device", number, ...found })
    })

    test("say nothing of USB where there is none", async (context) => {
        const { port } = await plugSerial(context)
        const { facts } = await openSource({ device: "truerng", path: port }, { sysfs: folder })
        expect(facts).toEqual({ path: port, node: port, type: "character device", number: deviceOf(port) })
    })

    const deviceOf = (port: string): string => `136:${port.split("/").at(-1)}`

    test.each([
        [0x0ab7, 10, 183],
        [0x10_8801, 136, 0x101],
        [0xabc1_23ff, 0x123, 0xabcff],
    ])("decode the device number %i", (rdev, major, minor) => {
        expect(deviceNumber(rdev)).toEqual({ major, minor })
    })
})

describe("/dev/hwrng", () => {
    const hwrng = { device: "hwrng", path: "/dev/hwrng" }

    async function skipWithoutIt(context: TestContext): Promise<string> {
        const readable: unknown = await access("/dev/hwrng", constants.R_OK).catch((error: unknown) => error)
        if (readable instanceof Error)
            context.skip(`this machine's /dev/hwrng cannot be read: ${readable.message}`)
        const current = await readFile("/sys/class/misc/hw_random/rng_current", "utf8").catch(() => "none")
        if (current.trim() === "none")
            context.skip("no hardware generator is behind this machine's /dev/hwrng")
        return current.trim()
    }

    test("gives bytes, other ones each time, and says what is behind it", async (context) => {
        const rngCurrent = await skipWithoutIt(context)
        const source = await openSource(hwrng)
        expect(source.facts).toEqual({
            path: "/dev/hwrng",
            node: "/dev/hwrng",
            type: "character device",
            number: "10:183",
            rngCurrent,
        })
        const [first, second] = [await source.read(32, signal), await source.read(32, signal)]
        expect(first.length).toBeGreaterThan(0)
        expect(first).not.toEqual(second)
    })

    test("is found under another name", async (context) => {
        const rngCurrent = await skipWithoutIt(context)
        await symlink("/dev/hwrng", path)
        const { facts } = await openSource()
        expect(facts).toMatchObject({ path, node: "/dev/hwrng", rngCurrent })
    })

    test("is given up where the kernel has put another generator behind it", async () => {
        const device = await plugIn()
        const misc = join(folder, "sys/class/misc/hw_random")
        await mkdir(misc, { recursive: true })
        const choose = (rng: string): Promise<void> => writeFile(join(misc, "rng_current"), `${rng}\n`)
        /** A FIFO that says that it is 10:183. */
        const openFile = async (file: string, flags: number): Promise<DeviceFile> => {
            const handle = await open(file, flags)
            return {
                fd: handle.fd,
                stat: async () =>
                    Object.assign(await handle.stat(), { mode: constants.S_IFCHR, rdev: (10 << 8) | 183 }),
                read: handle.read.bind(handle),
                write: handle.write.bind(handle),
                close: () => handle.close(),
            }
        }
        await choose("tpm-rng-0")
        const driver = driverOf(
            { device: "hwrng", simulated: false },
            { openFile, sysfs: join(folder, "sys") },
        )
        const source = await driver.open(signal)
        await device.write(Uint8Array.of(1, 2, 3))
        expect(await source.read(1, signal)).toStrictEqual(Uint8Array.of(1))
        await choose("virtio_rng.0")
        const refused = source.read(1, signal)
        await expect(refused).rejects.toThrow(`${path} is virtio_rng.0 now, and was tpm-rng-0`)
        await choose("none")
        await expect(source.read(1, signal)).rejects.toThrow("no hardware generator is behind")
        await source.close()
        await choose("virtio_rng.0")
        const again = await driver.open(signal)
        sources.push(again)
        expect(again.facts).toMatchObject({ rngCurrent: "virtio_rng.0" })
        await device.write(Uint8Array.of(4))
        expect(await again.read(1, signal)).toStrictEqual(Uint8Array.of(4))
    })

    test.for(["none\n", "\n", undefined])(
        "is refused where nothing is behind it (%j)",
        async (current, context) => {
            await skipWithoutIt(context)
            const misc = join(folder, "sys/class/misc/hw_random")
            await mkdir(misc, { recursive: true })
            if (current !== undefined) await writeFile(join(misc, "rng_current"), current)
            await expect(openSource(hwrng, { sysfs: join(folder, "sys") })).rejects.toThrow(
                new UserError("no hardware generator is behind /dev/hwrng; plug it in, or load its driver"),
            )
        },
    )
})

describe("settings", () => {
    test.each([
        ["quantis", "/dev/qrandom0", 7],
        ["chaoskey", "/dev/chaoskey0", 6],
        ["truerng", "/dev/ttyACM0", 6],
        ["onerng", "/dev/ttyACM0", 4],
        ["hwrng", "/dev/hwrng", 4],
    ])("of %s have defaults", (device, defaultPath, minEntropy) => {
        const settings = characterDeviceSettings.parse({ kind: "character-device", name: "a", device })
        expect(settings).toMatchObject({ path: defaultPath, minEntropy, simulated: false, timeoutMs: 5000 })
    })

    test.each([
        { device: "dice" },
        { device: "quantis", whitened: true },
        { device: "quantis", path: "qrandom0" },
        { device: "quantis", minEntropy: 0 },
        { device: "quantis", minEntropy: 8.5 },
        { device: "quantis", name: "A" },
        { device: "quantis", timeoutMs: 0 },
    ])("%j are refused", (given) => {
        const valid = { kind: "character-device", name: "a", device: "quantis" }
        expect(characterDeviceSettings.safeParse(valid).success).toBe(true)
        expect(characterDeviceSettings.safeParse({ ...valid, ...given }).success).toBe(false)
    })
})
