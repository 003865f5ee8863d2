/** Times without TLS, where one is as good as the other. */
import { once } from "node:events"
import { connect, constants, createServer } from "node:http2"
import type { ClientHttp2Session, ClientHttp2Stream, Http2Server } from "node:http2"
import { setTimeout as sleep } from "node:timers/promises"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Http2Limits } from "./http2-limits.ts"

const [requestMs, idleMs] = [1000, 3000]
const length = 8 * 2 ** 20

let clock: ManualClock
let limits: Http2Limits
let server: Http2Server
let session: ClientHttp2Session
beforeEach(async () => {
    clock = new ManualClock()
    limits = new Http2Limits({ requestMs, idleMs }, clock)
    server = createServer()
    limits.watch(server)
    server.on("request", (request, response) => {
        if (request.url === "/long") response.end(Buffer.alloc(length))
        else if (request.url === "/short") response.end("short")
        else if (request.url === "/body") request.on("end", () => response.end("whole")).resume()
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    if (typeof address !== "object" || address === null) throw new Error("no port")
    session = connect(`http://127.0.0.1:${address.port}`)
    session.on("error", () => undefined)
    await once(session, "connect")
})
afterEach(() => {
    session.destroy()
    server.close()
})

function ask(path: string, method = "GET"): ClientHttp2Stream {
    const stream = session.request({ ":path": path, ":method": method }, { endStream: method === "GET" })
    return stream.on("error", () => undefined)
}

/** Both ends have then seen whatever was sent before. */
function ping(): Promise<void> {
    return new Promise((resolve, reject) => {
        session.ping((error) => (error === null ? resolve() : reject(error)))
    })
}

async function pass(ms: number): Promise<void> {
    await ping()
    await clock.advance(ms)
    limits.check()
    await ping()
}

/** Whether the node ended it because of a limit. */
const isCancelled = ({ rstCode, closed }: ClientHttp2Stream): boolean =>
    closed && rstCode === constants.NGHTTP2_CANCEL

describe("a request", () => {
    test("that is not complete in time is ended, however its parts drip in", async () => {
        const stream = ask("/body", "POST")
        for (let passed = 0; passed < requestMs - 100; passed += 100) {
            stream.write("x")
            await pass(100)
        }
        expect(stream.closed).toBe(false)
        await pass(100)
        expect(isCancelled(stream)).toBe(true)
        expect(session.destroyed).toBe(false)
    })

    test("that is complete in time is answered, and takes as long as the node wants", async () => {
        const stream = ask("/body", "POST")
        const never = ask("/never")
        await pass(requestMs - 100)
        stream.end("x")
        const [headers] = (await once(stream.resume(), "response")) as [object]
        expect(headers).toMatchObject({ ":status": 200 })
        for (let times = 0; times < 20; times++) await pass(requestMs)
        expect([never.closed, session.destroyed]).toEqual([false, false])
        never.close()
    })
})

describe("an answer", () => {
    test("that nobody takes is ended, and the session goes on", async () => {
        const stream = ask("/long")
        const closed = once(stream, "close")
        await once(stream, "response")
        // Until the windows of both ends are full.
        stream.once("data", () => stream.pause())
        await sleep(100)
        await pass(0)
        for (let passed = 0; passed < requestMs - 100; passed += 100) await pass(100)
        expect(stream.closed).toBe(false)
        await pass(100)
        stream.resume()
        await closed
        expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL)
        const [headers] = (await once(ask("/short").resume(), "response")) as [object]
        expect(headers).toMatchObject({ ":status": 200 })
    })

    test("that is taken slowly goes on to its end", async () => {
        const stream = ask("/long")
        let [taken, next] = [0, 2 ** 20]
        stream.on("data", (data: Buffer) => {
            taken += data.length
            if (taken >= next) stream.pause()
        })
        for (; next < length; next += 2 ** 20) {
            stream.resume()
            while (!stream.isPaused()) await sleep(1)
            await pass(requestMs - 1)
        }
        stream.resume()
        await once(stream, "end")
        expect(taken).toBe(length)
    })
})

describe("a session", () => {
    test("that asks for nothing is closed, also one that sends PINGs", async () => {
        await pass(idleMs - 1)
        expect(session.destroyed).toBe(false)
        await clock.advance(1)
        limits.check()
        await once(session, "close")
    })

    test("is idle from its last request on", async () => {
        await pass(idleMs - 1)
        await once(ask("/short").resume(), "close")
        await pass(idleMs - 1)
        expect(session.destroyed).toBe(false)
        await clock.advance(1)
        limits.check()
        await once(session, "close")
    })
})
