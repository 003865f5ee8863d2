import type { AddressInfo } from "node:net"
import { setTimeout as pause } from "node:timers/promises"
import { systemClock as clock } from "@tallylight/node/system-clock.js"
import { wsChannel } from "@tallylight/node/ws-channel.js"
import { subprotocol, webSocketOptions } from "@tallylight/node/ws-options.js"
import { encodeFrame } from "@tallylight/protocol/wire/frame.js"
import { openPeer } from "@tallylight/protocol/wire/peer.js"
import { expect, test } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { pdlConfig } from "../config.ts"
import { Conversation } from "./conversation.ts"

const { limits } = pdlConfig.parse({})
const chain = new Uint8Array(32)
const mebibyte = 1024 * 1024

/** Entries without end, each a kibibyte, as a ledger would read them. */
function entries(_from: number, limit: number, mostBytes: number): Promise<Uint8Array[]> {
    const count = Math.min(limit, mostBytes / 1024)
    return Promise.resolve(Array.from({ length: count }, () => new Uint8Array(1024)))
}

test("a client that asks and never reads leaves a few mebibytes in the server, however much it asks", async () => {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, ...webSocketOptions(limits) })
    server.on("connection", (socket) => {
        const { handlers } = new Conversation({ random: (n: number) => new Uint8Array(n), entries } as never)
        const channel = wsChannel(socket, limits, clock)
        const common = { chain, limits, clock, requestTimeoutMs: 1000, onFault: () => undefined }
        openPeer({ ...common, channel, side: "listener", handlers })
    })
    await new Promise((resolve) => server.once("listening", resolve))
    const { port } = server.address() as AddressInfo
    const client = new WebSocket(`ws://127.0.0.1:${port}`, [subprotocol])
    await new Promise((resolve) => client.once("open", resolve))
    client.pause()
    for (let id = 1; id < 2000; id += 2) {
        const body = { from: 0, limit: 1024 }
        client.send(encodeFrame({ type: "ReqEntries", id, chain, body }))
    }
    await pause(500)
    const [held] = [...server.clients].map(({ bufferedAmount }) => bufferedAmount)
    expect(held).toBeGreaterThan(mebibyte)
    expect(held).toBeLessThan(6 * mebibyte)
    client.terminate()
    for (const socket of server.clients) socket.terminate()
    server.close()
})
