import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer as createPlainServer } from "node:http"
import { createServer } from "node:https"
import type { Server } from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterEach, beforeAll, describe, expect, test } from "vitest"
import { WebSocketServer } from "ws"

import { makeCertificate, type Certificate } from "../../../test/certificates.ts"
import { fetchBytes } from "./fetch-bytes.ts"
import { readAuthorities } from "./server-settings.ts"
import { systemClock } from "./system-clock.ts"
import { connectWebSocket } from "./ws-connect.ts"
import { webSocketOptions } from "./ws-options.ts"

const signal = new AbortController().signal
const channelLimits = { frameBytes: 1000, bufferedBytes: 1000, stalledMs: 1000, heartbeatMs: 1000 }

let good: Certificate
let expired: Certificate
let elsewhere: Certificate
beforeAll(async () => {
    good = await makeCertificate()
    expired = await makeCertificate("127.0.0.1", -1)
    elsewhere = await makeCertificate("elsewhere.example")
})

const servers: Server[] = []
afterEach(() => {
    for (const server of servers.splice(0)) {
        server.closeAllConnections()
        server.close()
    }
})

async function serve(certificate: Certificate): Promise<string> {
    const server = createServer(certificate, (_, response) => response.end("here"))
    new WebSocketServer({ server, ...webSocketOptions(channelLimits) })
    servers.push(server.listen(0, "127.0.0.1"))
    await once(server, "listening")
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const read = (address: string, ca?: string): Promise<unknown> =>
    fetchBytes(`https://${address}/`, { maxBytes: 100, timeoutMs: 5000, signal, ca })

const connect = async (address: string, ca?: string): Promise<unknown> => {
    const channel = await connectWebSocket(`wss://${address}`, channelLimits, systemClock, { signal, ca })
    channel.close(1000, "")
    return channel.closed
}

describe.each([
    ["https", read],
    ["wss", connect],
])("over %s", (_, reach) => {
    test("a certificate that was given is trusted", async () => {
        const address = await serve(good)
        expect(await reach(address, good.cert)).toBeDefined()
    })

    test("one that signs itself is not trusted unless it was given", async () => {
        const address = await serve(good)
        await expect(reach(address)).rejects.toThrow("signed by itself; get it from its operator")
    })

    test("instead of the one that was given no other is trusted", async () => {
        const address = await serve(await makeCertificate())
        await expect(reach(address, good.cert)).rejects.toThrow("its certificate is")
    })

    test("one that has expired is not trusted", async () => {
        const address = await serve(expired)
        await expect(reach(address, expired.cert)).rejects.toThrow("has expired; its operator must renew it")
    })

    test("one for another host is not trusted", async () => {
        const address = await serve(elsewhere)
        await expect(reach(address, elsewhere.cert)).rejects.toThrow("is for another host")
    })

    test("a server without TLS is told from one that is down", async () => {
        const plain = createPlainServer().listen(0, "127.0.0.1")
        await once(plain, "listening")
        const reached = reach(`127.0.0.1:${(plain.address() as AddressInfo).port}`)
        await expect(reached).rejects.toThrow("it does not speak TLS there; try http instead of https")
        plain.close()
    })
})

test("a file of authorities holds certificates", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tallylight-tls-"))
    const file = join(folder, "ca.pem")
    await expect(readAuthorities(file)).rejects.toThrow("there is no file")
    await writeFile(file, good.key)
    await expect(readAuthorities(file)).rejects.toThrow("holds no certificate in PEM")
    await writeFile(file, good.cert)
    expect(await readAuthorities(file)).toBe(good.cert)
    await rm(folder, { recursive: true })
})
