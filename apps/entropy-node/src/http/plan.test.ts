import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import { afterAll, beforeAll, expect, test } from "vitest"
import { makeCertificate } from "../../../../test/certificates.ts"
import { makePlan } from "./plan.ts"
import { httpSettings } from "./settings.ts"
import { makeToken } from "./tokens.ts"

let folder: string
let tls: { readonly certFile: string; readonly keyFile: string }
let tokensFile: string
beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-plan-"))
    const { cert, key } = await makeCertificate()
    tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") }
    await writeFile(tls.certFile, cert)
    await writeFile(tls.keyFile, key, { mode: 0o600 })
    tokensFile = join(folder, "tokens.jsonc")
    const tokens = [{ name: "lab", sha256: makeToken(systemRandom).sha256 }]
    await writeFile(tokensFile, JSON.stringify({ tokens }), { mode: 0o600 })
})
afterAll(() => rm(folder, { recursive: true }))

async function problem(settings: object, now = Date.now()): Promise<string> {
    const error: unknown = await makePlan(httpSettings.parse(settings), now).then(
        () => "none",
        (reason: unknown) => reason,
    )
    return error instanceof UserError ? error.message : String(error)
}

test("by default it is open on loopback", async () => {
    expect(await problem({})).toBe("none")
    expect(await problem({ host: "::1" })).toBe("none")
    expect(httpSettings.parse({})).toMatchObject({ host: "127.0.0.1", workers: 0, allowOpen: false })
})

test.each(["0.0.0.0", "::", "192.0.2.1", "node.example"])(
    "at %s it needs tokens, or to be told that anybody may ask",
    async (host) => {
        expect(await problem({ host, port: null, tls })).toMatch(
            /^other machines can connect to .+ tokensFile/,
        )
        expect(await problem({ host, port: null, tls, tokensFile })).toBe("none")
        expect(await problem({ host, port: null, tls, allowOpen: true })).toBe("none")
    },
)

test("where other machines can connect, plain HTTP needs to be allowed", async () => {
    expect(await problem({ host: "0.0.0.0", tls, tokensFile })).toMatch(/crosses the network readable/)
    expect(await problem({ host: "0.0.0.0", tls, tokensFile, allowPlain: true })).toBe("none")
})

test("a socket alone is reachable by nobody else, whatever the host", async () => {
    expect(await problem({ host: "0.0.0.0", port: null, socket: { path: "/tmp/s" } })).toBe("none")
    expect(await problem({ port: null })).toMatch(/^nobody could ask this node/)
})

test("files that do not fit are told in a sentence", async () => {
    expect(await problem({ tls: { ...tls, keyFile: join(folder, "none") } })).toMatch(/^there is no file /)
    expect(await problem({ tls: { ...tls, certFile: tls.keyFile } })).toMatch(/holds no certificate in PEM$/)
    expect(await problem({ tls }, Date.now() + 7 * 86_400_000)).toMatch(/expired on .+; renew it$/)
    expect(await problem({ tls }, Date.now() - 7 * 86_400_000)).toMatch(/look at this machine's clock$/)
    expect(await problem({ tokensFile: join(folder, "none") })).toMatch(/none, which http\.tokensFile names/)
})
