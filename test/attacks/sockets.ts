/** Whoever reaches the port and wants the server to fall, to swell or to forget about everybody else. */
import assert from "node:assert/strict"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { concatBytes, utf8 } from "@tallylight/crypto/bytes.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { makePartyRegistration } from "@tallylight/protocol/chain/party.js"
import { makeRevocation } from "@tallylight/protocol/chain/revocation.js"
import { encodeFrame } from "@tallylight/protocol/wire/frame.js"
import { WebSocket } from "ws"
import { group } from "./attack.ts"
import type { Attack } from "./attack.ts"
import { newParty } from "./arena.ts"
import { Stranger } from "./client.ts"
import { Forger, untilClosed } from "./floods.ts"
import { closed, Fortress } from "./fortress.ts"

function endured(
    name: string,
    stoppedBy: string,
    attack: (fortress: Fortress) => Promise<string>,
): Attack<Fortress> {
    return {
        ...{ name, stoppedBy },
        honest: (fortress) => fortress.ledger.nextBeacon(),
        attack: (fortress) => fortress.endure(name, () => attack(fortress)),
    }
}

/** MessagePack by hand, for what no library would write. */
const text = (value: string): Uint8Array => concatBytes(Uint8Array.of(0xd9, value.length), utf8(value))
const bin = (bytes: Uint8Array): Uint8Array => concatBytes(Uint8Array.of(0xc4, bytes.length), bytes)
const map = (...fields: readonly (readonly [Uint8Array, Uint8Array])[]): Uint8Array =>
    concatBytes(Uint8Array.of(0x80 + fields.length), ...fields.flat())

/** A ReqTicket, with these fields in its body and these beside it. */
function frame(
    { address }: Fortress,
    body: readonly (readonly [Uint8Array, Uint8Array])[] = [],
    more: readonly (readonly [Uint8Array, Uint8Array])[] = [],
): Uint8Array {
    return map(
        [text("type"), text("ReqTicket")],
        [text("id"), Uint8Array.of(1)],
        [text("chain"), bin(address.id)],
        [text("body"), map(...body)],
        ...more,
    )
}

/** Each of these frames closes its connection, all with one code. */
function frames(
    name: string,
    stoppedBy: string,
    make: (fortress: Fortress) => readonly (Uint8Array | string)[],
): Attack<Fortress> {
    return endured(name, stoppedBy, async (fortress) => {
        const codes = new Set<string>()
        for (const bytes of make(fortress))
            codes.add(await fortress.closeCode((socket) => socket.send(bytes)))
        return [...codes].join()
    })
}

/** Bytes on a WebSocket that was opened by hand: the code of the close frame that comes back. */
async function byHand(fortress: Fortress, bytes: Uint8Array, protocol?: string): Promise<string> {
    const socket = await fortress.upgraded(protocol)
    const received: Buffer[] = []
    socket.on("data", (chunk: Buffer) => received.push(chunk))
    socket.resume()
    if (bytes.length > 0) socket.write(bytes)
    await closed(socket)
    const answer = Buffer.concat(received)
    const at = answer.lastIndexOf(0x88)
    return at < 0 ? "no close frame" : String(answer.readUInt16BE(at + 2))
}

const statusOf = (answer: string): string => /^HTTP\/1\.1 ([0-9]{3})/.exec(answer)?.[1] ?? "nothing"

function rawHttp(name: string, stoppedBy: string, requests: readonly string[]): Attack<Fortress> {
    return endured(name, stoppedBy, async (fortress) => {
        const statuses = new Set<string>()
        for (const request of requests) statuses.add(statusOf(await fortress.rawAnswer(request)))
        return [...statuses].join()
    })
}

/** That many questions at once, on one connection, all of which are answered. */
async function asked(fortress: Fortress, count: number, ask: (stranger: Stranger) => Promise<string>) {
    const stranger = await Stranger.dial(fortress.address)
    const outcomes = await Promise.all(Array.from({ length: count }, () => ask(stranger)))
    stranger.close()
    return [...new Set(outcomes)].join()
}

/** Valid but for the signature. */
function badRegistration({ address }: Fortress) {
    const party = newParty()
    const honest = makePartyRegistration(address.id, party, 0)
    return { role: "party" as const, ...honest, signature: systemRandom(64) }
}

function wholeLedger({ address }: Fortress, id: number): Uint8Array {
    const body = { from: 0, limit: 1024 }
    return encodeFrame({ type: "ReqEntries", id, chain: address.id, body })
}

export const sockets = group("sockets", "sockets.ts", () => Fortress.open(), [
    frames("bytes that are no MessagePack", "1007", () => [
        Uint8Array.of(0xc1),
        systemRandom(1000),
        new Uint8Array(0),
        Uint8Array.of(0xde),
    ]),
    frames("text frames", "1003", () => ["hello", JSON.stringify({ type: "ReqTicket" })]),
    frames("a frame larger than any message", "1009", () => [
        new Uint8Array(128 * 1024 + 1),
        new Uint8Array(16 << 20),
    ]),
    frames("a frame nested a hundred thousand deep", "1007", () => [
        new Uint8Array(100_000).fill(0x91),
        new Uint8Array(100_000).fill(0x81),
    ]),
    frames("headers that claim four thousand million elements", "1007", () => [
        Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff),
        Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, 0x61),
        Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff, 0x00),
        Uint8Array.of(0xdb, 0xff, 0xff, 0xff, 0xff, 0x61),
    ]),
    frames("a hundred thousand small values", "1007", () => [
        concatBytes(Uint8Array.of(0xdd, 0x00, 0x01, 0x86, 0xa0), new Uint8Array(100_000).fill(0xc0)),
    ]),
    frames("a field twice", "1007", (fortress) => [
        frame(fortress, [], [[text("id"), Uint8Array.of(3)]]),
        frame(fortress, [
            [text("x"), Uint8Array.of(3)],
            [text("x"), Uint8Array.of(4)],
        ]),
    ]),
    frames("fields that no message has", "1007", (fortress) => [
        frame(fortress, [[text("x"), Uint8Array.of(0)]]),
        frame(fortress, [], [[text("x"), Uint8Array.of(0)]]),
    ]),
    frames("keys and names that JavaScript knows", "1007", (fortress) => [
        ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then"].flatMap((name) => [
            frame(fortress, [[text(name), map([text("x"), Uint8Array.of(0)])]]),
            frame(fortress, [], [[text(name), map()]]),
            map(
                [text("type"), text(name)],
                [text("id"), Uint8Array.of(1)],
                [text("chain"), bin(fortress.address.id)],
                [text("body"), map()],
            ),
        ]),
    ]),
    frames("text that is no UTF-8, or begins with a byte order mark", "1007", (fortress) => [
        frame(fortress, [[text("x"), Uint8Array.of(0xa2, 0xc3, 0x28)]]),
        frame(fortress, [[text("x"), Uint8Array.of(0xa3, 0xed, 0xa0, 0x80)]]),
        frame(fortress, [[text("x"), Uint8Array.of(0xa3, 0xef, 0xbb, 0xbf)]]),
    ]),
    frames("two messages in one frame", "1007", (fortress) => [
        concatBytes(frame(fortress), frame(fortress)),
    ]),
    frames("extension types, which a library would run", "1007", (fortress) => [
        frame(fortress, [[text("x"), Uint8Array.of(0xd4, 0x72, 0x40)]]),
        frame(fortress, [[text("x"), Uint8Array.of(0xd6, 0xff, 0, 0, 0, 0)]]),
    ]),
    endured("no subprotocol, or another one", "1008", async (fortress) => {
        const codes = [
            await fortress.closeCode(() => undefined, []),
            await byHand(fortress, new Uint8Array(0), "tallylight.v2"),
        ]
        return [...new Set(codes)].join()
    }),
    endured("frames that RFC 6455 forbids", "1002", async (fortress) => {
        const codes = [
            await byHand(fortress, Uint8Array.of(0x82, 0x01, 0x00)),
            await byHand(fortress, Uint8Array.of(0xf2, 0x80, 0, 0, 0, 0)),
            await byHand(fortress, Uint8Array.of(0x83, 0x80, 0, 0, 0, 0)),
            await byHand(fortress, Uint8Array.of(0x09, 0x80, 0, 0, 0, 0)),
        ]
        return [...new Set(codes)].join()
    }),
    endured("a message in endless fragments", "1009", async (fortress) => {
        const socket = await fortress.webSocket()
        const closed = once(socket, "close") as Promise<[number]>
        while (socket.readyState === WebSocket.OPEN) {
            socket.send(new Uint8Array(16 * 1024), { fin: false })
            await sleep(1)
        }
        return String((await closed)[0])
    }),
    endured(
        "two hundred connections cut in the middle of a frame",
        "nothing is left of them",
        async (fortress) => {
            for (let at = 0; at < 200; at += 1) {
                const socket = await fortress.upgraded()
                socket.write(Uint8Array.of(0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8))
                if (at % 2 === 0) socket.destroy()
                else socket.resetAndDestroy()
            }
            await othersAreGone(fortress)
            return "nothing is left of them"
        },
    ),
    rawHttp("bytes that are no HTTP", "400", [
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "GET /healthz HTTP/9.9\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
    ]),
    rawHttp("requests that two readers would cut differently", "400", [
        "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n",
    ]),
    rawHttp("headers of twenty kilobytes", "431", [
        `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(20_000)}\r\n\r\n`,
    ]),
    rawHttp("upgrades to what is not there", "404", [
        ...["/", "/v1/chains/../../etc/passwd/socket", `/v1/chains/${"0".repeat(64)}/socket`].map(
            (path) =>
                `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
                `Sec-WebSocket-Key: ${Buffer.alloc(16).toString("base64")}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
        ),
    ]),
    endured("a thousand connections that say nothing", "cut for their silence", async (fortress) => {
        const silent = await Promise.all(Array.from({ length: 1000 }, () => fortress.upgraded()))
        await Promise.all(silent.map((socket) => closed(socket.resume())))
        return "cut for their silence"
    }),
    endured("two hundred requests whose headers never end", "408", async (fortress) => {
        const statuses = await Promise.all(
            Array.from({ length: 200 }, async () => {
                const socket = await fortress.tcp()
                let answer = ""
                socket.on("data", (bytes: Buffer) => (answer += bytes.toString("latin1")))
                const over = closed(socket)
                socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n")
                const drip = setInterval(() => socket.write("X: y\r\n"), 500)
                await over
                clearInterval(drip)
                return statusOf(answer)
            }),
        )
        return [...new Set(statuses)].join()
    }),
    endured(
        "thirty subscribers from the first entry that never read",
        "cut for their silence",
        async (fortress) => {
            const { id: chain } = fortress.address
            const body = { kinds: null, index: 0, round: null }
            const socketsOfAll = await Promise.all(
                Array.from({ length: 30 }, async () => {
                    const socket = await fortress.upgraded()
                    socket.write(masked(encodeFrame({ type: "ReqSubscribe", id: 1, chain, body })))
                    return socket
                }),
            )
            await othersAreGone(fortress)
            socketsOfAll.forEach((socket) => socket.destroy())
            return "cut for their silence"
        },
    ),
    endured("answers that are asked for and never read", "cut as a slow reader", async (fortress) => {
        const socket = await fortress.upgraded()
        socket.pause()
        const lost = closed(socket)
        for (let id = 1; id < 2000; id += 2) socket.write(masked(wholeLedger(fortress, id)))
        // What is left in the machine's own buffers is read only once the server has given up.
        await othersAreGone(fortress)
        socket.resume()
        await lost
        return "cut as a slow reader"
    }),
    endured("a flood of contributions with bad proofs", "1008", async ({ address, ledger }) => {
        const forger = await Forger.join(address, ledger)
        const codes = await Promise.all(
            Array.from({ length: 4 }, () => untilClosed(address, (sender) => forger.send(sender))),
        )
        await forger.leave()
        return [...new Set(codes)].join()
    }),
    endured("a flood of registrations that their identities did not sign", "1008", (fortress) => {
        // Made once: making one takes as long as judging it, and this process has heartbeats to answer.
        const body = badRegistration(fortress)
        return untilClosed(fortress.address, (stranger) => stranger.ask("ReqRegister", body))
    }),
    endured("a flood of newcomers whose registrations are all in order", "rate-limited", (fortress) =>
        newcomers(fortress, 60),
    ),
    endured("a flood of messages for another chain", "1008", async (fortress) => {
        const socket = await fortress.webSocket()
        const closed = once(socket, "close") as Promise<[number]>
        const other = { ...fortress.address, id: new Uint8Array(32) }
        for (let at = 0; at < 100; at += 1)
            socket.send(frame(Object.assign(Object.create(fortress) as Fortress, { address: other })))
        return String((await closed)[0])
    }),
    endured("two hundred questions for the whole ledger at once", "accepted", (fortress) =>
        asked(fortress, 200, (stranger) => stranger.outcome("ReqEntries", { from: 0, limit: 1024 })),
    ),
    endured("two hundred questions for proofs at once", "accepted", (fortress) => {
        const { size } = fortress.ledger.state.range
        return asked(fortress, 200, (stranger) => stranger.outcome("ReqProof", { index: size >> 1, size }))
    }),
    endured("a hundred HTTP queries at once", "200", async (fortress) => {
        const paths = ["entries?limit=1000", "rounds/latest", "log/checkpoint", ""]
        const statuses = await Promise.all(
            Array.from({ length: 100 }, async (_, at) => {
                const response = await fetch(
                    `${fortress.address.http}/${paths[at % 4] ?? ""}`.replace(/\/$/, ""),
                )
                await response.arrayBuffer()
                return response.status
            }),
        )
        return [...new Set(statuses)].join()
    }),
])

/** That many newcomers, whose registrations are all in order. */
async function newcomers(fortress: Fortress, count: number): Promise<string> {
    const stranger = await Stranger.dial(fortress.address)
    const parties = Array.from({ length: count }, newParty)
    const outcomes = []
    for (const party of parties) {
        const registration = makePartyRegistration(fortress.address.id, party, 0)
        outcomes.push(await stranger.outcome("ReqRegister", { role: "party", ...registration }))
    }
    for (const [at, { signer }] of parties.entries())
        if (outcomes[at] === "accepted")
            await stranger.ask("ReqRevoke", makeRevocation(fortress.address.id, signer, 1))
    stranger.close()
    return outcomes.at(-1) ?? "accepted"
}

/** A client's frame of RFC 6455, masked with zeros. */
function masked(payload: Uint8Array): Uint8Array {
    assert.ok(payload.length < 126)
    return concatBytes(Uint8Array.of(0x82, 0x80 + payload.length, 0, 0, 0, 0), payload)
}

/** Until nobody is connected but the party, the requester and the test's own follower. */
async function othersAreGone({ address }: Fortress): Promise<void> {
    for (;;) {
        const response = await fetch(address.http)
        const { connections } = (await response.json()) as { readonly connections: number }
        if (connections <= 3) return
        await sleep(100)
    }
}
