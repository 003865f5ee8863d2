/** `pdl doctor` beside a server that runs, over plain HTTP and over TLS. */
import { examine } from "@tallylight/node/doctor.js"
import { addressCheck, metricsCheck } from "@tallylight/pdl/http/address-checks.js"
import { serveMetrics } from "@tallylight/node/metrics.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { afterEach, expect, test } from "vitest"
import { makeCertificate } from "../certificates.ts"
import { serveSample } from "./serving.ts"
import type { Serving } from "./serving.ts"

const holder = (): Promise<number> => Promise.resolve(4711)

let server: Serving
afterEach(() => server.close())

async function found(url: string, tls?: { certFile: string; keyFile: string }): Promise<string> {
    const { hostname: host, port } = new URL(url)
    const checks = [addressCheck({ host, port: Number(port), tls }, holder)]
    for await (const { verdict, says } of examine(checks, new AbortController().signal))
        return `${verdict}: ${says}`
    throw new Error("nothing was found")
}

test.each([
    ["http", false],
    ["https", true],
])("a server that is not ready says why: %s", async (scheme, isSecure) => {
    const credentials = isSecure ? { ...(await makeCertificate("ledger.example")), validTo: "" } : undefined
    const tls = isSecure ? { certFile: "cert.pem", keyFile: "key.pem" } : undefined
    server = await serveSample(new SampleLedger("doctor"), {}, undefined, undefined, credentials)
    expect(await found(server.url, tls)).toBe(`ok: ready at ${server.url}`)
    server.unready.push("other is stopped", "third is stopped")
    expect(await found(server.url, tls)).toBe(
        `fail: not ready at ${server.url}: other is stopped, third is stopped`,
    )
    expect(server.url).toMatch(new RegExp(`^${scheme}:`))
    expect(await found(server.url, isSecure ? undefined : { certFile: "", keyFile: "" })).toMatch(
        /^fail: process 4711 runs, and does not answer at /,
    )
})

test("metrics are those of the server", async () => {
    server = await serveSample(new SampleLedger("doctor"))
    const { url, close } = await serveMetrics(server.registry, { host: "127.0.0.1", port: 0 })
    const metrics = { enabled: true, host: "127.0.0.1", port: Number(new URL(url).port) }
    const check = metricsCheck({ host: "127.0.0.1", port: 1, metrics }, holder)
    expect(await check.look(new AbortController().signal)).toEqual({ verdict: "ok", says: url })
    close()
})
