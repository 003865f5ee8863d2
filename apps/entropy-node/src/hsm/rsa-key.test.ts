import { execFile } from "node:child_process"
import { createPublicKey, generateKeyPair, verify } from "node:crypto"
import { cp, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

import { UserError } from "@tallylight/node/user-error.js"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"

import { faultyProgram, softProgram } from "../../../../test/processes/module-programs.ts"
import { makeSoftHsm, noSoftHsm, softPin, type SoftHsm } from "../../../../test/processes/soft-hsm.ts"
import type { ModuleProgram } from "./module-process.ts"
import type { PulseSigner } from "./pulse-signer.ts"
import { openTokenSigner, tokenKeySettings, type TokenPulseSigner } from "./rsa-key.ts"

const run = promisify(execFile)
const message = new TextEncoder().encode("a pulse")

let made: SoftHsm | undefined
let hsm: SoftHsm
/** Of the key that was made first. */
let modulus: Uint8Array
let wasNew: boolean
const signers: PulseSigner[] = []

beforeAll(async () => {
    made = await makeSoftHsm()
    if (made === undefined) return
    hsm = made
    const signer = await open("create")
    modulus = signer.modulus
    wasNew = signer.isNew
    await signer.close()
    signers.length = 0
    // A key takes some seconds, of each core's undivided attention.
}, 180_000)
beforeEach((context) => {
    if (made === undefined) context.skip(noSoftHsm)
})
afterEach(async () => {
    for (const signer of signers.splice(0)) await signer.close()
})
afterAll(() => made?.remove())

async function open(
    whenMissing: "create" | "refuse",
    given: Readonly<Record<string, unknown>> = {},
    program: ModuleProgram = softProgram,
): Promise<TokenPulseSigner> {
    const settings = tokenKeySettings.parse({ ...hsm.settings, ...given })
    const signer = await openTokenSigner(settings, whenMissing, program)
    signers.push(signer)
    return signer
}

function isSignedBy(signer: PulseSigner, signature: Uint8Array, signed = message): boolean {
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")
    const key = createPublicKey({
        key: { kty: "RSA", n: base64(signer.modulus), e: base64(Uint8Array.of(1, 0, 1)) },
        format: "jwk",
    })
    return verify("sha512", signed, key, signature)
}

function tokenKey(action: string, label: string): Promise<{ readonly stdout: string }> {
    const program = fileURLToPath(new URL("../../../../test/processes/token-key.ts", import.meta.url))
    const args = [
        "--conditions=source",
        "--import",
        "tsx",
        program,
        hsm.module,
        "tested",
        softPin,
        action,
        label,
    ]
    return run(process.execPath, args, { env: { ...process.env, ...hsm.environment } })
}

/** A key that was made elsewhere, and will not leave the token. */
async function importKey(label: string, id: string, modulusLength: number): Promise<void> {
    const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength })
    const path = join(hsm.folder, `${label}.pem`)
    await writeFile(path, privateKey.export({ type: "pkcs8", format: "pem" }))
    await hsm.util("--import", path, "--token", "tested", "--pin", softPin, "--label", label, "--id", id)
}

describe("a key", () => {
    test("has 4096 bits, and signs as RFC 8017 has it", async () => {
        const signer = await open("refuse")
        expect(signer.modulus.length).toBe(512)
        expect(signer.modulus[0]).toBeGreaterThan(127)
        expect(signer.exponent).toBe(65_537)
        const signature = await signer.sign(message)
        expect(signature.length).toBe(512)
        expect(signature.constructor).toBe(Uint8Array)
        expect(isSignedBy(signer, signature)).toBe(true)
        expect(isSignedBy(signer, signature, Uint8Array.of(...message, 0))).toBe(false)
        expect(await signer.sign(message)).toStrictEqual(signature)
    })

    test("is made once, and found from then on", async () => {
        for (const whenMissing of ["create", "refuse", "create"] as const) {
            const signer = await open(whenMissing)
            expect(signer.modulus).toStrictEqual(modulus)
            expect(signer.isNew).toBe(false)
        }
        expect(wasNew).toBe(true)
    })

    test("says where it lies, and that SoftHSM is software", async () => {
        const signer = await open("refuse")
        expect(signer.simulated).toBe(true)
        expect(signer.facts).toMatchObject({
            token: "tested",
            model: "SoftHSM v2",
            key: "tallylight-pulse",
            keyBornInToken: true,
        })
    })

    test("never leaves its token", async () => {
        const { stdout } = await tokenKey("export", "tallylight-pulse")
        expect(stdout).toBe("CKR_ATTRIBUTE_SENSITIVE\n".repeat(6))
    })

    test("that is missing is refused where none may be made", async () => {
        await expect(open("refuse", { key: "other" })).rejects.toThrow(
            new UserError("the token tested has no RSA key other; init makes one"),
        )
    })

    test("that may leave its token is refused", async () => {
        await tokenKey("import", "loose")
        // It is no secret, as the other one is.
        expect((await tokenKey("export", "loose")).stdout).toMatch(/^(\d+ bytes\n){6}$/)
        await expect(open("create", { key: "loose" })).rejects.toThrow(
            new UserError(
                "the key loose may leave the token tested; choose another label, and init makes one",
            ),
        )
    })

    test("of another size, or one of two, is refused", async () => {
        await importKey("short", "01", 2048)
        await expect(open("create", { key: "short" })).rejects.toThrow(UserError)
        await expect(open("create", { key: "short" })).rejects.toThrow("has 2048 bits")
        await importKey("short", "02", 2048)
        await expect(open("create", { key: "short" })).rejects.toThrow("has several keys short")
    })
})

describe("a token that is lost", () => {
    test.each(["close sessions", "crash", "hang"])("is opened again to sign (%s)", async (fault) => {
        const path = join(hsm.folder, "fault")
        const environment = { ...hsm.environment, FAULT: path }
        const signer = await open("refuse", { environment, timeoutMs: 5000 }, faultyProgram)
        expect(isSignedBy(signer, await signer.sign(message))).toBe(true)
        await writeFile(path, fault)
        const signatures = await Promise.all([signer.sign(message), signer.sign(Uint8Array.of(1))])
        expect(isSignedBy(signer, signatures[0])).toBe(true)
        expect(isSignedBy(signer, signatures[1], Uint8Array.of(1))).toBe(true)
    })

    test("fails the signature while it is away, and signs once it is back", async () => {
        const signer = await open("refuse")
        const tokens = join(hsm.folder, "tokens")
        const away = join(hsm.folder, "away")
        await cp(tokens, away, { recursive: true })
        await rm(tokens, { recursive: true })
        const failed = signer.sign(message)
        await expect(failed).rejects.toThrow(UserError)
        await expect(signer.sign(message)).rejects.toThrow(UserError)
        await rename(away, tokens)
        expect(isSignedBy(signer, await signer.sign(message))).toBe(true)
    })

    test("must come back with the same key", async () => {
        const tokens = join(hsm.folder, "tokens")
        const before = join(hsm.folder, "before")
        await cp(tokens, before, { recursive: true })
        await importKey("swapped", "03", 4096)
        const signer = await open("refuse", { key: "swapped" })
        expect(signer.facts).toMatchObject({ keyBornInToken: false })
        expect(isSignedBy(signer, await signer.sign(message))).toBe(true)
        await rm(tokens, { recursive: true })
        await rename(before, tokens)
        await importKey("swapped", "03", 4096)
        const refused = signer.sign(message)
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow("the token tested came back with another key swapped")
        // Two keys are made.
    }, 180_000)
})
