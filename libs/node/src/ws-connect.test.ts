import { once } from "node:events"
import { createServer as createHttpServer } from "node:http"
import { createServer, type AddressInfo, type Server, type Socket } from "node:net"

import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { afterEach, describe, expect, test } from "vitest"
import { WebSocketServer } from "ws"

import { signalHolders } from "../../../test/signal-holders.ts"
import { systemClock } from "./system-clock.ts"
import { UserError } from "./user-error.ts"
import { wsChannel } from "./ws-channel.ts"
import { connectWebSocket } from "./ws-connect.ts"
import { webSocketOptions } from "./ws-options.ts"

const limits = { frameBytes: 1 << 16, bufferedBytes: 1 << 16, stalledMs: 5000, heartbeatMs: 30_000 }
const never = new AbortController().signal

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
    for (const close of closing.splice(0)) await close()
})

async function listen(server: Server): Promise<string> {
    const accepted: Socket[] = []
    server.on("connection", (socket: Socket) => accepted.push(socket))
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    closing.push(async () => {
        server.close()
        for (const socket of accepted) socket.destroy()
        await once(server, "close")
    })
    return `ws://127.0.0.1:${port}`
}

async function refusal(url: string, signal = never, clock = systemClock): Promise<Error> {
    try {
        await connectWebSocket(url, limits, clock, { signal })
    } catch (error) {
        return error as Error
    }
    throw new Error("connected")
}

describe("connectWebSocket", () => {
    test("opens a channel whose first frames are not missed", async () => {
        const http = createHttpServer()
        const sockets = new WebSocketServer({ server: http, ...webSocketOptions(limits) })
        sockets.on("connection", (socket) => {
            const channel = wsChannel(socket, limits, systemClock)
            void channel.send(Uint8Array.of(1))
            channel.close(1000, "that was all")
        })
        const url = await listen(http)
        const channel = await connectWebSocket(url, limits, systemClock, { signal: never })
        const frames: Uint8Array[] = []
        for await (const frame of channel.frames) frames.push(frame)
        expect(frames).toStrictEqual([Uint8Array.of(1)])
        expect(await channel.closed).toStrictEqual({ code: 1000, reason: "that was all" })
    })

    test("leaves nothing in the signal, whatever comes of it", async () => {
        const http = createHttpServer()
        new WebSocketServer({ server: http, ...webSocketOptions(limits) })
        const url = await listen(http)
        const { signal } = new AbortController()
        for (let times = 0; times < 3; times += 1) {
            const channel = await connectWebSocket(url, limits, systemClock, { signal })
            channel.close(1000, "that was all")
            await refusal("ws://127.0.0.1:1", signal)
        }
        expect(signalHolders(signal)).toBe(0)
    })

    test("says that nothing listens", async () => {
        const url = await listen(createServer())
        await closing.pop()?.()
        const error = await refusal(url)
        expect(error.message).toBe(`nothing listens at ${url}`)
        expect(error).not.toBeInstanceOf(UserError)
    })

    test("says that the host is not known", async () => {
        const error = await refusal("ws://no-such-host.invalid:1")
        expect(error.message).toBe("the name of the host in ws://no-such-host.invalid:1 is not known")
    })

    test.each(["", "127.0.0.1:7710", "ftp://127.0.0.1", "ws://"])(
        "says that “%s” is no address",
        async (url) => {
            const error = await refusal(url)
            expect(error).toBeInstanceOf(UserError)
            expect(error.message).toBe(`${url} is no WebSocket address, such as ws://127.0.0.1:7710`)
        },
    )

    test.each([
        [404, true, "answers 404: there is no chain at that address"],
        [403, true, "answers 403 and no WebSocket"],
        [503, false, "answers 503 and no WebSocket"],
        [200, false, "answers 200 and no WebSocket"],
    ])("says that the server answers %i", async (status, final, sentence) => {
        const url = await listen(createHttpServer((_, response) => response.writeHead(status).end("no")))
        const error = await refusal(url)
        expect(error.message).toBe(`${url} ${sentence}`)
        expect(error instanceof UserError).toBe(final)
    })

    test("says that the server speaks something else", async () => {
        for (const chosen of [false, "chat"] as const) {
            const http = createHttpServer()
            new WebSocketServer({ server: http, handleProtocols: () => chosen })
            const url = await listen(http)
            const error = await refusal(url)
            expect(error.message).toBe(`${url} does not speak tallylight.v1`)
            expect(error).toBeInstanceOf(UserError)
        }
    })

    test("gives up on a server that never answers", async () => {
        const silent = createServer()
        const url = await listen(silent)
        const clock = new ManualClock()
        const refused = refusal(url, never, clock)
        const [connection] = (await once(silent, "connection")) as [Socket]
        await clock.advance(10_000)
        expect((await refused).message).toBe(`${url} did not answer within 10 s`)
        connection.resume()
        await once(connection, "close")
    })

    test("rejects with the reason of a signal, before or meanwhile", async () => {
        const silent = createServer()
        const url = await listen(silent)
        const stop = new AbortController()
        const refused = refusal(url, stop.signal)
        await once(silent, "connection")
        stop.abort(new Error("enough"))
        expect(await refused).toBe(stop.signal.reason)
        expect(await refusal(url, stop.signal)).toBe(stop.signal.reason)
    })
})
