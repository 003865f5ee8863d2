import { createPublicKey, generateKeyPairSync, verify } from "node:crypto"
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { utf8 } from "@tallylight/crypto/bytes.js"
import { UserError } from "@tallylight/node/user-error.js"
import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { signerKey } from "./certificate.ts"
import { createSoftwareKey, openSoftwareKey } from "./software-key.ts"

let folder: string
let path: string
beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-pulse-key-"))
    path = join(folder, "key.pem")
    await createSoftwareKey(path)
})
afterAll(() => rm(folder, { recursive: true }))

describe("a key in software", () => {
    test("signs what its public half verifies, the same each time", async () => {
        const signer = await openSoftwareKey(path)
        expect([signer.modulus.length, signer.exponent]).toStrictEqual([512, 65_537])
        const message = utf8("a pulse")
        const signature = await signer.sign(message)
        expect(signature.length).toBe(512)
        expect(verify("sha512", message, signerKey(signer), signature)).toBe(true)
        expect(verify("sha512", message, createPublicKey(await readFile(path)), signature)).toBe(true)
        expect(verify("sha512", utf8("another"), signerKey(signer), signature)).toBe(false)
        expect(await signer.sign(message)).toStrictEqual(signature)
    })

    test("says that it is none of hardware", async () => {
        const signer = await openSoftwareKey(path)
        expect([signer.simulated, signer.facts]).toStrictEqual([true, { software: true }])
    })

    test("is for its owner alone", async () => {
        expect((await stat(path)).mode & 0o777).toBe(0o600)
        await chmod(path, 0o640)
        await expect(openSoftwareKey(path)).rejects.toThrow(
            new UserError(`others may read the key file ${path}; run: chmod 600 ${path}`),
        )
        await chmod(path, 0o600)
    })

    test("is never overwritten", async () => {
        const before = await readFile(path)
        await expect(createSoftwareKey(path)).rejects.toThrow(
            new UserError(`the key file ${path} exists, and keys are never overwritten`),
        )
        expect(await readFile(path)).toStrictEqual(before)
    })

    test("is nothing but RSA of 4096 bits", async () => {
        const other = join(folder, "other.pem")
        const short = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
        const curve = generateKeyPairSync("ed25519").privateKey
        for (const key of [short, curve]) {
            await writeFile(other, key.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 })
            await expect(openSoftwareKey(other)).rejects.toThrow(/is not RSA of 4096 bits/)
        }
        await writeFile(other, "no key", { mode: 0o600 })
        await expect(openSoftwareKey(other)).rejects.toThrow(/is no private key/)
        await expect(openSoftwareKey(join(folder, "none.pem"))).rejects.toThrow(/there is no key file/)
    })
})
