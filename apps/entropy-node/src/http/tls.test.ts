/** The same routes over HTTPS, as HTTP/2 and HTTP/1.1, and on a Unix socket. */
import { existsSync } from "node:fs"
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises"
import { request as plainRequest } from "node:http"
import { connect as connectHttp2, constants } from "node:http2"
import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2"
import { request as tlsRequest } from "node:https"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buffer } from "node:stream/consumers"
import { setTimeout as sleep } from "node:timers/promises"
import { connect as connectTls } from "node:tls"
import { makeLogger } from "@tallylight/node/logger.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { UserError } from "@tallylight/node/user-error.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { makeCertificate } from "../../../../test/certificates.ts"
import { httpSettings } from "./settings.ts"
import { startHttp } from "./start.ts"
import type { Http } from "./start.ts"
import { makeToken } from "./tokens.ts"
import { TwinCore } from "./twin-core.ts"

const log = makeLogger({ name: "entropy-node", level: "silent" })

let folder: string
let core: TwinCore
let http: Http | undefined
beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-tls-"))
    core = new TwinCore()
})
afterEach(async () => {
    await http?.close()
    http = undefined
    await rm(folder, { recursive: true })
})

async function start(settings: object): Promise<readonly string[]> {
    http = await startHttp({ settings: httpSettings.parse(settings), core, log })
    return http.urls
}

type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer }

describe("TLS", () => {
    let cert: string
    let secure: URL
    let plain: string
    let session: ClientHttp2Session
    beforeEach(async () => {
        const made = await makeCertificate()
        cert = made.cert
        const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem"), port: 0 }
        await writeFile(tls.certFile, cert)
        await writeFile(tls.keyFile, made.key, { mode: 0o600 })
        const [first = "", second = ""] = await start({ port: 0, tls })
        secure = new URL(first)
        plain = second
        session = connectHttp2(secure, { ca: cert })
    })
    afterEach(() => session.destroy())

    async function http2(path: string, body?: object): Promise<Answer> {
        const stream = session.request({
            ":path": path,
            ...(body !== undefined && { ":method": "POST", "content-type": "application/json" }),
        })
        if (body !== undefined) stream.end(JSON.stringify(body))
        const headers = await new Promise<IncomingHttpHeaders & { ":status"?: number }>((resolve, reject) => {
            stream.once("response", resolve)
            stream.once("error", reject)
        })
        return { status: headers[":status"] ?? 0, headers, body: await buffer(stream) }
    }

    function http1(path: string): Promise<Answer> {
        return new Promise((resolve, reject) => {
            const asked = tlsRequest(new URL(path, secure), { ca: cert }, (answer) => {
                expect(answer.httpVersion).toBe("1.1")
                void buffer(answer).then((body) =>
                    resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }),
                )
            })
            asked.on("error", reject)
            asked.end()
        })
    }

    test("prefers the cipher that costs least, and takes others too", async () => {
        const cipherOf = (ciphers?: string): Promise<string | undefined> =>
            new Promise((resolve, reject) => {
                const options = { host: secure.hostname, port: Number(secure.port), ca: cert }
                const socket = connectTls({ ...options, ...(ciphers !== undefined && { ciphers }) }, () => {
                    resolve(socket.getCipher().standardName)
                    socket.destroy()
                })
                socket.once("error", reject)
            })
        expect(await cipherOf()).toBe("TLS_AES_128_GCM_SHA256")
        const others = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
        for (const other of others) expect(await cipherOf(other)).toBe(other)
    })

    test("HTTPS is named first, plain HTTP beside it", () => {
        expect(secure.protocol).toBe("https:")
        expect(plain).toMatch(/^http:/)
    })

    test.each([
        "/v1/random?bytes=64",
        "/v1/random?bytes=3000000&encoding=hex",
        "/v1/random?bytes=0",
        "/api/v1/health",
        "/v1/image/random?width=9&height=9",
        "/metrics",
        "/docs/",
        "/none",
    ])("%s is answered alike by HTTP/2, HTTP/1.1 and without TLS", async (path) => {
        const answer = await fetch(plain + path)
        const { length } = Buffer.from(await answer.arrayBuffer())
        for (const other of [await http2(path), await http1(path)]) {
            expect(other.status).toBe(answer.status)
            expect(other.headers["content-type"]).toBe(answer.headers.get("content-type"))
            expect(other.headers["x-rng-simulated"] ?? null).toBe(answer.headers.get("x-rng-simulated"))
            // Counts in metrics have more digits the second time.
            if (path !== "/metrics") expect(other.body).toHaveLength(length)
        }
    })

    test("values are posted over HTTP/2", async () => {
        const { status, body } = await http2("/api/v1/data", { format: "int8", count: 5, source: "trng" })
        expect(status).toBe(200)
        expect(JSON.parse(body.toString())).toEqual([...new Int8Array(TwinCore.rawBytes(0, 5))])
    })

    test("a body that is too large is refused over HTTP/2 without a header that it does not have", async () => {
        const warnings: Error[] = []
        const hear = (warning: Error): void => void warnings.push(warning)
        process.on("warning", hear)
        const { status, headers } = await http2("/api/v1/data", { format: "x".repeat(100_000) })
        await sleep(0)
        process.off("warning", hear)
        expect([status, headers.connection, warnings]).toEqual([413, undefined, []])
    })

    test("a request that comes too slowly is cut on HTTPS too", { timeout: 20_000 }, async () => {
        session.on("error", () => undefined).destroy()
        await http?.close()
        const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") }
        const [url = ""] = await start({ tls, port: 0, limits: { requestMs: 500 } })
        const options = { host: "127.0.0.1", port: Number(new URL(url).port), ca: cert }
        const socket = connectTls(options, () => socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n"))
        let answer = ""
        socket.on("data", (data: Buffer) => (answer += data.toString()))
        // A byte now and then: the socket is never silent, and the request never whole.
        const dripping = setInterval(() => socket.write("x"), 100)
        await new Promise((resolve) => socket.once("close", resolve))
        clearInterval(dripping)
        expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    })

    test("a request that comes too slowly is cut over HTTP/2 too", { timeout: 20_000 }, async () => {
        session.on("error", () => undefined).destroy()
        await http?.close()
        const tls = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") }
        const [url = ""] = await start({ tls: { ...tls, port: 0 }, port: null, limits: { requestMs: 500 } })
        session = connectHttp2(url, { ca: cert })
        const stream = session.request({
            ...{ ":path": "/api/v1/data", ":method": "POST", "content-type": "application/json" },
        })
        stream.on("error", () => undefined).resume()
        const dripping = setInterval(() => stream.writable && stream.write("x"), 100)
        await new Promise((resolve) => stream.once("close", resolve))
        clearInterval(dripping)
        expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL)
    })

    test("a foreign name is refused over HTTP/2 too, where :authority has it", async () => {
        const stream = session.request({ ":path": "/v1/random", ":authority": "evil.example" })
        const status = await new Promise((resolve) =>
            stream.once("response", (headers) => resolve(headers[":status"])),
        )
        expect(status).toBe(421)
        stream.destroy()
    })

    test("an HTTP/2 stream that nobody reads, or that is given up, makes no more bytes", async () => {
        const stream = session.request({ ":path": "/v1/random?bytes=1000000000" })
        await new Promise((resolve) => stream.once("response", resolve))
        let given = -1
        for (let now = 0; now !== given || now === 0; now = await fortunaBytes()) {
            given = now
            await sleep(200)
        }
        expect(given).toBeLessThan(64 * 2 ** 20)
        stream.destroy()
        expect((await http2("/v1/random?bytes=9")).body).toHaveLength(9)
        expect(await fortunaBytes()).toBeLessThan(64 * 2 ** 20)
    })

    test("many streams of a session that nobody reads hold a piece each, and all come in the end", async () => {
        const mebibyte = 2 ** 20
        // Then the client knows how many streams it may open, and keeps the others back.
        if (session.remoteSettings.maxConcurrentStreams !== 32)
            await new Promise((resolve) => session.once("remoteSettings", resolve))
        const paths = Array.from({ length: 40 }, () => ({ ":path": `/v1/random?bytes=${mebibyte}` }))
        const streams = paths.map((path) => session.request(path))
        await new Promise((resolve) => streams[0]?.once("response", resolve))
        await sleep(200)
        expect(await fortunaBytes()).toBeLessThan(40 * 0.25 * mebibyte)
        const bodies = await Promise.all(streams.map((stream) => buffer(stream)))
        expect(bodies.every(({ length }) => length === mebibyte)).toBe(true)
        expect(await fortunaBytes()).toBe(40 * mebibyte)
    })

    async function fortunaBytes(): Promise<number> {
        const metrics = await (await fetch(`${plain}/metrics`)).text()
        return Number(/bytes_given_total\{source="fortuna"\} ([0-9]+)/.exec(metrics)?.[1] ?? 0)
    }
})

describe("a Unix socket", () => {
    let path: string
    beforeEach(() => {
        path = join(folder, "entropy.sock")
    })

    function ask(target: string, headers: Record<string, string> = {}): Promise<Answer> {
        return new Promise((resolve, reject) => {
            const asked = plainRequest({ socketPath: path, path: target, headers }, (answer) => {
                void buffer(answer).then((body) =>
                    resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }),
                )
            })
            asked.on("error", reject)
            asked.end()
        })
    }

    test("answers the same routes under any name, is for its owner alone, and goes with the node", async () => {
        expect(await start({ port: null, socket: { path } })).toEqual([`unix:${path}`])
        expect((await stat(path)).mode & 0o777).toBe(0o600)
        expect((await ask("/v1/random?bytes=64")).body).toHaveLength(64)
        expect((await ask("/api/v1/status", { host: "any.example" })).status).toBe(200)
        expect((await ask("/metrics")).status).toBe(200)
        await http?.close()
        http = undefined
        expect(existsSync(path)).toBe(false)
    })

    test("is for its group too where that is set", async () => {
        await start({ port: null, socket: { path, group: true } })
        expect((await stat(path)).mode & 0o777).toBe(0o660)
    })

    test("needs no token, and takes none that nobody has", async () => {
        const tokensFile = join(folder, "tokens.jsonc")
        const { token, sha256 } = makeToken(systemRandom)
        await writeFile(tokensFile, JSON.stringify({ tokens: [{ name: "lab", sha256 }] }), { mode: 0o600 })
        const urls = await start({ port: 0, tokensFile, socket: { path } })
        expect((await fetch(`${urls[0] ?? ""}/v1/random`)).status).toBe(401)
        expect((await ask("/v1/random")).status).toBe(200)
        expect((await ask("/v1/random", { authorization: `Bearer ${token}` })).status).toBe(200)
        expect((await ask("/v1/random", { authorization: "Bearer x" })).status).toBe(401)
    })

    test("takes the place of one that a process left when it died, of nothing else", async () => {
        const other = createServer().listen(path)
        await new Promise((resolve) => other.once("listening", resolve))
        await expect(start({ port: null, socket: { path } })).rejects.toThrow(UserError)
        await expect(start({ port: null, socket: { path } })).rejects.toThrow("another process listens on")
        // A hard link to the socket stays when its server takes the name away.
        const { linkSync } = await import("node:fs")
        const left = join(folder, "left.sock")
        linkSync(path, left)
        await new Promise((resolve) => other.close(resolve))
        path = left
        await start({ port: null, socket: { path } })
        expect((await ask("/healthz")).status).toBe(200)
        await http?.close()
        http = undefined
        await writeFile(path, "precious")
        await expect(start({ port: null, socket: { path } })).rejects.toThrow("is no socket")
    })
})

test("a port that is taken, or an address of another machine, is told in a sentence", async () => {
    const [url = ""] = await start({ port: 0 })
    const port = Number(new URL(url).port)
    const again = startHttp({ settings: httpSettings.parse({ port }), core, log })
    await expect(again).rejects.toThrow(`port ${port} of 127.0.0.1 is taken`)
    const elsewhere = { host: "192.0.2.1", port: 0, allowOpen: true, allowPlain: true }
    const there = startHttp({ settings: httpSettings.parse(elsewhere), core, log })
    await expect(there).rejects.toThrow("192.0.2.1 is not an address of this machine")
})
