import { createServer } from "node:http"
import { Socket } from "node:net"
import { expect, test } from "vitest"
import { countTimeouts } from "./http.ts"

test("a connection that passes two limits at once is counted for the first", () => {
    const hits: string[] = []
    const [server, socket] = [createServer(), new Socket()]
    countTimeouts(server, (limit) => hits.push(limit))
    server.emit("connection", socket)
    const late = Object.assign(new Error("late"), { code: "ERR_HTTP_REQUEST_TIMEOUT" })
    server.emit("clientError", late, socket)
    socket.emit("timeout")
    expect(hits).toEqual(["httpRequestMs"])
})
