import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import { makeCertificate } from "../certificates.ts"
import { nextLine, nextLines } from "../processes/run.ts"
import { Stage } from "./stage.ts"

let stage: Stage

beforeEach(async () => {
    stage = await Stage.make()
})
afterEach(() => stage.clear())

/** Writes a new certificate and its key; the old ones are no longer good for anything. */
async function renew(): Promise<void> {
    const { cert, key } = await makeCertificate()
    await writeFile(join(stage.folder, "cert.pem"), cert)
    await writeFile(join(stage.folder, "key.pem"), key, { mode: 0o600 })
}

test("a network over TLS, with a certificate that signs itself and is renewed while it runs", async () => {
    await renew()
    const tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"]
    const server = stage.start("pdl", "--json", "--url", "https://127.0.0.1:0", ...tls)
    const { url } = JSON.parse(await nextLine(server)) as { readonly url: string }
    expect(url).toMatch(/^https:/)

    const whom = ["--url", url, "--ca", "cert.pem"]
    stage.start("requester", "--interval", "0", ...whom)
    stage.start("party", "--count", "2", ...whom)
    const watching = stage.start("observer", "watch", "--json", "--rounds", "2", ...whom)
    await nextLines(watching, 2)
    const verified = await stage.run("observer", "verify", ...whom)
    expect(verified.code, verified.stderr).toBe(0)

    const stranger = await stage.run("observer", "verify", "--url", url)
    expect(stranger.code).toBe(1)
    expect(stranger.stderr).toContain("signed by itself; get it from its operator and give it with --ca")

    await renew()
    const early = await stage.run("observer", "verify", ...whom)
    expect(early.stderr).toContain("its certificate is")
    server.kill("SIGHUP")
    await expect.poll(async () => (await stage.run("observer", "verify", ...whom)).code).toBe(0)
})

test("plain HTTP that other machines can reach is refused, with both ways out", async () => {
    const refused = await stage.run("pdl", "--url", "http://0.0.0.0:0")
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/--tls-cert and --tls-key, or --allow-plain/)
    const allowed = stage.start("pdl", "--json", "--url", "http://0.0.0.0:0", "--allow-plain")
    expect(JSON.parse(await nextLine(allowed))).toHaveProperty("url")
})
