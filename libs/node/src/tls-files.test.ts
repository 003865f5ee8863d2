import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterEach, beforeEach, expect, test } from "vitest"

import { makeCertificate } from "../../../test/certificates.ts"
import type { Certificate } from "../../../test/certificates.ts"
import { readCredentials } from "./tls-files.ts"
import { UserError } from "./user-error.ts"

let folder: string
let files: { readonly certFile: string; readonly keyFile: string }
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-tls-"))
    files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") }
})
afterEach(() => rm(folder, { recursive: true }))

async function write({ cert, key }: Certificate): Promise<void> {
    await writeFile(files.certFile, cert)
    await writeFile(files.keyFile, key, { mode: 0o600 })
}

async function problem(now = Date.now()): Promise<string> {
    const error: unknown = await readCredentials(files, now).catch((reason: unknown) => reason)
    return error instanceof UserError ? error.message : `no UserError: ${String(error)}`
}

test("a certificate, its authorities and its key are taken", async () => {
    const [own, authority] = [await makeCertificate(), await makeCertificate("authority.example")]
    await write({ cert: `${own.cert}\n${authority.cert}`, key: own.key })
    expect(await readCredentials(files, Date.now())).toMatchObject({ key: own.key })
})

test("what no client would accept is told in a sentence", async () => {
    const good = await makeCertificate()
    expect(await problem()).toBe(`there is no file ${files.certFile}`)
    await write(await makeCertificate("127.0.0.1", -1))
    expect(await problem()).toMatch(/expired on .+; renew it$/)
    await write(good)
    expect(await problem(Date.now() - 3 * 24 * 3600 * 1000)).toMatch(
        /is valid from .+ on; look at this machine's clock$/,
    )
    await write({ ...good, key: (await makeCertificate()).key })
    expect(await problem()).toMatch(/is not the one of the certificate in/)
    await write({ ...good, cert: "" })
    expect(await problem()).toBe(`${files.certFile} holds no certificate in PEM`)
    await write({ ...good, key: good.cert })
    expect(await problem()).toBe(`${files.keyFile} holds no private key in PEM without a passphrase`)
    await write(good)
    await chmod(files.keyFile, 0o640)
    expect(await problem()).toBe(
        `others may read the key file ${files.keyFile}; run: chmod 600 ${files.keyFile}`,
    )
})
