import { Server } from "node:http"
import { Socket } from "node:net"
import { expect, test } from "vitest"
import { ClientAddresses } from "./client-address.ts"
import { Door } from "./door.ts"
import type { DoorLimits } from "./door.ts"

/** As Node hands over a connection that was reset before it was accepted: it has no address any more. */
function goneAlready(server: Server): Socket {
    const socket = new Socket()
    server.emit("connection", socket)
    return socket
}

test("connections without an address give their places back, however many there are at once", async () => {
    const limits = {
        connections: 1,
        connectionsPerAddress: 1,
        httpConnections: 2,
        httpConnectionsPerAddress: 2,
    }
    const hits: (keyof DoorLimits)[] = []
    const addresses = new ClientAddresses({ trustedProxies: [], unlimitedAddresses: [] })
    const server = new Server()
    new Door(limits, addresses, (limit) => hits.push(limit)).guard(server)
    for (let round = 0; round < 3; round++) {
        const crowd = [goneAlready(server), goneAlready(server)]
        const closed = crowd.map((socket) => new Promise((resolve) => socket.once("close", resolve)))
        crowd.forEach((socket) => socket.destroy())
        await Promise.all(closed)
    }
    expect(hits).toEqual([])
    const [first, second, third] = [goneAlready(server), goneAlready(server), goneAlready(server)]
    expect(hits).toEqual(["httpConnections"])
    for (const socket of [first, second, third]) socket.destroy()
})
