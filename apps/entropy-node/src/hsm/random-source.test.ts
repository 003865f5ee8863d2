import { access, chmod, copyFile, mkdir, rename, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"

import { UserError } from "@tallylight/node/user-error.js"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"

import { faultyProgram, softProgram } from "../../../../test/processes/module-programs.ts"
import { makeSoftHsm, noSoftHsm, softPin, type SoftHsm } from "../../../../test/processes/soft-hsm.ts"
import type { Source, SourceDriver } from "../sources/source.ts"
import type { ModuleProgram } from "./module-process.ts"
import { pkcs11Driver, pkcs11Settings } from "./random-source.ts"
import { openTokenSigner, tokenKeySettings } from "./rsa-key.ts"

const { signal } = new AbortController()

let made: SoftHsm | undefined
let hsm: SoftHsm
const sources: Source[] = []

beforeAll(async () => {
    made = await makeSoftHsm()
})
beforeEach((context) => {
    if (made === undefined) context.skip(noSoftHsm)
    else hsm = made
})
afterEach(async () => {
    for (const source of sources.splice(0)) await source.close()
})
afterAll(() => made?.remove())

function driverOf(given: Readonly<Record<string, unknown>> = {}, program: ModuleProgram = softProgram) {
    return pkcs11Driver(pkcs11Settings.parse({ ...hsm.settings, name: "hsm", ...given }), program)
}

async function openSource(given: Readonly<Record<string, unknown>> = {}, program?: ModuleProgram) {
    const source = await driverOf(given, program).open(signal)
    sources.push(source)
    return source
}

async function pinFile(content: string, mode = 0o600): Promise<string> {
    const path = join(hsm.folder, `pin-${content.trim()}-${mode}`)
    await writeFile(path, content)
    await chmod(path, mode)
    return path
}

describe("a token", () => {
    test("gives bytes, other ones each time, and says what it is", async () => {
        const source = await openSource()
        const [first, second] = [await source.read(64, signal), await source.read(64, signal)]
        expect([first.length, second.length]).toEqual([64, 64])
        expect(first.constructor).toBe(Uint8Array)
        expect(first).not.toEqual(second)
        expect((await source.read(5000, signal)).length).toBe(1024)
        expect(source.facts).toMatchObject({
            module: hsm.module,
            token: "tested",
            manufacturer: "SoftHSM project",
            model: "SoftHSM v2",
            hardwareSlot: false,
        })
    })

    test("that is software is refused where nobody said so", async () => {
        expect(driverOf().simulated).toBe(true)
        const refused = openSource({ simulated: false })
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow("the token tested is software, by its own word")
    })

    test("of another label is not there, and those that are there are named", async () => {
        await expect(openSource({ token: "other" })).rejects.toThrow(
            new UserError("there is no token other; the module has: tested"),
        )
    })

    test("is opened by several at once, in one process", async () => {
        const open = await Promise.all([openSource(), openSource(), openSource()])
        const read = await Promise.all(open.map((source) => source.read(16, signal)))
        expect(new Set(read.map(String)).size).toBe(3)
        await sources.splice(sources.indexOf(open[0]), 1)[0]?.close()
        expect((await open[1].read(16, signal)).length).toBe(16)
    })

    test("is no second source under another name, through whatever module it is found", async () => {
        await hsm.util(
            "--init-token",
            "--free",
            "--label",
            "second",
            "--so-pin",
            "87654321",
            "--pin",
            softPin,
        )
        const copy = join(hsm.folder, "copy.so")
        await copyFile(hsm.module, copy)
        const first = await openSource()
        await openSource({ name: "second", token: "second" })
        for (const module of [hsm.module, copy]) {
            const again = openSource({ name: "again", module })
            await expect(again).rejects.toThrow(
                new UserError("the token tested is the device of the source hsm already; give each its own"),
            )
        }
        await first.close()
        sources.splice(sources.indexOf(first), 1)
        expect((await (await openSource({ name: "again" })).read(8, signal)).length).toBe(8)
    })

    test("of a module that is none is refused", async () => {
        const module = join(hsm.folder, "nothing.so")
        const refused = openSource({ module })
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow(`cannot load the PKCS#11 module ${module}`)
    })

    test("of a module that cannot start is refused", async () => {
        const environment = { SOFTHSM2_CONF: join(hsm.folder, "no.conf") }
        const refused = openSource({ environment })
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow(/cannot open the token tested: .*CKR_|there is no token tested/)
    })
})

describe("a PIN", () => {
    test("that is wrong is tried once, and again only when its file has changed", async () => {
        await hsm.util("--init-token", "--free", "--label", "wary", "--so-pin", "87654321", "--pin", "2468")
        const path = await pinFile("9999\n")
        const driver = driverOf({ token: "wary", pinFile: path })
        const sentence = `the token wary refuses the PIN in ${path}; it is not tried again`
        await expect(driver.open(signal)).rejects.toThrow(UserError)
        await expect(driver.open(signal)).rejects.toThrow(sentence)
        // The right PIN, which the token now is given by that name, is never asked of it with the wrong one.
        await hsm.util(
            "--init-token",
            "--token",
            "wary",
            "--label",
            "wary",
            "--so-pin",
            "87654321",
            "--pin",
            "9999",
        )
        await expect(driver.open(signal)).rejects.toThrow(sentence)
        await writeFile(path, "2468\n")
        await expect(driver.open(signal)).rejects.toThrow(sentence)
        await hsm.util(
            "--init-token",
            "--token",
            "wary",
            "--label",
            "wary",
            "--so-pin",
            "87654321",
            "--pin",
            "2469",
        )
        await writeFile(path, "2469\n")
        const source = await driver.open(signal)
        sources.push(source)
        expect((await source.read(8, signal)).length).toBe(8)
    })

    test("that is wrong is tried once, however many open the token at the same time", async () => {
        await hsm.util("--init-token", "--free", "--label", "thrice", "--so-pin", "87654321", "--pin", "2468")
        const path = await pinFile("1357\n")
        const given = { token: "thrice", pinFile: path }
        const link = join(hsm.folder, "linked.so")
        await symlink(hsm.module, link)
        const key = tokenKeySettings.parse({ ...hsm.settings, ...given })
        const opened = await Promise.allSettled([
            driverOf(given).open(signal),
            driverOf({ ...given, name: "other", module: link }).open(signal),
            openTokenSigner(key, "refuse", softProgram),
        ])
        const reasons = opened.map((result) =>
            result.status === "rejected" ? (result.reason as Error) : undefined,
        )
        const sentence = `the token thrice refuses the PIN in ${path}; it is not tried again`
        expect(reasons.map((reason) => reason?.message.slice(0, sentence.length))).toEqual(
            reasons.map(() => sentence),
        )
        // What the token itself said.
        const said = reasons.map((reason) => reason?.cause instanceof Error && reason.cause.message)
        expect(said).toEqual(["C_Login of the PKCS#11 module returned CKR_PIN_INCORRECT", false, false])
    })

    test("that is wrong is tried once, also beside another one that is", async () => {
        await hsm.util("--init-token", "--free", "--label", "often", "--so-pin", "87654321", "--pin", "2468")
        const tried = async (pin: string): Promise<boolean> => {
            const refused = driverOf({ token: "often", pinFile: await pinFile(pin) }).open(signal)
            const error = await refused.then(
                () => undefined,
                (reason: unknown) => reason,
            )
            expect(error).toBeInstanceOf(UserError)
            return (error as UserError).cause !== undefined
        }
        expect([await tried("1111"), await tried("2222"), await tried("1111"), await tried("2222")]).toEqual([
            ...[true, true, false, false],
        ])
    })

    test("needs no newline, and may end with that of another system", async () => {
        for (const content of ["1234", "1234\n", "1234\r\n"]) {
            const path = join(hsm.folder, "written")
            await writeFile(path, content, { mode: 0o600 })
            await openSource({ pinFile: path })
        }
    })

    test.each(["", "\n", "1234\n1234\n"])("is one line, and not %j", async (content) => {
        const path = await pinFile(content)
        await expect(openSource({ pinFile: path })).rejects.toThrow(
            new UserError(`${path} must hold one line, the PIN`),
        )
    })

    test("that others may read is refused", async () => {
        const path = await pinFile("1234\n", 0o640)
        const refused = openSource({ pinFile: path })
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow(`run: chmod 600 ${path}`)
    })

    test("whose file is missing is named", async () => {
        const path = join(hsm.folder, "missing")
        await expect(openSource({ pinFile: path })).rejects.toThrow(`there is no PIN file ${path}`)
    })
})

describe("a module that hangs", () => {
    const hang = (): Promise<void> => writeFile(join(hsm.folder, "fault"), "hang")
    const patient = (): SourceDriver => {
        const environment = { ...hsm.environment, FAULT: join(hsm.folder, "fault") }
        return driverOf({ environment, timeoutMs: 600_000 }, faultyProgram)
    }
    const reason = new Error("enough")

    test("over a read is not waited for once that is called off, nor over its close", async () => {
        const driver = patient()
        const source = await driver.open(signal)
        await hang()
        const stop = new AbortController()
        const read = source.read(8, stop.signal)
        await heard()
        stop.abort(reason)
        await expect(read).rejects.toBe(reason)
        await source.close()
        await goesOn(driver)
    })

    test("over its opening is not waited for once that is called off", async () => {
        const driver = patient()
        await hang()
        const stop = new AbortController()
        const opening = driver.open(stop.signal)
        await heard()
        stop.abort(reason)
        await expect(opening).rejects.toBe(reason)
        await goesOn(driver)
    })

    test("over the opening of one keeps another one no longer than that is called off", async () => {
        const driver = patient()
        await hang()
        const [first, second] = [new AbortController(), new AbortController()]
        const opening = [driver.open(first.signal), driver.open(second.signal)]
        await heard()
        second.abort(reason)
        await expect(opening[1]).rejects.toBe(reason)
        const third = driver.open(signal)
        first.abort(reason)
        await expect(opening[0]).rejects.toBe(reason)
        sources.push(await third)
        expect((await sources[0]?.read(8, signal))?.length).toBe(8)
    })

    /** The module has taken the fault, and hangs. */
    const heard = () =>
        expect
            .poll(
                () =>
                    access(join(hsm.folder, "fault")).then(
                        () => true,
                        () => false,
                    ),
                { timeout: 50_000 },
            )
            .toBe(false)

    /** Its process is gone, so that another one is started. */
    async function goesOn(driver: SourceDriver): Promise<void> {
        const source = await driver.open(signal)
        sources.push(source)
        expect((await source.read(8, signal)).length).toBe(8)
    }
})

describe("a session that is lost", () => {
    test.each([
        ["close sessions", "CKR_SESSION_HANDLE_INVALID"],
        ["crash", "ended (SIGSEGV)"],
        ["hang", "has not answered for 5000 ms"],
    ])("fails the read (%s), and the token is opened again", async (fault, reason) => {
        const path = join(hsm.folder, "fault")
        const environment = { ...hsm.environment, FAULT: path }
        const driver = driverOf({ environment, timeoutMs: 5000 }, faultyProgram)
        const source = await driver.open(signal)
        expect((await source.read(8, signal)).length).toBe(8)
        await writeFile(path, fault)
        const lost = source.read(8, signal)
        await expect(lost).rejects.toThrow("the token is lost")
        await expect(lost).rejects.toThrow(reason)
        await source.close()
        const again = await driver.open(signal)
        sources.push(again)
        expect((await again.read(8, signal)).length).toBe(8)
    })

    test("is found again once its token is back", async () => {
        const driver = driverOf()
        const tokens = join(hsm.folder, "tokens")
        const away = join(hsm.folder, "away")
        await rename(tokens, away)
        await mkdir(tokens)
        await expect(driver.open(signal)).rejects.toThrow(
            new UserError("there is no token tested; the module has: none"),
        )
        await rename(away, tokens)
        const source = await driver.open(signal)
        sources.push(source)
        expect((await source.read(8, signal)).length).toBe(8)
    })
})
