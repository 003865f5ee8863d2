import { once } from "node:events"
import { createServer } from "node:http"
import type { RequestListener, Server } from "node:http"
import type { AddressInfo } from "node:net"
import { gzipSync } from "node:zlib"

import { afterEach, expect, test } from "vitest"

import { signalHolders } from "../../../test/signal-holders.ts"
import { fetchBytes } from "./fetch-bytes.ts"
import { UserError } from "./user-error.ts"

const limits = { maxBytes: 1000, timeoutMs: 5000, signal: new AbortController().signal }
const servers: Server[] = []

async function serve(answer: RequestListener): Promise<string> {
    const server = createServer(answer).listen(0, "127.0.0.1")
    servers.push(server)
    await once(server, "listening")
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`
}

afterEach(() => {
    for (const server of servers.splice(0)) {
        server.closeAllConnections()
        server.close()
    }
})

test("gives plain bytes, as many as are allowed", async () => {
    const url = await serve((_, response) => response.end(Buffer.alloc(1000, 7)))
    const bytes = await fetchBytes(url, limits)
    expect(bytes).toStrictEqual(new Uint8Array(1000).fill(7))
})

test.each([404, 410])("takes %i for nothing there", async (status) => {
    const url = await serve((_, response) => response.writeHead(status).end("no such file"))
    expect(await fetchBytes(url, limits)).toBeUndefined()
})

test("stops reading an endless answer, and trying again is no use", async () => {
    let closed = false
    const url = await serve((_, response) => {
        response.on("close", () => (closed = true))
        const pour = (): void => {
            while (!response.destroyed && response.write(Buffer.alloc(1000)));
        }
        response.on("drain", pour)
        pour()
    })
    const failed = fetchBytes(url, limits)
    await expect(failed).rejects.toThrow(UserError)
    await expect(failed).rejects.toThrow(`${url} answers with more than 1000 bytes`)
    await expect.poll(() => closed).toBe(true)
})

test("counts what a compressed answer unpacks to", async () => {
    const bomb = gzipSync(Buffer.alloc(1001))
    expect(bomb.length).toBeLessThan(1000)
    const url = await serve((_, response) =>
        response.writeHead(200, { "content-encoding": "gzip" }).end(bomb),
    )
    await expect(fetchBytes(url, limits)).rejects.toThrow("more than 1000 bytes")
})

test("says in one sentence what went wrong, and leaves trying again to the caller", async () => {
    const broken = await serve((_, response) => response.writeHead(503).end())
    const cut = await serve((_, response) => {
        response.writeHead(200, { "content-length": "500" }).write("half")
        setTimeout(() => response.destroy(), 20)
    })
    const silent = await serve(() => undefined)
    await expect(fetchBytes(broken, limits)).rejects.toThrow(`cannot read ${broken}: it answers 503`)
    await expect(fetchBytes(cut, limits)).rejects.toThrow(`cannot read ${cut}: `)
    await expect(fetchBytes(silent, { ...limits, timeoutMs: 100 })).rejects.toThrow(`cannot read ${silent}: `)
})

test("names an address at which nothing listens", async () => {
    const url = await serve(() => undefined)
    const [server] = servers
    await new Promise((resolve) => server?.close(resolve))
    const refused = fetchBytes(url, limits)
    await expect(refused).rejects.toThrow(`nothing listens at ${url}`)
    await expect(refused).rejects.not.toBeInstanceOf(UserError)
})

test("leaves nothing in the signal, whatever comes of it", async () => {
    const { signal } = new AbortController()
    const whole = await serve((_, response) => response.end("body"))
    const broken = await serve((_, response) => response.writeHead(503).end())
    const silent = await serve(() => undefined)
    for (const url of [whole, whole, broken, silent])
        await fetchBytes(url, { ...limits, signal, timeoutMs: 200 }).catch(() => undefined)
    expect(signalHolders(signal)).toBe(0)
})

test("ends with the signal's reason", async () => {
    const url = await serve(() => undefined)
    const stop = new AbortController()
    const reason = new Error("enough")
    setTimeout(() => stop.abort(reason), 20)
    await expect(fetchBytes(url, { ...limits, signal: stop.signal })).rejects.toBe(reason)
})
