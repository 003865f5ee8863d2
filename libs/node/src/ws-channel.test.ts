import { once } from "node:events"
import type { AddressInfo } from "node:net"

import type { Channel } from "@tallylight/protocol/ports/channel.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { WebSocket, WebSocketServer, type ClientOptions } from "ws"

import { wsChannel } from "./ws-channel.ts"
import { subprotocol, webSocketOptions } from "./ws-options.ts"

const limits = { frameBytes: 1 << 20, bufferedBytes: 1 << 16, stalledMs: 5000, heartbeatMs: 30_000 }

/** One end is ours, on a clock that stands; the other is a bare socket that may break every rule. */
let clock: ManualClock
let server: WebSocketServer
let channel: Channel
let served: WebSocket
let peer: WebSocket

async function connect(options: ClientOptions = {}, protocols = [subprotocol]): Promise<void> {
    const { port } = server.address() as AddressInfo
    const accepted = new Promise<void>((resolve) => {
        server.once("connection", (socket) => {
            served = socket
            channel = wsChannel(socket, limits, clock)
            resolve()
        })
    })
    peer = new WebSocket(`ws://127.0.0.1:${port}`, protocols, options)
    await Promise.all([accepted, once(peer, "open")])
}

beforeEach(async () => {
    clock = new ManualClock()
    server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...webSocketOptions(limits) })
    await once(server, "listening")
})
afterEach(async () => {
    for (const socket of server.clients) socket.terminate()
    peer.terminate()
    await channel.closed
    server.close()
    await once(server, "close")
})

async function peerClosed(): Promise<{ code: number; reason: string }> {
    const [code, reason] = (await once(peer, "close")) as [number, Buffer]
    return { code, reason: reason.toString() }
}

/** Sends until one has to wait, and returns that one. */
function floodUntilFull(): Promise<void> {
    for (let sent = 0; ; sent += 1) {
        const sending = channel.send(new Uint8Array(limits.frameBytes / 2))
        if (served.bufferedAmount >= limits.bufferedBytes && sent > 50) return sending
        sending.catch(() => undefined)
    }
}

describe("a slow reader", () => {
    const slow = { code: 4001, reason: "slow reader; resume from your cursor" }

    test("is dropped when its time is up, with a code that it can resume from", async () => {
        await connect()
        peer.pause()
        const outcome = floodUntilFull().catch((error: unknown) => error)
        await clock.advance(limits.stalledMs - 1)
        expect(served.readyState).toBe(WebSocket.OPEN)
        await clock.advance(1)
        expect(served.readyState).toBe(WebSocket.CLOSING)
        expect(await outcome).toStrictEqual(new Error("the channel is closed"))
        await clock.advance(1000)
        expect(await channel.closed).toStrictEqual(slow)
    })

    test("learns why, if it reads on at last", async () => {
        await connect()
        peer.pause()
        floodUntilFull().catch(() => undefined)
        await clock.advance(limits.stalledMs)
        const closed = peerClosed()
        peer.resume()
        expect(await closed).toStrictEqual(slow)
        expect(await channel.closed).toStrictEqual(slow)
    })

    test("that reads on in time is kept", async () => {
        await connect()
        peer.pause()
        const sending = floodUntilFull()
        await clock.advance(limits.stalledMs - 1)
        peer.resume()
        await sending
        await clock.advance(limits.stalledMs * 3)
        expect(served.readyState).toBe(WebSocket.OPEN)
        // And its time begins anew.
        peer.pause()
        const again = floodUntilFull()
        await clock.advance(limits.stalledMs - 1)
        expect(served.readyState).toBe(WebSocket.OPEN)
        peer.resume()
        await again
    })
})

describe("a peer that breaks the rules", () => {
    test("with text is told that frames are binary", async () => {
        await connect()
        const closed = peerClosed()
        peer.send("hello")
        expect(await closed).toStrictEqual({ code: 1003, reason: "frames are binary" })
        expect(await channel.closed).toStrictEqual({ code: 1003, reason: "frames are binary" })
    })

    test("with a frame of 10 MB is closed with 1009", async () => {
        await connect()
        const closed = peerClosed()
        peer.on("error", () => undefined)
        peer.send(new Uint8Array(10_000_000))
        expect((await closed).code).toBe(1009)
        expect(await channel.closed).toStrictEqual({
            code: 1009,
            reason: `a frame has at most ${limits.frameBytes} bytes`,
        })
    })

    test("but not with a frame of just that size", async () => {
        await connect()
        peer.send(new Uint8Array(limits.frameBytes))
        for await (const frame of channel.frames) {
            expect(frame).toHaveLength(limits.frameBytes)
            break
        }
    })

    test("with bytes that are no WebSocket frame is closed with 1002", async () => {
        await connect()
        const { _socket: raw } = peer as unknown as { _socket: NodeJS.WritableStream }
        raw.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff))
        expect((await channel.closed).code).toBe(1002)
    })

    test("without the subprotocol is closed with 1008", async () => {
        await connect({}, [])
        expect(await peerClosed()).toStrictEqual({
            code: 1008,
            reason: "the subprotocol tallylight.v1 is required",
        })
    })

    test("that never answers the close is cut off", async () => {
        await connect()
        peer.pause()
        let over = false
        void channel.closed.then(() => (over = true))
        channel.close(1000, "done")
        await clock.advance(limits.stalledMs - 1)
        expect(over).toBe(false)
        await clock.advance(1)
        expect(await channel.closed).toStrictEqual({ code: 1000, reason: "done" })
    })

    test("sends nothing more into a channel that is closing", async () => {
        await connect()
        peer.pause()
        channel.close(1000, "done")
        const late = once(served, "message")
        peer.send(Uint8Array.of(1))
        await late
        peer.resume()
        expect((await channel.closed).code).toBe(1000)
        for await (const frame of channel.frames) expect(frame).toBeUndefined()
    })
})

describe("heartbeats", () => {
    const silent = { code: 4002, reason: "no answer to a ping" }

    test("end a channel whose other end does not answer", async () => {
        await connect({ autoPong: false })
        await clock.advance(limits.heartbeatMs * 2 - 1)
        expect(served.readyState).toBe(WebSocket.OPEN)
        await clock.advance(1)
        expect(await channel.closed).toStrictEqual(silent)
        await expect(channel.send(Uint8Array.of(1))).rejects.toThrow("the channel is closed")
    })

    test("keep one whose other end answers", async () => {
        await connect()
        for (let beat = 0; beat < 5; beat += 1) {
            const pong = once(served, "pong")
            await clock.advance(limits.heartbeatMs)
            await pong
        }
        expect(served.readyState).toBe(WebSocket.OPEN)
    })

    test("take a frame for a sign of life", async () => {
        await connect({ autoPong: false })
        const frames = channel.frames[Symbol.asyncIterator]()
        for (let beat = 0; beat < 5; beat += 1) {
            await clock.advance(limits.heartbeatMs)
            peer.send(Uint8Array.of(beat))
            expect((await frames.next()).value).toStrictEqual(Uint8Array.of(beat))
        }
        expect(served.readyState).toBe(WebSocket.OPEN)
    })

    test("conclude nothing while this side does not read", async () => {
        await connect({ autoPong: false })
        for (let n = 0; n < 100; n += 1) peer.send(Uint8Array.of(n))
        while (!served.isPaused) await once(served, "message")
        await clock.advance(limits.heartbeatMs * 10)
        expect(served.readyState).toBe(WebSocket.OPEN)
        let read = 0
        for await (const [n] of channel.frames) {
            expect(n).toBe(read)
            read += 1
            if (read === 100) break
        }
    })
})

describe("bounds", () => {
    test("a reader that does not pull makes the socket stop", async () => {
        await connect()
        let received = 0
        served.on("message", () => (received += 1))
        const large = new Uint8Array(limits.frameBytes)
        for (let n = 0; n < 100; n += 1) peer.send(large)
        while (!served.isPaused) await once(served, "message")
        expect(received).toBe(8)
        // What the kernel holds at most is far below what the peer wants to send.
        expect(peer.bufferedAmount).toBeGreaterThan(50 * limits.frameBytes)
        let read = 0
        for await (const frame of channel.frames) {
            expect(frame).toHaveLength(limits.frameBytes)
            read += 1
            if (read === 100) break
        }
    })

    test("a frame that waits is sent as it was at the call", async () => {
        await connect()
        peer.pause()
        floodUntilFull().catch(() => undefined)
        const bytes = Uint8Array.of(1, 2, 3)
        channel.send(bytes).catch(() => undefined)
        bytes.fill(9)
        const last = new Promise((resolve) => {
            peer.on("message", (data: Buffer) => {
                if (data.length === 3) resolve([...data])
            })
        })
        peer.resume()
        expect(await last).toStrictEqual([1, 2, 3])
    })

    test("a reason is cut to what a close frame holds, between characters", async () => {
        await connect()
        const closed = peerClosed()
        channel.close(4001, "é".repeat(100))
        const expected = { code: 4001, reason: "é".repeat(61) }
        expect(await closed).toStrictEqual(expected)
        expect(await channel.closed).toStrictEqual(expected)
    })
})

test("many senders leave room for others, however long each of their frames is worked on", async () => {
    await connect()
    const channels = [channel]
    const peers = [peer]
    for (let more = 0; more < 15; more++) {
        await connect()
        channels.push(channel)
        peers.push(peer)
    }
    let passes = 0
    let busy = true
    const count = (): void => {
        passes += 1
        if (busy) setImmediate(count)
    }
    setImmediate(count)
    for (const each of peers) for (let frames = 0; frames < 10; frames++) each.send(Uint8Array.of(frames))
    await Promise.all(
        channels.map(async (each) => {
            let left = 10
            for await (const _ of each.frames) {
                const begun = performance.now()
                while (performance.now() - begun < 3);
                if (--left === 0) return
            }
        }),
    )
    busy = false
    // 160 times three milliseconds, at most two of them in a pass; one for each of 16 connections would be ten passes.
    expect(passes).toBeGreaterThanOrEqual(80)
})
