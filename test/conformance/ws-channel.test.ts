import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"

import { systemClock } from "@tallylight/node/system-clock.js"
import { wsChannel } from "@tallylight/node/ws-channel.js"
import { connectWebSocket } from "@tallylight/node/ws-connect.js"
import { webSocketOptions } from "@tallylight/node/ws-options.js"
import type { Channel } from "@tallylight/protocol/ports/channel.js"
import { WebSocketServer } from "ws"

import { channelConformance, type OpenChannels } from "./channel.ts"

const limits = { frameBytes: 1 << 20, bufferedBytes: 1 << 20, stalledMs: 60_000, heartbeatMs: 60_000 }

/** A cable between the two ends, which can be pulled under both at once. */
async function openCable(target: number) {
    const ends = new Set<Socket>()
    const server = createServer((near) => {
        const far = connect(target, "127.0.0.1")
        for (const [from, to] of [
            [near, far],
            [far, near],
        ] as const) {
            ends.add(from)
            from.on("error", () => undefined)
            from.on("close", () => to.destroy())
            from.pipe(to)
        }
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const cut = (): void => {
        for (const end of ends) end.destroy()
        server.close()
    }
    return { port: (server.address() as AddressInfo).port, cut }
}

async function open(leftIsServer: boolean): Promise<OpenChannels> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...webSocketOptions(limits) })
    await once(server, "listening")
    const cable = await openCable((server.address() as AddressInfo).port)
    const accepted = new Promise<Channel>((resolve) => {
        server.once("connection", (socket) => resolve(wsChannel(socket, limits, systemClock)))
    })
    const { signal } = new AbortController()
    const client = await connectWebSocket(`ws://127.0.0.1:${cable.port}`, limits, systemClock, { signal })
    const served = await accepted
    return {
        left: leftIsServer ? served : client,
        right: leftIsServer ? client : served,
        cut: () => cable.cut(),
        async cleanup() {
            for (const socket of server.clients) socket.terminate()
            cable.cut()
            await Promise.all([client.closed, served.closed])
            server.close()
        },
    }
}

channelConformance("wsChannel, with the server on the left,", () => open(true))
channelConformance("wsChannel, with the client on the left,", () => open(false))
