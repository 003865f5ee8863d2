/** Requests that come together by one connection. */
import { connect } from "node:net"
import { text } from "node:stream/consumers"
import { makeLogger } from "@tallylight/node/logger.js"
import { afterEach, beforeEach, expect, test } from "vitest"
import { mostWaiting } from "./pipelining.ts"
import { httpSettings } from "./settings.ts"
import { startHttp } from "./start.ts"
import type { Http } from "./start.ts"
import { TwinCore } from "./twin-core.ts"

const log = makeLogger({ name: "entropy-node", level: "silent" })

let http: Http
let asked: Promise<void>
let answer: () => void
beforeEach(async () => {
    const core = new TwinCore()
    const status = await core.status()
    const answering = new Promise<typeof status>((resolve) => (answer = () => resolve(status)))
    asked = new Promise((resolve) => {
        core.status = () => {
            resolve()
            return answering
        }
    })
    // No limit of time may close what this one has to.
    const settings = httpSettings.parse({ port: 0, limits: { requestMs: 3_600_000 } })
    http = await startHttp({ settings, core, log })
})
afterEach(() => http.close())

/** One request that takes until {@link answer}, so many more, and all that comes back. */
function ask(more: number): Promise<string> {
    const socket = connect(Number(new URL(http.urls[0] ?? "").port), "127.0.0.1")
    const head = (path: string, last: boolean): string =>
        `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${last ? "connection: close\r\n" : ""}\r\n`
    socket.write(head("/api/v1/status", false))
    for (let left = more; left > 0; left--) socket.write(head("/healthz", left === 1))
    return text(socket).catch(() => "")
}

test("are all answered, in their order, where they are few", async () => {
    const all = ask(mostWaiting)
    await asked
    answer()
    const [, ...bodies] = (await all).split(/HTTP\/1\.1 200 OK\r\n/)
    expect(bodies).toHaveLength(1 + mostWaiting)
    expect(bodies[0]).toContain('"identity"')
    for (const body of bodies.slice(1)) expect(body).toContain('{"status":"ok"}')
})

test.each([mostWaiting + 1, 5000])("close the connection where %i wait behind one", async (more) => {
    expect(await ask(more)).toBe("")
    answer()
})
