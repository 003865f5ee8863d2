/** What limits connections, through real sockets: an honest client first, then one too many. */
import { closeCodes } from "@tallylight/protocol/ports/channel.js"
import { SampleLedger } from "@tallylight/protocol/sample/sample-ledger.js"
import { sampleLedger } from "@tallylight/protocol/sample/scenario.js"
import { encodeFrame } from "@tallylight/protocol/wire/frame.js"
import { fromHex } from "@tallylight/crypto/bytes.js"
import { afterEach, expect, test } from "vitest"
import { longSample } from "../observer/fixtures.ts"
import { anonymousHello, connectTo, cutOff, dial, knock, open } from "./dial.ts"
import { serveSample } from "./serving.ts"
import type { Serving } from "./serving.ts"

const behindProxy = { trustedProxies: ["127.0.0.1"] }
const started: Serving[] = []

async function serving(...args: Parameters<typeof serveSample>): Promise<Serving> {
    const server = await serveSample(...args)
    started.push(server)
    return server
}

afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.close()))
})

test("one address has so many WebSockets and no more, and others have theirs", async () => {
    const limits = { connectionsPerAddress: 2 }
    const server = await serving(new SampleLedger("address"), { ...behindProxy, limits })
    const first = await open(server, "192.0.2.1")
    await open(server, "192.0.2.1")
    await open(server, "192.0.2.2")
    expect(await knock(server, "192.0.2.1")).toBe(429)
    expect(server.hits).toEqual(["connectionsPerAddress"])
    first.terminate()
    await expect.poll(() => knock(server, "192.0.2.1"), { timeout: 30_000 }).not.toBe(429)
})

test("an address is what the trusted proxy saw, however many hops a client makes up", async () => {
    const limits = { connectionsPerAddress: 1 }
    const server = await serving(new SampleLedger("hops"), { ...behindProxy, limits })
    await open(server, "198.51.100.7, 192.0.2.1")
    expect(await knock(server, "198.51.100.8, 192.0.2.1")).toBe(429)
    await open(server, "192.0.2.1, 198.51.100.8")
})

test("an address of IPv6 stands for its /64, and one of IPv4 for itself however it is written", async () => {
    const limits = { connectionsPerAddress: 1 }
    const server = await serving(new SampleLedger("v6"), { ...behindProxy, limits })
    await open(server, "2001:db8:1:2::1")
    expect(await knock(server, "2001:db8:1:2:ffff::9")).toBe(429)
    await open(server, "2001:db8:1:3::1")
    await open(server, "192.0.2.1")
    expect(await knock(server, "::ffff:192.0.2.1")).toBe(429)
    await open(server, "::ffff:192.0.2.2")
})

test("whoever is no trusted proxy is not believed", async () => {
    const limits = { connectionsPerAddress: 1 }
    const server = await serving(new SampleLedger("liar"), { unlimitedAddresses: [], limits })
    await open(server, "192.0.2.1")
    expect(await knock(server, "192.0.2.2")).toBe(429)
})

test("limits per address do not bind loopback unless they are told to", async () => {
    const limits = { connectionsPerAddress: 1 }
    const server = await serving(new SampleLedger("loopback"), { limits })
    await open(server)
    await open(server)
    expect(server.hits).toEqual([])
})

test("a server that is full says so, and has room again when somebody leaves", async () => {
    const server = await serving(new SampleLedger("full"), { limits: { connections: 1 } })
    const first = await open(server)
    expect(await knock(server)).toBe(503)
    expect(server.hits).toEqual(["connections"])
    first.terminate()
    await expect.poll(() => knock(server), { timeout: 30_000 }).not.toBe(503)
})

test("one address has so many plain connections; those that became WebSockets are none", async () => {
    const settings = { unlimitedAddresses: [], limits: { httpConnectionsPerAddress: 2 } }
    const server = await serving(new SampleLedger("plain"), settings)
    for (let round = 0; round < 4; round++) await open(server)
    const held = [await connectTo(server), await connectTo(server)]
    await cutOff(await connectTo(server))
    expect(server.hits).toEqual(["httpConnectionsPerAddress"])
    for (const socket of held) socket.destroy()
    await expect
        .poll(
            () =>
                fetch(`${server.url}/healthz`).then(
                    ({ status }) => status,
                    () => 0,
                ),
            { timeout: 30_000 },
        )
        .toBe(200)
})

test("all plain connections together are bounded, and leave WebSockets their places", async () => {
    const server = await serving(new SampleLedger("all"), { limits: { httpConnections: 2 } })
    const early = await open(server)
    const held = [await connectTo(server), await connectTo(server)]
    await cutOff(await connectTo(server))
    expect(server.hits).toEqual(["httpConnections"])
    expect(early.readyState).toBe(early.OPEN)
    for (const socket of held) socket.destroy()
})

test("whoever sends a request by the byte is cut off; whoever sends one is answered", async () => {
    const server = await serving(new SampleLedger("slow"), { limits: { httpRequestMs: 200 } })
    expect((await fetch(`${server.url}/v1/chains`)).status).toBe(200)
    const slow = await connectTo(server)
    slow.write("GET /v1/chains HTTP/1.1\r\nhost: x\r\n")
    const drip = setInterval(() => slow.write("x-a: b\r\n"), 50)
    await cutOff(slow)
    clearInterval(drip)
})

test("a WebSocket outlives the patience that requests get", async () => {
    const server = await serving(new SampleLedger("idle"), { limits: { httpRequestMs: 100 } })
    const peer = await dial(server)
    await peer.request("ReqHello", anonymousHello)
    await cutOff(await connectTo(server))
    expect((await peer.request("ReqHello", anonymousHello)).version).toBe(1)
})

test("whoever says no valid hello is closed; whoever said one may be silent", async () => {
    const server = await serving(new SampleLedger("hello"), { limits: { helloMs: 200 } })
    const [honest, silent, rude] = await Promise.all([dial(server), dial(server), dial(server)])
    await honest.request("ReqHello", anonymousHello)
    await honest.request("ReqSubscribe", { kinds: null, index: 0, round: null })
    await rude.request("ReqHello", { ...anonymousHello, versions: [9] }).catch(() => undefined)
    expect((await silent.closed).code).toBe(closeCodes.policy)
    expect((await rude.closed).code).toBe(closeCodes.policy)
    expect(server.hits).toEqual(["helloMs", "helloMs"])
    expect((await honest.request("ReqHello", anonymousHello)).version).toBe(1)
})

test("whoever is closed for another reason, and takes its time to go, has not been late with its hello", async () => {
    const limits = { helloMs: 200, stalledMs: 600, heartbeatMs: 60_000 }
    const server = await serving(new SampleLedger("subprotocol"), { limits })
    const upgrade = [
        `GET /v1/chains/${server.id}/socket HTTP/1.1`,
        ...["host: x", "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"],
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    const stranger = await connectTo(server)
    stranger.write(`${upgrade.join("\r\n")}\r\n\r\n`)
    // No close frame is answered here, so that the server waits for one.
    await cutOff(stranger)
    expect(server.hits).toEqual([])
})

test("where slow readers hold too much together, they are dropped, and quick readers get everything", async () => {
    const limits = { bufferedBytesTotal: 3 * 1024 * 1024, helloMs: 100_000 }
    const server = await serving(longSample(700), { limits })
    const quick = await dial(server)
    const read = () => quick.request("ReqEntries", { from: 0, limit: 1024 })
    await quick.request("ReqHello", anonymousHello)
    const { entries } = await read()
    const slow = await Promise.all([1, 2].map(() => open(server)))
    const frame = (id: number) => {
        const body = { from: 0, limit: 1024 }
        return encodeFrame({ type: "ReqEntries", id, chain: fromHex(server.id), body })
    }
    for (const socket of slow) {
        socket.on("error", () => undefined)
        socket.pause()
        for (let id = 1; id < 300; id += 2) socket.send(frame(id))
    }
    const closed = slow.map(
        (socket) => new Promise<number>((resolve) => socket.once("close", (code) => resolve(code))),
    )
    while (!server.hits.includes("bufferedBytesTotal")) expect((await read()).entries).toEqual(entries)
    for (const socket of slow) socket.resume()
    // The close frame is behind all that was not read, and the server waits for that a second only.
    expect([closeCodes.slowReader, 1006]).toContain(await Promise.race(closed))
    expect((await read()).entries).toEqual(entries)
})

test("one address may ask so often for what is on the disk, and is told when to come again", async () => {
    const settings = { ...behindProxy, limits: { httpRequestsPerSecond: 3 } }
    const server = await serving(sampleLedger(), settings)
    const ask = (path: string, from: string) =>
        fetch(`${server.url}/v1/chains/${server.id}${path}`, { headers: { "x-forwarded-for": from } })
    expect((await ask("/entries", "192.0.2.1")).status).toBe(200)
    const many = await Promise.all(Array.from({ length: 40 }, () => ask("/rounds/1", "192.0.2.1")))
    const refused = many.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    expect(many.filter(({ status }) => status !== 200)).toEqual(refused)
    expect(refused[0]?.headers.get("retry-after")).toBe("1")
    expect(await refused[0]?.json()).toMatchObject({
        code: "rate-limited",
        detail: "rate-limited: One address gets 3 answers a second from the disk; ask again in a second.",
        facts: { limit: "httpRequestsPerSecond" },
    })
    expect(new Set(server.hits)).toEqual(new Set(["httpRequestsPerSecond"]))
    const others = await Promise.all([
        ask("/rounds/1", "192.0.2.2"),
        ...Array.from({ length: 20 }, () => ask("/log/checkpoint", "192.0.2.1")),
    ])
    expect(new Set(others.map(({ status }) => status))).toEqual(new Set([200]))
})
