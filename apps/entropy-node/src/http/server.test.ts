/** What one serving process answers, asked over real sockets. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { once } from "node:events"
import { request } from "node:http"
import type { IncomingMessage } from "node:http"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buffer, text } from "node:stream/consumers"
import { setTimeout as sleep } from "node:timers/promises"
import { FortunaGenerator } from "@tallylight/entropy/fortuna.js"
import { makeLogger } from "@tallylight/node/logger.js"
import { systemRandom } from "@tallylight/node/system-random.js"
import { PNG } from "pngjs"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { fortunaPrimitives } from "../core/fortuna-primitives.ts"
import { httpSettings } from "./settings.ts"
import { startHttp } from "./start.ts"
import type { Http } from "./start.ts"
import { makeToken } from "./tokens.ts"
import { TwinCore } from "./twin-core.ts"

const log = makeLogger({ name: "entropy-node", level: "silent" })

let core: TwinCore
let http: Http
let url: string
beforeEach(() => serve({}))
afterEach(() => http.close())

/** In place of what served before. */
async function serve(settings: object): Promise<void> {
    await (http as Http | undefined)?.close()
    core = new TwinCore()
    http = await startHttp({ settings: httpSettings.parse({ port: 0, ...settings }), core, log })
    url = http.urls[0] ?? ""
}

function post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${url}/api/v1/data`, {
        ...{ method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) },
        headers: { "content-type": "application/json", ...headers },
    })
}

async function values(body: unknown): Promise<unknown> {
    const answer = await post(body)
    expect(answer.status).toBe(200)
    return answer.json()
}

async function bytesOf(answer: Response): Promise<Uint8Array> {
    return new Uint8Array(await answer.arrayBuffer())
}

/** The code and sentence of an answer that is no success. */
async function refusal(answer: Response): Promise<readonly [number, string, string]> {
    const { code, detail } = (await answer.json()) as { code: string; detail: string }
    return [answer.status, code, detail]
}

/** What a generator with the twin's first seed gives. */
function firstSeeded(): FortunaGenerator {
    const generator = new FortunaGenerator(fortunaPrimitives)
    generator.reseed(TwinCore.seedBytes(1))
    return generator
}

describe("/v1/random", () => {
    test("gives the generator's bytes and says where they come from", async () => {
        const answer = await fetch(`${url}/v1/random?bytes=64`)
        expect(answer.status).toBe(200)
        const headers = Object.fromEntries(answer.headers)
        expect(headers).toMatchObject({
            "content-type": "application/octet-stream",
            "content-length": "64",
            "cache-control": "no-store",
            "x-rng-source": "fortuna",
            "x-rng-drbg": "Fortuna (AES-256, SHAd-256)",
            "x-rng-devices": "chip-a, chip-b",
            "x-rng-health": "ok",
            "x-rng-simulated": "true",
        })
        expect(headers["x-rng-reseed-age-ms"]).toMatch(/^[0-9]+$/)
        expect(headers["x-rng-pool-reseed-age-ms"]).toMatch(/^[0-9]+$/)
        expect(headers).not.toHaveProperty("access-control-allow-origin")
        const piece = firstSeeded().read(16 * 1024)
        expect(await bytesOf(answer)).toEqual(new Uint8Array(piece.subarray(0, 64)))
        const next = await fetch(`${url}/v1/random?bytes=64`)
        expect(await bytesOf(next)).toEqual(new Uint8Array(piece.subarray(64, 128)))
    })

    test.each([1, 2, 3, 2048, 2049, 65_537, 2 ** 20, 2 ** 20 + 1, 3 * 2 ** 20 + 7])(
        "gives exactly %i bytes, in each encoding",
        async (bytes) => {
            for (const [encoding, pattern] of [
                ["raw", undefined],
                ["hex", /^[0-9a-f]*$/],
                ["base64", /^[A-Za-z0-9+/]*={0,2}$/],
            ] as const) {
                const answer = await fetch(`${url}/v1/random?bytes=${bytes}&encoding=${encoding}`)
                const body = Buffer.from(await answer.arrayBuffer())
                expect(answer.headers.get("content-length")).toBe(String(body.length))
                if (pattern === undefined) expect(body).toHaveLength(bytes)
                else {
                    const written = body.toString("latin1")
                    expect(pattern.test(written)).toBe(true)
                    const decoded = Buffer.from(written, encoding)
                    expect(decoded).toHaveLength(bytes)
                    expect(decoded.toString(encoding) === written).toBe(true)
                }
            }
        },
    )

    test("gives 4096 bytes where nothing is said", async () => {
        expect(await bytesOf(await fetch(`${url}/v1/random`))).toHaveLength(4096)
    })

    test("draws nothing for HEAD", async () => {
        const answer = await fetch(`${url}/v1/random?bytes=64`, { method: "HEAD" })
        expect(answer.status).toBe(200)
        expect(core.seeds).toBe(0)
    })

    test.each([
        ["bytes=0", "bytes: Too small: expected number to be >=1"],
        ["bytes=-1", "bytes: a whole number, in decimal digits"],
        ["bytes=1e3", "bytes: a whole number, in decimal digits"],
        ["bytes=007", "bytes: a whole number, in decimal digits"],
        ["bytes=", "bytes: a whole number, in decimal digits"],
        ["bytes=1&bytes=2", "bytes: once is enough"],
        ["bytes=99999999999", "bytes: at most 1073741824 in one request"],
        ["bytes=8&encoding=base32", /^encoding: Invalid option/],
        ["byte=8", "byte: there is no such field"],
    ] as const)("refuses %s", async (query, sentence) => {
        const [status, code, detail] = await refusal(await fetch(`${url}/v1/random?${query}`))
        expect([status, code]).toEqual([400, "malformed"])
        if (typeof sentence === "string") expect(detail).toBe(sentence)
        else expect(detail).toMatch(sentence)
    })

    test("is found under another spelling of its path too", async () => {
        expect(await bytesOf(await fetch(`${url}/v1/rando%6D?bytes=5`))).toHaveLength(5)
    })

    test("is refused under a spelling that is none, like everything else", async () => {
        const answer = await fetch(`${url}/v1/%zz`)
        expect([answer.status, answer.headers.get("cache-control")]).toEqual([400, "no-store"])
    })

    test("makes for a client that does not read only what fits between them", async () => {
        const socket = connect(Number(new URL(url).port), "127.0.0.1")
        socket.pause()
        socket.write("GET /v1/random?bytes=1000000000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        let given = -1
        for (let now = 0; now !== given || now === 0; now = await fortunaBytes()) {
            given = now
            await sleep(200)
        }
        // The kernel's buffers of both ends have some megabytes.
        expect(given).toBeLessThan(64 * 2 ** 20)
        socket.destroy()
        expect(await bytesOf(await fetch(`${url}/v1/random?bytes=9`))).toHaveLength(9)
    })

    test("makes the answers to requests that came together one after the other, as they are taken", async () => {
        const socket = connect(Number(new URL(url).port), "127.0.0.1")
        socket.pause()
        const many = 30
        socket.write(`GET /v1/random?bytes=${2 ** 20} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(many))
        socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        let given = -1
        for (let now = 0; now !== given || now === 0; now = await fortunaBytes()) {
            given = now
            await sleep(200)
        }
        expect(given).toBeLessThan(20 * 2 ** 20)
        const all = await buffer(socket)
        expect(all.length).toBeGreaterThan(many * 2 ** 20)
        expect(all.subarray(-15).toString()).toBe('{"status":"ok"}')
        expect(await fortunaBytes()).toBe(many * 2 ** 20)
    })

    test("has room for so many bytes that nobody takes, and answers `busy` beyond, but for small ones", async () => {
        await serve({ limits: { heldBytes: 2 ** 20 } })
        const clients = Array.from({ length: 16 }, () => {
            const socket = connect(Number(new URL(url).port), "127.0.0.1")
            socket.pause()
            socket.write("GET /v1/random?bytes=1000000000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
            return socket
        })
        while ((await fetch(`${url}/v1/random?bytes=200000`)).status === 200) await sleep(20)
        const refused = await fetch(`${url}/v1/random?bytes=200000`)
        expect(refused.headers.get("retry-after")).toBe("1")
        expect((await refusal(refused)).slice(0, 2)).toEqual([503, "busy"])
        expect((await fetch(`${url}/v1/random?bytes=64`)).status).toBe(200)
        for (const socket of clients) socket.destroy()
        while ((await fetch(`${url}/v1/random?bytes=200000`)).status !== 200) await sleep(20)
    })

    test("breaks a stream off, short of its promised length, when the sources fail", async () => {
        await serve({ reseed: { ms: 50 } })
        const asked = request(`${url}/v1/random?bytes=1000000000`)
        asked.end()
        const [answer] = (await once(asked, "response")) as [IncomingMessage]
        let length = 0
        const read = (async () => {
            for await (const chunk of answer) {
                length += (chunk as Buffer).length
                core.unready = ["chip-a is gone"]
                await sleep(2)
            }
        })()
        await expect(read).rejects.toThrow("aborted")
        expect(length).toBeLessThan(1_000_000_000)
    })
})

async function fortunaBytes(): Promise<number> {
    const metrics = await (await fetch(`${url}/metrics`)).text()
    return Number(/bytes_given_total\{source="fortuna"\} ([0-9]+)/.exec(metrics)?.[1] ?? 0)
}

describe("/api/v1/data", () => {
    test("gives raw bytes in their order, each once, and says so", async () => {
        const answer = await post({ format: "binary", count: 40, source: "trng" })
        expect(Object.fromEntries(answer.headers)).toMatchObject({
            "content-type": "application/octet-stream",
            "cache-control": "no-store",
            "x-rng-source": "trng",
            "x-rng-drbg": "none",
            "x-rng-devices": "chip-a",
            "x-rng-simulated": "true",
            "x-rng-consumption": "once",
        })
        expect(await bytesOf(answer)).toEqual(TwinCore.rawBytes(0, 40))
        const hex = await post({ format: "hex", count: 5, source: "trng" })
        expect(await hex.text()).toBe(Buffer.from(TwinCore.rawBytes(40, 5)).toString("hex"))
        const base64 = await post({ format: "base64", count: 4, source: "trng" })
        expect(await base64.text()).toBe(Buffer.from(TwinCore.rawBytes(45, 4)).toString("base64"))
    })

    test("gives integers of each width, big-endian, those of 64 bits as strings", async () => {
        let from = 0
        const next = (length: number): DataView => {
            from += length
            return new DataView(TwinCore.rawBytes(from - length, length).buffer)
        }
        const ask = (format: string): Promise<unknown> => values({ format, count: 2, source: "trng" })
        for (const [format, width, read] of [
            ["int8", 1, (view: DataView, at: number) => view.getInt8(at)],
            ["uint8", 1, (view: DataView, at: number) => view.getUint8(at)],
            ["int16", 2, (view: DataView, at: number) => view.getInt16(at)],
            ["uint16", 2, (view: DataView, at: number) => view.getUint16(at)],
            ["int32", 4, (view: DataView, at: number) => view.getInt32(at)],
            ["uint32", 4, (view: DataView, at: number) => view.getUint32(at)],
            ["int64", 8, (view: DataView, at: number) => String(view.getBigInt64(at))],
            ["uint64", 8, (view: DataView, at: number) => String(view.getBigUint64(at))],
        ] as const) {
            const view = next(2 * width)
            expect(await ask(format)).toEqual([read(view, 0), read(view, width)])
        }
    })

    test("gives floats, UUIDs and integers of a range, its ends included", async () => {
        const floats = (await values({ format: "float", count: 1000 })) as number[]
        expect(floats.every((value) => value >= 0 && value < 1)).toBe(true)
        expect(new Set(floats).size).toBe(1000)
        const uuids = (await values({ format: "uuid", count: 100 })) as string[]
        const version4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
        expect(uuids.every((value) => version4.test(value))).toBe(true)
        const dice = (await values({ format: "integer", min: 1, max: 6, count: 6000 })) as number[]
        const counts = [1, 2, 3, 4, 5, 6].map((face) => dice.filter((value) => value === face).length)
        expect(counts.reduce((sum, count) => sum + count)).toBe(6000)
        // Five standard deviations; the seed is always the same.
        for (const count of counts)
            expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(6000 * (5 / 36)))
        expect(await values({ format: "integer", min: -7, max: -7, count: 3 })).toEqual([-7, -7, -7])
        expect(await values({ format: "integer", min: 0, max: "0" })).toEqual(["0"])
    })

    test("takes ranges of up to 2^64 integers, as strings where numbers would be rounded", async () => {
        const [least, most] = ["-9223372036854775808", "9223372036854775807"]
        const [value] = (await values({ format: "integer", min: least, max: most })) as [string]
        expect(BigInt(value) >= BigInt(least) && BigInt(value) <= BigInt(most)).toBe(true)
        const greatest = "18446744073709551615"
        expect(await values({ format: "integer", min: greatest, max: greatest })).toEqual([greatest])
        expect(await values({ format: "integer", min: least, max: least })).toEqual([least])
        const safe = Number.MAX_SAFE_INTEGER
        const wide = (await values({ format: "integer", min: -safe, max: safe, count: 100 })) as number[]
        expect(wide.every((number) => Number.isSafeInteger(number))).toBe(true)
    })

    test("gives one value where no count is said, and takes LoKey's names", async () => {
        expect(await values({ format: "uint8" })).toHaveLength(1)
        expect(await values({ format: "int32", limit: 10, offset: 0, source: "fortuna" })).toHaveLength(10)
        expect(await values({ format: "uuid", count: 100_000 })).toHaveLength(100_000)
    })

    test.each([
        ["{", "malformed", /JSON/],
        ["[]", "malformed", /./],
        [{}, "malformed", /^format: /],
        [{ format: "int128" }, "malformed", /^format: /],
        [{ format: "int8", count: 0 }, "malformed", /^count: /],
        [{ format: "int8", count: 1.5 }, "malformed", /^count: /],
        [{ format: "int8", count: "5" }, "malformed", /^count: /],
        [{ format: "int8", count: 100_001 }, "malformed", /^count: at most 100000 in one request$/],
        [{ format: "int8", count: 1, limit: 1 }, "malformed", /^limit: it is another name for count/],
        [{ format: "int8", offset: 1 }, "malformed", /^offset: /],
        [{ format: "int8", source: "virtio" }, "malformed", /^source: /],
        [{ format: "int8", min: 1 }, "malformed", /^min: there is no such field$/],
        [{ format: "integer" }, "malformed", /^min: an integer of at most 64 bits is needed/],
        [{ format: "integer", min: 1 }, "malformed", /^max: an integer of at most 64 bits is needed/],
        [{ format: "integer", min: 2, max: 1 }, "malformed", /^max: it is below min$/],
        [{ format: "integer", min: 0.5, max: 1 }, "malformed", /^min: /],
        [{ format: "integer", min: "01", max: 1 }, "malformed", /^min: /],
        [{ format: "integer", min: "-0", max: 1 }, "malformed", /^min: /],
        [{ format: "integer", min: 0, max: 2 ** 53 }, "malformed", /^max: /],
        [{ format: "integer", min: "x", max: 1 }, "malformed", /^min: an integer of at most 64 bits/],
        [
            { format: "integer", min: 0, max: "18446744073709551616" },
            "malformed",
            /^max: an integer of at most 64/,
        ],
        [
            { format: "integer", min: "-9223372036854775809", max: 0 },
            "malformed",
            /^min: an integer of at most 64/,
        ],
        [{ format: "integer", min: -1, max: "18446744073709551615" }, "malformed", /at most 2\^64 integers$/],
        [{ format: "binary", count: 65_537, source: "trng" }, "malformed", /^count: at most 65536 raw bytes/],
    ] as const)("refuses %j with %s and a sentence", async (body, expected, sentence) => {
        const [status, code, detail] = await refusal(await post(body))
        expect([status, code]).toEqual([400, expected])
        expect(detail).toMatch(sentence)
        expect(core.waiting).toBe(1 << 20)
    })

    test("refuses what is no JSON, or too much of it", async () => {
        const plain = await post("format=int8", { "content-type": "text/plain" })
        expect(await refusal(plain)).toEqual([
            ...[415, "unsupported-type"],
            "the body must be JSON, with content-type: application/json",
        ])
        const large = await post(JSON.stringify({ format: "int8", pad: "x".repeat(65_536) }))
        expect((await refusal(large)).slice(0, 2)).toEqual([413, "too-large"])
    })

    test("says how many raw bytes wait where they are too few, and takes none", async () => {
        core.waiting = 7
        const answer = await post({ format: "uint64", source: "trng" })
        expect(answer.headers.get("retry-after")).toBe("1")
        expect(await answer.json()).toMatchObject({ code: "queue-empty", facts: { available: 7 } })
        expect(answer.status).toBe(503)
        expect(await values({ format: "uint8", count: 7, source: "trng" })).toHaveLength(7)
    })

    test("says of raw bytes that stay that they do", async () => {
        await core.setConsumption("keep")
        const ask = (): Promise<Response> => post({ format: "binary", count: 4, source: "trng" })
        const [first, second] = [await ask(), await ask()]
        expect(first.headers.get("x-rng-consumption")).toBe("keep")
        expect(await bytesOf(first)).toEqual(await bytesOf(second))
    })
})

test("bytes say that a source is not healthy where enough others are, as the node's health does", async () => {
    core.degraded = true
    const health = await fetch(`${url}/api/v1/health`)
    expect([health.status, await health.json()]).toMatchObject([200, { status: "degraded" }])
    const answers = [
        await fetch(`${url}/v1/random?bytes=8`),
        await fetch(`${url}/v1/sound`),
        await post({ format: "int8", source: "fortuna" }),
        await post({ format: "int8", source: "trng" }),
    ]
    for (const answer of answers) {
        expect([answer.status, answer.headers.get("x-rng-health")]).toEqual([200, "degraded"])
        expect(answer.headers.get("x-rng-devices")).toBe("chip-a")
    }
})

describe("who asks for much", () => {
    test.each([
        ["values", () => post({ format: "uint8" })],
        ["a picture", () => fetch(`${url}/v1/image/random?width=9&height=9`)],
        ["liveness", () => fetch(`${url}/healthz`)],
    ])("is answered a slice at a time, and who came later for %s in between", async (_, ask) => {
        const order: string[] = []
        const much = post({ format: "uuid", count: 100_000 }).finally(() => order.push("much"))
        while (core.seeds === 0) await sleep(1)
        const little = ask().finally(() => order.push("little"))
        const all = (await (await much).json()) as string[]
        expect(new Set(all).size).toBe(100_000)
        expect((await little).status).toBe(200)
        expect(order).toEqual(["little", "much"])
    })

    test.each([
        ["/v1/image/random?width=500&height=500", undefined],
        ["/v1/sound?seconds=8", undefined],
        ["/v1/image/heatmap", undefined],
        ["/api/v1/data", { format: "uuid", count: 20_000 }],
        ["/api/v1/data", { format: "hex", count: 100_000 }],
        ["/api/v1/data", { format: "float", count: 30_000 }],
    ])("has room for so many that nobody takes, and `busy` beyond: %s %j", async (path, body) => {
        await serve({ limits: { heldBytes: 2 ** 20 } })
        const text = body === undefined ? "" : JSON.stringify(body)
        const head = body === undefined ? `GET ${path}` : `POST ${path}`
        const headers = `host: localhost\r\ncontent-type: application/json\r\ncontent-length: ${text.length}`
        const clients = Array.from({ length: 40 }, () => {
            const socket = connect(Number(new URL(url).port), "127.0.0.1")
            socket.on("error", () => undefined).pause()
            // One of each is taken by the kernel's buffers, and those that follow it are not made before it has left.
            socket.write(`${head} HTTP/1.1\r\n${headers}\r\n\r\n${text}`.repeat(33))
            return socket
        })
        const ask = (): Promise<Response> => (body === undefined ? fetch(url + path) : post(body))
        let refused = await ask()
        for (; refused.status === 200; refused = await ask()) await refused.arrayBuffer()
        expect(refused.headers.get("retry-after")).toBe("1")
        expect((await refusal(refused)).slice(0, 2)).toEqual([503, "busy"])
        expect((await fetch(`${url}/v1/random?bytes=64`)).status).toBe(200)
        for (const socket of clients) socket.destroy()
        while ((await ask()).status !== 200) await sleep(20)
    })
})

describe("a node with too few healthy sources", () => {
    test.each([
        "/v1/random?bytes=8",
        "/v1/random?bytes=9999999",
        "/v1/image/random",
        "/v1/image/heatmap",
        "/v1/sound",
    ])("answers %s with 503 and the reasons", async (path) => {
        core.unready = ["chip-a is gone", "1 of 2 sources is healthy"]
        const answer = await fetch(url + path)
        expect(answer.headers.get("retry-after")).toBe("5")
        expect(answer.headers.get("cache-control")).toBe("no-store")
        expect(await answer.json()).toEqual({
            code: "not-ready",
            detail: "this node gives no bytes now: chip-a is gone; 1 of 2 sources is healthy",
            facts: { reasons: ["chip-a is gone", "1 of 2 sources is healthy"] },
        })
        expect(answer.status).toBe(503)
    })

    test("gives neither raw nor amplified values, says so in health and readiness, and lives", async () => {
        core.unready = ["chip-a is gone"]
        for (const source of ["trng", "fortuna"]) {
            const [status, code] = await refusal(await post({ format: "int8", source }))
            expect([status, code]).toEqual([503, "not-ready"])
        }
        const ready = await fetch(`${url}/readyz`)
        expect([ready.status, await ready.json()]).toEqual([
            503,
            { ready: false, reasons: ["chip-a is gone"] },
        ])
        const health = await fetch(`${url}/api/v1/health`)
        expect([health.status, await health.json()]).toMatchObject([503, { status: "unready" }])
        expect((await fetch(`${url}/healthz`)).status).toBe(200)
        core.unready = []
        expect((await fetch(`${url}/readyz`)).status).toBe(200)
        expect(await values({ format: "int8", source: "trng" })).toHaveLength(1)
    })

    test("gives nothing more once its seed is too old", async () => {
        await serve({ reseed: { ms: 10 } })
        expect((await fetch(`${url}/v1/random?bytes=8`)).status).toBe(200)
        core.unready = ["chip-a is gone"]
        await sleep(20)
        expect((await fetch(`${url}/v1/random?bytes=8`)).status).toBe(503)
    })
})

describe("under which name it is asked", () => {
    function ask(host: string, path = "/v1/random?bytes=8"): Promise<number | undefined> {
        return new Promise((resolve, reject) => {
            const asked = request(url + path, { headers: { host } }, (answer) => {
                answer.resume()
                resolve(answer.statusCode)
            })
            asked.on("error", reject)
            asked.end()
        })
    }

    test.each(["localhost", "LOCALHOST:7730", "127.0.0.1", "127.1.2.3:80", "[::1]:7730"])(
        "%s is answered",
        async (host) => {
            expect(await ask(host)).toBe(200)
            expect(await ask(host, "/api/v1/status")).toBe(200)
        },
    )

    test.each(["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7730", "[::2]"])(
        "%s is not, on no route: it may be a name that a web page bound to this address",
        async (host) => {
            expect(await ask(host)).toBe(421)
            for (const path of ["/api/v1/status", "/healthz", "/docs/", "/none"])
                expect(await ask(host, path)).toBe(421)
        },
    )

    test("who says no name is not", async () => {
        const socket = connect(Number(new URL(url).port), "127.0.0.1")
        socket.write("GET /v1/random HTTP/1.0\r\n\r\n")
        const [line] = (await text(socket)).split("\r\n")
        expect(line).toBe("HTTP/1.1 421 Misdirected Request")
    })

    test("a configured name is answered, for a proxy in front", async () => {
        await serve({ hostNames: ["rng.example", "My-Host"] })
        for (const name of ["rng.example", "RNG.example", "My-Host", "my-host"])
            expect(await ask(name)).toBe(200)
        expect(await ask("evil.example")).toBe(421)
    })

    test("no page of another site is allowed to read an answer, or to send JSON", async () => {
        const answer = await fetch(`${url}/api/v1/data`, {
            ...{ method: "OPTIONS" },
            headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
        })
        expect(answer.status).toBe(404)
        expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([])
    })
})

describe("tokens", () => {
    let folder: string
    let lab: { readonly token: string; readonly sha256: string }
    let operator: typeof lab
    beforeEach(async () => {
        folder = await mkdtemp(join(tmpdir(), "tallylight-http-"))
        ;[lab, operator] = [makeToken(systemRandom), makeToken(systemRandom)]
        const tokens = [
            // As long a period as there is, so that none ends during a test.
            { name: "lab", sha256: lab.sha256, budget: { bytes: 100, periodSeconds: 366 * 86_400 } },
            { name: "operator", sha256: operator.sha256, admin: true },
        ]
        const tokensFile = join(folder, "tokens.jsonc")
        await writeFile(tokensFile, JSON.stringify({ tokens }), { mode: 0o600 })
        await serve({ tokensFile })
    })
    afterEach(() => rm(folder, { recursive: true }))

    const bearer = ({ token }: { readonly token: string }) => ({ authorization: `Bearer ${token}` })

    test("are needed for everything but liveness, readiness and the description", async () => {
        for (const path of ["/healthz", "/readyz", "/openapi.json", "/docs/", "/docs/static/swagger-ui.css"])
            expect((await fetch(url + path)).status).toBe(200)
        for (const path of ["/v1/random", "/api/v1/status", "/api/v1/health", "/metrics", "/v1/sound"]) {
            const answer = await fetch(url + path)
            expect(answer.headers.get("www-authenticate")).toBe("Bearer")
            expect((await refusal(answer)).slice(0, 2)).toEqual([401, "unauthorized"])
            expect((await fetch(url + path, { headers: bearer(operator) })).status).toBe(200)
        }
        for (const authorization of ["", "Bearer", "Bearer x", `Basic ${lab.token}`, `Bearer ${lab.sha256}`])
            expect((await fetch(`${url}/v1/random`, { headers: { authorization } })).status).toBe(401)
    })

    test("have budgets in bytes, and say what is left and when the next period begins", async () => {
        const ask = (bytes: number): Promise<Response> =>
            fetch(`${url}/v1/random?bytes=${bytes}`, { headers: bearer(lab) })
        const first = await ask(60)
        expect([first.status, first.headers.get("ratelimit-remaining")]).toEqual([200, "40"])
        const refused = await ask(41)
        expect((await refusal(refused)).slice(0, 2)).toEqual([429, "budget-spent"])
        expect(refused.headers.get("ratelimit-limit")).toBe("100")
        expect(refused.headers.get("ratelimit-remaining")).toBe("40")
        expect(refused.headers.get("retry-after")).toBe(refused.headers.get("ratelimit-reset"))
        expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0)
        const data = await post({ format: "uint32", count: 10 }, bearer(lab))
        expect([data.status, data.headers.get("ratelimit-remaining")]).toEqual([200, "0"])
        expect((await ask(1)).status).toBe(429)
        expect((await post({ format: "int8" }, bearer(lab))).status).toBe(429)
        const never = await fetch(`${url}/v1/sound`, { headers: bearer(lab) })
        expect([never.status, never.headers.get("retry-after")]).toEqual([400, null])
        expect(await never.json()).toMatchObject({ code: "malformed", facts: { most: 100 } })
        expect((await ask(101)).status).toBe(400)
        expect((await fetch(`${url}/v1/random?bytes=100`, { headers: bearer(operator) })).status).toBe(200)
    })

    test("pay nothing for bytes that they did not get", async () => {
        core.waiting = 0
        expect((await post({ format: "int8", source: "trng" }, bearer(lab))).status).toBe(503)
        core.unready = ["chip-a is gone"]
        expect((await fetch(`${url}/v1/random?bytes=50`, { headers: bearer(lab) })).status).toBe(503)
        core.unready = []
        const whole = await fetch(`${url}/v1/random?bytes=100`, { headers: bearer(lab) })
        expect([whole.status, whole.headers.get("ratelimit-remaining")]).toEqual([200, "0"])
    })

    test("of administrators change the configuration, and no others", async () => {
        const put = (path: string, body: object, headers: Record<string, string>): Promise<Response> =>
            fetch(url + path, {
                ...{ method: "PUT", body: JSON.stringify(body) },
                headers: { "content-type": "application/json", ...headers },
            })
        const [queue, consumption] = ["/api/v1/config/queue", "/api/v1/config/consumption"]
        expect((await put(queue, { capacity: 1024 }, {})).status).toBe(401)
        expect((await refusal(await put(queue, { capacity: 1024 }, bearer(lab)))).slice(0, 2)).toEqual([
            ...[403, "forbidden"],
        ])
        const changed = await put(queue, { capacity: 1024 }, bearer(operator))
        expect([changed.status, await changed.json()]).toEqual([200, { capacity: 1024, chunk: 64 }])
        const read = await fetch(url + queue, { headers: bearer(lab) })
        expect(await read.json()).toEqual({ capacity: 1024, chunk: 64 })
        for (const body of [{}, { capacity: 1023 }, { chunk: 31 }, { size: 5 }])
            expect((await put(queue, body, bearer(operator))).status).toBe(400)
        expect((await put(consumption, { consumption: "keep" }, bearer(lab))).status).toBe(403)
        const kept = await put(consumption, { consumption: "keep" }, bearer(operator))
        expect(await kept.json()).toEqual({ consumption: "keep" })
        expect((await put(consumption, { consumption: "never" }, bearer(operator))).status).toBe(400)
        expect(await (await fetch(url + consumption, { headers: bearer(lab) })).json()).toEqual({
            consumption: "keep",
        })
    })

    test("are not needed where it is open, whose budget all who show none share", async () => {
        const tokensFile = join(folder, "tokens.jsonc")
        const open = { bytes: 50, periodSeconds: 366 * 86_400 }
        await serve({ tokensFile, allowOpen: true, budgets: { open } })
        expect((await fetch(`${url}/v1/random?bytes=50`)).status).toBe(200)
        expect((await fetch(`${url}/v1/random?bytes=1`)).status).toBe(429)
        expect((await fetch(`${url}/v1/random?bytes=60`, { headers: bearer(lab) })).status).toBe(200)
        expect(
            (await fetch(`${url}/v1/random?bytes=1`, { headers: { authorization: "Bearer x" } })).status,
        ).toBe(401)
    })
})

test("without a tokens file nobody changes the configuration", async () => {
    const answer = await fetch(`${url}/api/v1/config/consumption`, {
        ...{ method: "PUT", body: JSON.stringify({ consumption: "keep" }) },
        headers: { "content-type": "application/json" },
    })
    expect((await refusal(answer)).slice(0, 2)).toEqual([403, "forbidden"])
})

test("pictures and sound have the size that is asked for, and no more than is allowed", async () => {
    const image = await fetch(`${url}/v1/image/random?width=31&height=7`)
    expect(image.headers.get("content-type")).toBe("image/png")
    expect(image.headers.get("x-rng-simulated")).toBe("true")
    const { width, height, data } = PNG.sync.read(Buffer.from(await image.arrayBuffer()))
    expect([width, height]).toEqual([31, 7])
    const pixels = Uint8Array.from(data).filter((_, at) => at % 4 !== 3)
    expect(pixels).toEqual(
        new Uint8Array(
            firstSeeded()
                .read(16 * 1024)
                .subarray(0, 3 * 31 * 7),
        ),
    )
    const heatmap = PNG.sync.read(Buffer.from(await (await fetch(`${url}/v1/image/heatmap`)).arrayBuffer()))
    expect([heatmap.width, heatmap.height]).toEqual([256, 256])
    const sound = await fetch(`${url}/v1/sound?seconds=2`)
    expect(sound.headers.get("content-type")).toBe("audio/wav")
    expect(await bytesOf(sound)).toHaveLength(44 + 2 * 2 * 44_100)
    for (const path of [
        ...["/v1/image/random?width=1025", "/v1/image/random?height=0", "/v1/image/random?depth=1"],
        ...["/v1/image/heatmap?pairs=1", "/v1/sound?seconds=11", "/v1/sound?seconds=x"],
    ])
        expect((await refusal(await fetch(url + path))).slice(0, 2)).toEqual([400, "malformed"])
})

test("a defect is answered as one, says nothing of itself, and ends nothing", async () => {
    core.status = () => Promise.reject(new Error("a secret of the house"))
    const answer = await fetch(`${url}/api/v1/status`)
    expect(await refusal(answer)).toEqual([500, "internal", "this server failed; its log says more"])
    core.seed = () => Promise.reject(new Error("a secret of the house"))
    expect((await refusal(await fetch(`${url}/v1/random`))).slice(0, 2)).toEqual([500, "internal"])
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
})

test("closing ends connections that are idle or stuck", async () => {
    await serve({ limits: { stopMs: 50 } })
    const idle = connect(Number(new URL(url).port), "127.0.0.1")
    const stuck = connect(Number(new URL(url).port), "127.0.0.1")
    for (const socket of [idle, stuck]) socket.on("error", () => undefined).pause()
    stuck.write("GET /v1/random?bytes=1000000000 HTTP/1.1\r\nhost: localhost\r\n\r\n")
    while ((await fortunaBytes()) === 0) await sleep(10)
    await http.close()
    await expect(fetch(`${url}/healthz`)).rejects.toThrow()
})

test("metrics count each answer once, also a refusal under another spelling of a path", async () => {
    const wrong = { headers: { authorization: "Bearer x" } }
    for (const path of ["/v1/random", "/v1/rando%6D", "/v1/random/none"]) await fetch(url + path, wrong)
    await fetch(`${url}/v1/rando%6D`)
    await fetch(`${url}/v1/rando%6D?bytes=0`)
    await fetch(`${url}/v1/random`, { method: "HEAD" })
    const metrics = await (await fetch(`${url}/metrics`)).text()
    const counted = metrics
        .split("\n")
        .filter((line) => /answers_total.*route="(\/v1\/random|none)"/.test(line))
    expect(counted.map((line) => line.slice(line.indexOf("{"))).sort()).toEqual([
        '{method="GET",route="/v1/random",status="200"} 1',
        '{method="GET",route="/v1/random",status="400"} 1',
        '{method="GET",route="/v1/random",status="401"} 2',
        '{method="GET",route="none",status="401"} 1',
        '{method="HEAD",route="/v1/random",status="200"} 1',
    ])
})

test("metrics say what was answered and given, and how the sources are", async () => {
    await fetch(`${url}/v1/random?bytes=10`)
    await fetch(`${url}/v1/random?bytes=0`)
    await post({ format: "binary", count: 3, source: "trng" })
    const metrics = await (await fetch(`${url}/metrics`)).text()
    for (const line of [
        'tallylight_entropy_http_answers_total{method="GET",route="/v1/random",status="200"} 1',
        'tallylight_entropy_http_answers_total{method="GET",route="/v1/random",status="400"} 1',
        'tallylight_entropy_http_answers_total{method="POST",route="/api/v1/data",status="200"} 1',
        'tallylight_entropy_bytes_given_total{source="fortuna"} 10',
        'tallylight_entropy_bytes_given_total{source="trng"} 3',
        'tallylight_entropy_source_healthy{source="chip-a"} 1',
        "tallylight_entropy_ready 1",
        "tallylight_entropy_simulated 1",
        "tallylight_entropy_queue_simulated 1",
        "tallylight_entropy_queue_handed_out_bytes 3",
    ])
        expect(metrics.split("\n")).toContain(line)
})
