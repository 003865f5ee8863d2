import { once } from "node:events"
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { AddressInfo } from "node:net"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"

import { systemClock } from "@tallylight/node/system-clock.js"
import { UserError } from "@tallylight/node/user-error.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"
import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { makeCertificate } from "../../../../test/certificates.ts"
import { signalHolders } from "../../../../test/signal-holders.ts"
import { qrngHttpDriver } from "./qrng-http.ts"
import { qrngHttpSettings } from "./qrng-http-settings.ts"
import type { Source } from "./source.ts"

const { signal } = new AbortController()

let folder: string
let keyFile: string
const servers: Server[] = []
const sources: Source[] = []

beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-qrng-"))
    keyFile = join(folder, "anu.key")
    await writeFile(keyFile, "secret-key\n", { mode: 0o600 })
})

afterEach(async () => {
    for (const source of sources.splice(0)) await source.close()
    for (const server of servers.splice(0)) {
        server.closeAllConnections()
        server.close()
    }
    await rm(folder, { recursive: true })
})

async function serve(answer: RequestListener, server: Server = createServer(answer)): Promise<string> {
    server.listen(0, "127.0.0.1")
    servers.push(server)
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    return `127.0.0.1:${port}`
}

type Given = Readonly<Record<string, string | number>>

function driverOf(given: Given, clock: Clock = systemClock) {
    return qrngHttpDriver(qrngHttpSettings.parse({ kind: "qrng-http", name: "tested", ...given }), clock)
}

async function openSource(given: Given, clock: Clock = systemClock): Promise<Source> {
    const source = await driverOf(given, clock).open(signal)
    sources.push(source)
    return source
}

function idq(host: string, more: Given = {}): Given {
    return { api: "idq", url: `http://${host}`, ...more }
}

function anu(host: string, more: Given = {}): Given {
    return { api: "anu", url: `http://${host}`, keyFile, minIntervalMs: 0, ...more }
}

function queryOf(request: IncomingMessage): URL {
    return new URL(request.url ?? "", "http://localhost")
}

/** Bytes 0, 1, 2, … over all answers, each 256 turned by another pattern, so that each can be told from the others. */
class Counting {
    #next = 0

    take(count: number): Uint8Array {
        return Uint8Array.from({ length: count }, () => {
            const at = this.#next++
            return (at ^ (at >>> 8)) & 0xff
        })
    }
}

/** ID Quantique's appliance, as its clients know it. */
function appliance(): RequestListener {
    const bytes = new Counting()
    return (request, response) => {
        const { pathname, searchParams } = queryOf(request)
        if (pathname === "/api/2.0/streambytes") {
            response.end(bytes.take(Number(searchParams.get("size"))))
        } else if (pathname === "/api/2.0/hexbytes" && searchParams.get("dataLength") === "1") {
            const hex = [...bytes.take(Number(searchParams.get("quantity")))]
            response.end(JSON.stringify(hex.map((byte) => byte.toString(16).padStart(2, "0"))))
        } else response.writeHead(404).end()
    }
}

/** ANU's service: the length is a string, and a wrong key is Forbidden. */
function anuAnswer(request: IncomingMessage, bytes = new Counting()): unknown {
    const { searchParams } = queryOf(request)
    const length = Number(searchParams.get("length"))
    const type = searchParams.get("type")
    const size = Number(searchParams.get("size") ?? 1)
    const data =
        type === "uint8"
            ? [...bytes.take(length)]
            : Array.from({ length }, () => Buffer.from(bytes.take(2 * size)).toString("hex"))
    return { success: true, type, length: String(length), data }
}

function anuService(): RequestListener {
    const bytes = new Counting()
    return (request, response) => {
        if (request.headers["x-api-key"] !== "secret-key")
            response.writeHead(403).end(JSON.stringify({ message: "Forbidden" }))
        else response.end(JSON.stringify(anuAnswer(request, bytes)))
    }
}

async function readAll(source: Source, length: number): Promise<Uint8Array> {
    const parts: number[] = []
    while (parts.length < length) parts.push(...(await source.read(length - parts.length, signal)))
    return Uint8Array.from(parts)
}

describe("bytes come in order, and each once", () => {
    test.each(["streambytes", "hexbytes"])("from ID Quantique's %s", async (format) => {
        const host = await serve(appliance())
        const source = await openSource(idq(host, { format, blockBytes: 100 }))
        expect(await readAll(source, 600)).toStrictEqual(new Counting().take(600))
        expect(source.facts).toEqual({ api: "idq", url: `http://${host}`, authorities: "public" })
    })

    test.each([
        ["uint8", 1024],
        ["hex16", 20_480],
    ] as const)("from ANU's %s", async (type, perRequest) => {
        const host = await serve(anuService())
        const source = await openSource(anu(host, { type }))
        const bytes = new Counting()
        expect(await source.read(100, signal)).toStrictEqual(bytes.take(100))
        expect(await source.read(1_000_000, signal)).toStrictEqual(bytes.take(perRequest - 100))
        expect(await source.read(3, signal)).toStrictEqual(bytes.take(3))
    })
})

describe("ANU's key", () => {
    test("that is wrong is refused with its file, and never shown", async () => {
        const host = await serve(anuService())
        await writeFile(keyFile, "another-key\n")
        const refused = openSource(anu(host))
        await expect(refused).rejects.toThrow(
            new UserError(`http://${host} refuses the key in ${keyFile} (403); ask for another one`),
        )
        await expect(refused).rejects.not.toThrow("another-key")
    })

    test("that others may read is refused", async () => {
        const host = await serve(anuService())
        await chmod(keyFile, 0o644)
        await expect(openSource(anu(host))).rejects.toThrow(`run: chmod 600 ${keyFile}`)
    })

    test.each(["", "\n", "two words", "a\nb"])("is one line, and not %j", async (content) => {
        const host = await serve(anuService())
        await writeFile(keyFile, content)
        const refused = openSource(anu(host))
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow(`${keyFile} must hold one line`)
    })

    test("whose file is missing is named", async () => {
        const host = await serve(anuService())
        await rm(keyFile)
        await expect(openSource(anu(host))).rejects.toThrow(`there is no key file ${keyFile}`)
    })

    test("goes nowhere else, wherever the server sends us", async () => {
        const keys: unknown[] = []
        const other = await serve((request, response) => {
            keys.push(request.headers["x-api-key"])
            response.end()
        })
        const host = await serve((_, response) =>
            response.writeHead(302, { location: `http://${other}/` }).end(),
        )
        await expect(openSource(anu(host))).rejects.toThrow("it answers 302")
        expect(keys).toEqual([])
    })
})

describe("an answer that is not as it must be is refused", () => {
    type Anu = { success: unknown; type: unknown; length: unknown; data: unknown[] }
    const json = (value: unknown): string => JSON.stringify(value)

    test.each<[string, string, (right: Anu) => string]>([
        [
            "of ANU's that has failed",
            "it says that it has failed: sorry?",
            (right) => json({ ...right, success: false, message: "sorry\u0007" }),
        ],
        ["without its flag", "at success", ({ data }) => json({ data })],
        ["with a flag that is text", "at success", (right) => json({ ...right, success: "true" })],
        [
            "with a byte less",
            "gave 1023 bytes, and 1024 were asked for",
            (right) => json({ ...right, data: right.data.slice(1) }),
        ],
        ["with a byte more", "gave 1025 bytes", (right) => json({ ...right, data: [...right.data, 0] })],
        ["with no data", "at data", (right) => json({ ...right, data: undefined })],
        [
            "with 256 as a byte",
            "at data.1023",
            (right) => json({ ...right, data: [...right.data.slice(1), 256] }),
        ],
        [
            "with -1 as a byte",
            "at data.1023",
            (right) => json({ ...right, data: [...right.data.slice(1), -1] }),
        ],
        [
            "with a fraction",
            "at data.1023",
            (right) => json({ ...right, data: [...right.data.slice(1), 0.5] }),
        ],
        [
            "with text as a byte",
            "at data.1023",
            (right) => json({ ...right, data: [...right.data.slice(1), "1"] }),
        ],
        ["that is cut", "no JSON", (right) => json(right).slice(0, -1)],
        ["that is empty", "no JSON", () => ""],
        ["that is a page", "no JSON", () => "<html>busy</html>"],
        ["that is too large", "more than the 9216 bytes", (right) => json(right) + " ".repeat(9216)],
    ])("%s", async (_, problem, mutate) => {
        let change = json
        const host = await serve((request, response) => response.end(change(anuAnswer(request))))
        await openSource(anu(host, { type: "uint8" }))
        change = (right) => mutate(right as Anu)
        const refused = openSource(anu(host, { type: "uint8" }))
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow(problem)
    })

    test.each<[string, (data: string[]) => unknown[]]>([
        ["shorter", ([first = "", ...rest]) => [first.slice(2), ...rest]],
        ["longer", ([first = "", ...rest]) => [`${first}00`, ...rest]],
        ["no hexadecimal number", ([first = "", ...rest]) => [`xy${first.slice(2)}`, ...rest]],
        ["a number", ([, ...rest]) => [7, ...rest]],
    ])("of ANU's with a block that is %s", async (_, mutate) => {
        let change = (data: string[]): unknown[] => data
        const host = await serve((request, response) => {
            const right = anuAnswer(request) as { data: string[] }
            response.end(json({ ...right, data: change(right.data) }))
        })
        await openSource(anu(host))
        change = mutate
        await expect(openSource(anu(host))).rejects.toThrow("not its format at data.0")
    })

    test.each([
        ["streambytes", Buffer.alloc(99), "gave 99 bytes, and 100 were asked for"],
        ["streambytes", Buffer.alloc(101), "more than the 100 bytes of a right answer"],
        ["streambytes", Buffer.alloc(0), "gave 0 bytes"],
        ["hexbytes", json(Array(99).fill("00")), "gave 99 bytes"],
        ["hexbytes", json(Array(101).fill("00")), "gave 101 bytes"],
        ["hexbytes", json(Array(100).fill("0")), "not its format at 0"],
        ["hexbytes", json(Array(100).fill("0g")), "not its format at 0"],
        ["hexbytes", json(Array(100).fill(0)), "not its format at 0"],
        ["hexbytes", json({ 0: "00" }), "not its format"],
        ["hexbytes", Buffer.of(0x5b, 0x22, 0xff, 0x22, 0x5d), "no JSON"],
    ])("of ID Quantique's %s (%#)", async (format, wrong, problem) => {
        const right = appliance()
        let answer = right
        const host = await serve((request, response) => answer(request, response))
        const source = await openSource(idq(host, { format, blockBytes: 100 }))
        expect((await source.read(1, signal)).length).toBe(1)
        expect((await source.read(100, signal)).length).toBe(100)
        answer = (_, response) => response.end(wrong)
        const refused = source.read(100, signal)
        await expect(refused).rejects.toThrow(problem)
        await expect(refused).rejects.not.toBeInstanceOf(UserError)
    })

    test("that is compressed, though nobody asked for it", async () => {
        const bomb = gzipSync(Buffer.alloc(100_000))
        const host = await serve((_, response) =>
            response.writeHead(200, { "content-encoding": "gzip" }).end(bomb),
        )
        await expect(openSource(idq(host))).rejects.toThrow("more than the 1 bytes")
    })

    test("that never ends", async () => {
        let closed = false
        const host = await serve((_, response) => {
            response.on("close", () => (closed = true))
            const pour = (): void => {
                while (!response.destroyed && response.write(Buffer.alloc(1000)));
            }
            response.on("drain", pour)
            pour()
        })
        await expect(openSource(idq(host))).rejects.toThrow("more than the 1 bytes")
        await expect.poll(() => closed).toBe(true)
    })
})

describe("an answer that came before", () => {
    /** Each answer is of one byte, repeated; a source's opening takes the first of them. */
    async function scripted(...bytes: number[]) {
        const headers: IncomingMessage["headers"][] = []
        const host = await serve((request, response) => {
            headers.push(request.headers)
            const size = Number(queryOf(request).searchParams.get("size"))
            response.end(Buffer.alloc(size, bytes.shift()))
        })
        const driver = driverOf(idq(host))
        const opened = async (): Promise<Source> => {
            const source = await driver.open(signal)
            sources.push(source)
            await source.read(1, signal)
            return source
        }
        return {
            opened,
            headers,
            problem: `cannot use the answer of http://${host}: it gave the same bytes twice`,
        }
    }

    test("is refused, also by the source that is opened next", async () => {
        const { opened, problem } = await scripted(0, 1, 1, 0, 1, 0, 2)
        const source = await opened()
        expect(await source.read(64, signal)).toStrictEqual(new Uint8Array(64).fill(1))
        await expect(source.read(64, signal)).rejects.toThrow(problem)
        await expect((await opened()).read(64, signal)).rejects.toThrow(problem)
        expect(await (await opened()).read(64, signal)).toStrictEqual(new Uint8Array(64).fill(2))
    })

    test("is refused as one of the last 16", async () => {
        const seventeen = Array.from({ length: 17 }, (_, i) => i + 1)
        const { opened, problem } = await scripted(0, ...seventeen, 1, 3)
        const source = await opened()
        for (const byte of [...seventeen, 1])
            expect(await source.read(64, signal)).toStrictEqual(new Uint8Array(64).fill(byte))
        await expect(source.read(64, signal)).rejects.toThrow(problem)
    })

    test("may be one of fewer than 16 bytes, by chance", async () => {
        const { opened, problem } = await scripted(0, 1, 1, 1, 1)
        const source = await opened()
        for (const length of [15, 15, 16]) expect((await source.read(length, signal)).length).toBe(length)
        await expect(source.read(16, signal)).rejects.toThrow(problem)
    })

    test("is to be kept by no cache", async () => {
        const { opened, headers } = await scripted(0)
        await opened()
        expect(headers.map((each) => each["cache-control"])).toEqual(["no-store"])
    })
})

describe("a server that has had enough", () => {
    /** Answers with each of these statuses, then as it should. */
    async function tired(...refusals: (readonly [status: number, retryAfter?: string | undefined])[]) {
        const asked: number[] = []
        const right = appliance()
        const host = await serve((request, response) => {
            asked.push(asked.length)
            const [status, retryAfter] = refusals.shift() ?? [200]
            if (status === 200) right(request, response)
            else {
                if (retryAfter !== undefined) response.setHeader("retry-after", retryAfter)
                response.writeHead(status).end("too many")
            }
        })
        return { host, asked }
    }

    /** Lets time pass whenever somebody waits for it. */
    async function passing<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
        const state = { isDone: false }
        const done = work.finally(() => (state.isDone = true))
        done.catch(() => undefined)
        while (!state.isDone) {
            await new Promise((resolve) => setTimeout(resolve, 1))
            await clock.advance(1000)
        }
        return done
    }

    test.each([
        [429, "7", 7000],
        [503, "7", 7000],
        [429, new Date(7000).toUTCString(), 6000],
        [429, "0", 1000],
        [429, new Date(0).toUTCString(), 1000],
    ])("is left alone for as long as it says (%i, %s)", async (status, retryAfter, leastMs) => {
        const clock = new ManualClock(0)
        const { host, asked } = await tired([status, retryAfter])
        const before = clock.elapsed()
        const source = await passing(clock, openSource(idq(host), clock))
        expect((await source.read(1, signal)).length).toBe(1)
        expect(asked.length).toBe(2)
        expect(clock.elapsed() - before).toBeGreaterThanOrEqual(leastMs)
    })

    test("for longer than our patience is given up, and not asked again before that", async () => {
        const clock = new ManualClock(0)
        const { host, asked } = await tired([429, "600"])
        const driver = driverOf(idq(host), clock)
        const refused = driver.open(signal)
        await expect(refused).rejects.toThrow(UserError)
        const problem = `http://${host} asks to be left alone for longer than patienceMs, 30000 ms`
        await expect(refused).rejects.toThrow(new UserError(problem))
        await clock.advance(500_000)
        // In the same words, so that it is one outage and not two.
        await expect(driver.open(signal)).rejects.toThrow(new UserError(problem))
        expect(asked.length).toBe(1)
        await clock.advance(100_000)
        sources.push(await driver.open(signal))
        expect(asked.length).toBe(2)
    })

    test.each([
        [undefined, 60],
        ["soon", 60],
        ["99999999999", 86_400],
    ])("and says %s is left alone for %i s", async (retryAfter, seconds) => {
        const clock = new ManualClock(0)
        const { host, asked } = await tired([429, retryAfter])
        const driver = driverOf(idq(host, { patienceMs: 0 }), clock)
        await expect(driver.open(signal)).rejects.toThrow("asks to be left alone")
        await clock.advance(1000 * seconds - 1)
        await expect(driver.open(signal)).rejects.toThrow("asks to be left alone")
        expect(asked.length).toBe(1)
        await clock.advance(1)
        sources.push(await driver.open(signal))
        expect(asked.length).toBe(2)
    })

    test("again and again is given up once our patience has run out", async () => {
        const clock = new ManualClock(0)
        const { host, asked } = await tired(...Array<[number, string]>(100).fill([429, "4"]))
        const refused = passing(clock, openSource(idq(host, { patienceMs: 30_000 }), clock))
        await expect(refused).rejects.toThrow("asks to be left alone for longer")
        expect(asked.length).toBeLessThan(10)
    })

    test("without saying for how long, with a 503, is a failure like others", async () => {
        const { host } = await tired([503])
        await expect(openSource(idq(host))).rejects.toThrow(`cannot read http://${host}: it answers 503`)
    })

    test("while we wait, ends with the signal's reason", async () => {
        const { host } = await tired([429, "20"])
        const stop = new AbortController()
        const reason = new Error("enough")
        const opening = driverOf(idq(host)).open(stop.signal)
        setTimeout(() => stop.abort(reason), 50)
        await expect(opening).rejects.toBe(reason)
    })

    test("is asked no more often than configured", async () => {
        const clock = new ManualClock(0)
        const { host, asked } = await tired()
        const source = await openSource(idq(host, { minIntervalMs: 10_000 }), clock)
        await source.read(1, signal)
        const read = source.read(1, signal)
        await new Promise((resolve) => setTimeout(resolve, 20))
        expect(asked.length).toBe(1)
        await passing(clock, read)
        expect(asked.length).toBe(2)
        expect(clock.elapsed()).toBeGreaterThanOrEqual(10_000)
    })

    test("less often than our patience lasts is no server's wish, and waited for", async () => {
        const clock = new ManualClock(0)
        const { host, asked } = await tired()
        const given = idq(host, { minIntervalMs: 100_000, patienceMs: 1000 })
        const driver = driverOf(given, clock)
        const source = await driver.open(signal)
        sources.push(source)
        await source.read(1, signal)
        expect((await passing(clock, source.read(64, signal))).length).toBe(64)
        const again = await passing(clock, driver.open(signal))
        sources.push(again)
        expect(asked.length).toBe(3)
        expect(clock.elapsed()).toBeGreaterThanOrEqual(200_000)
    })

    test("leaves its whole patience to the server after such a wait", async () => {
        const clock = new ManualClock(0)
        const { host, asked } = await tired([200], [429, "120"])
        const source = await openSource(idq(host, { minIntervalMs: 100_000, patienceMs: 30_000 }), clock)
        await source.read(1, signal)
        expect((await passing(clock, source.read(64, signal))).length).toBe(64)
        expect(asked.length).toBe(3)
    })
})

test("nothing is left in the signal of the requests, whatever comes of them", async () => {
    const { signal: longLived } = new AbortController()
    const right = appliance()
    let asked = 0
    const host = await serve((request, response) => {
        asked += 1
        if (asked < 6) right(request, response)
        else if (asked === 6) response.writeHead(502).end()
    })
    const source = await driverOf(idq(host, { timeoutMs: 200 })).open(longLived)
    sources.push(source)
    for (let reads = 0; reads < 5; reads += 1) await source.read(64, longLived)
    await expect(source.read(64, longLived)).rejects.toThrow("it answers 502")
    await expect(source.read(64, longLived)).rejects.toThrow("it has not answered for 200 ms")
    expect(signalHolders(longLived)).toBe(0)
})

describe("a server that cannot be reached", () => {
    test("because nothing listens", async () => {
        const host = await serve(appliance())
        await new Promise((resolve) => servers[0]?.close(resolve))
        await expect(openSource(idq(host))).rejects.toThrow(
            new UserError(`cannot read http://${host}: nothing listens there`),
        )
    })

    test("because it says nothing", async () => {
        const host = await serve(() => undefined)
        await expect(openSource(idq(host, { timeoutMs: 100 }))).rejects.toThrow(
            `cannot read http://${host}: it has not answered for 100 ms`,
        )
    })

    test("because it stops in the middle", async () => {
        const host = await serve((_, response) => {
            response.writeHead(200, { "content-length": "1" }).flushHeaders()
            setTimeout(() => response.destroy(), 20)
        })
        await expect(openSource(idq(host))).rejects.toThrow(`cannot read http://${host}: `)
    })

    test("is found again once it is back", async () => {
        let isAway = false
        const right = appliance()
        const host = await serve((request, response) => {
            if (isAway) response.writeHead(502).end()
            else right(request, response)
        })
        const driver = driverOf(idq(host))
        const source = await driver.open(signal)
        await source.read(1, signal)
        isAway = true
        await expect(source.read(1, signal)).rejects.toThrow("it answers 502")
        await source.close()
        await expect(driver.open(signal)).rejects.toThrow(UserError)
        isAway = false
        const again = await driver.open(signal)
        sources.push(again)
        expect((await again.read(1, signal)).length).toBe(1)
    })
})

describe("over TLS", () => {
    async function serveTls(): Promise<{ readonly host: string; readonly cert: string }> {
        const { cert, key } = await makeCertificate()
        const answer = appliance()
        return { host: await serve(answer, createTlsServer({ cert, key }, answer)), cert }
    }

    test("an authority of our own is trusted, and only where it is given", async () => {
        const { host, cert } = await serveTls()
        const caFile = join(folder, "ca.pem")
        await writeFile(caFile, cert)
        const given = { api: "idq", url: `https://${host}` }
        const source = await openSource({ ...given, caFile })
        expect((await source.read(1, signal)).length).toBe(1)
        expect(source.facts).toMatchObject({ authorities: "private" })
        const refused = openSource(given)
        await expect(refused).rejects.toThrow(UserError)
        await expect(refused).rejects.toThrow(
            /certificate is .* give (it|that authority's certificate) with caFile/,
        )
    })

    test("a server of another authority is refused", async () => {
        const { host } = await serveTls()
        const caFile = join(folder, "ca.pem")
        await writeFile(caFile, (await makeCertificate()).cert)
        await expect(openSource({ api: "idq", url: `https://${host}`, caFile })).rejects.toThrow(
            "certificate",
        )
    })

    test("a file with certificates has some", async () => {
        const caFile = join(folder, "ca.pem")
        const given = { api: "idq", url: "https://127.0.0.1:9", caFile }
        await expect(openSource(given)).rejects.toThrow(`there is no file ${caFile} with certificates`)
        await writeFile(caFile, "none")
        await expect(openSource(given)).rejects.toThrow(`${caFile} holds no certificate in PEM`)
    })
})

describe("settings", () => {
    test("of ANU's service have defaults", () => {
        const settings = qrngHttpSettings.parse({ kind: "qrng-http", name: "a", api: "anu", keyFile: "key" })
        expect(settings).toMatchObject({
            url: "https://api.quantumnumbers.anu.edu.au",
            type: "hex16",
            minIntervalMs: 1000,
            minEntropy: 4,
        })
    })

    test.each([
        { url: "http://192.0.2.1" },
        { url: "ftp://127.0.0.1" },
        { url: "quantum" },
        { url: "https://192.0.2.1/api" },
        { url: "https://192.0.2.1?a" },
        { url: "https://user@192.0.2.1" },
        { url: "https://user:secret@192.0.2.1/" },
        { url: "https://:secret@192.0.2.1" },
        { keyFile: "key" },
        { format: "short" },
        { blockBytes: 0 },
        { minEntropy: 9 },
    ])("%j are refused", (given) => {
        const valid = { kind: "qrng-http", name: "a", api: "idq", url: "https://192.0.2.1" }
        expect(qrngHttpSettings.safeParse(valid).success).toBe(true)
        expect(qrngHttpSettings.safeParse({ ...valid, url: `${valid.url}/` }).success).toBe(true)
        expect(qrngHttpSettings.safeParse({ ...valid, ...given }).success).toBe(false)
    })

    test("with a password in the address are told where keys belong, and not shown it", () => {
        const url = "http://user:secret@127.0.0.1:9"
        const refused = qrngHttpSettings.safeParse({
            kind: "qrng-http",
            name: "a",
            api: "anu",
            keyFile: "key",
            url,
        })
        expect(refused.error?.issues.map(({ message }) => message)).toEqual([
            "a URL without user and password; the appliance takes none, and ANU's key belongs in the file of keyFile",
        ])
        expect(refused.error?.message).not.toContain("secret")
    })
})
