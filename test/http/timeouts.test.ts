/** Which limit ended a connection, over plain HTTP and over TLS: each cut is counted once, as what it was. */
import { once } from "node:events"
import type { Credentials } from "@tallylight/node/tls-files.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { afterEach, beforeAll, describe, expect, test } from "vitest"
import { makeCertificate } from "../certificates.ts"
import { longSample } from "../observer/fixtures.ts"
import { connectTo, cutOff, secureTo } from "./dial.ts"
import { serveSample } from "./serving.ts"
import type { Serving } from "./serving.ts"

let certificate: Credentials
let long: SampleLedger
beforeAll(async () => {
    long = longSample(300)
    certificate = { ...(await makeCertificate()), validTo: "" }
})

let server: Serving
afterEach(() => server.close())

type Waits = { readonly httpRequestMs: number; readonly httpIdleMs: number }

async function serving(isSecure: boolean, limits: Waits, sample = new SampleLedger("waits")): Promise<void> {
    const credentials = isSecure ? certificate : undefined
    server = await serveSample(sample, { limits }, undefined, undefined, credentials)
}

const whole = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"

describe.each([
    ["plain HTTP", false],
    ["TLS", true],
])("over %s", (_, isSecure) => {
    test.each([
        { httpRequestMs: 300, httpIdleMs: 300 },
        // Node waits a second longer than it was told, which makes these two the same.
        { httpRequestMs: 1200, httpIdleMs: 200 },
        { httpRequestMs: 200, httpIdleMs: 600 },
    ])("a pause after an answer is httpIdleMs: %o", async (limits) => {
        await serving(isSecure, limits)
        const socket = await secureTo(server)
        socket.write(whole)
        await once(socket, "data")
        await cutOff(socket)
        expect(server.hits).toEqual(["httpIdleMs"])
    })

    test("a connection that asks nothing is httpRequestMs", async () => {
        await serving(isSecure, { httpRequestMs: 300, httpIdleMs: 300 })
        await cutOff(await secureTo(server))
        expect(server.hits).toEqual(["httpRequestMs"])
    })

    test("a second request that does not end is httpRequestMs", async () => {
        await serving(isSecure, { httpRequestMs: 300, httpIdleMs: 60_000 })
        const socket = await secureTo(server)
        socket.write(whole)
        await once(socket, "data")
        socket.write(whole.slice(0, -2))
        await cutOff(socket)
        expect(server.hits).toEqual(["httpRequestMs"])
    })

    test("answers that are not taken are httpRequestMs", async () => {
        await serving(isSecure, { httpRequestMs: 300, httpIdleMs: 300 }, long)
        const socket = await secureTo(server)
        socket.pause()
        socket.write(whole.replace("/healthz", `/v1/chains/${server.id}/log/tile/entries/000`).repeat(150))
        await expect.poll(() => server.hits, { timeout: 60_000 }).toEqual(["httpRequestMs"])
        socket.destroy()
    })
})

test("a handshake of TLS that does not end is httpRequestMs", async () => {
    await serving(true, { httpRequestMs: 300, httpIdleMs: 300 })
    await cutOff(await connectTo(server))
    expect(server.hits).toEqual(["httpRequestMs"])
})
