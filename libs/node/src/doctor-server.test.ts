/** What may be wrong between here and a server, on servers that are wrong in one way each. */
import { createServer } from "node:http"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { judgeClock, serverChecks } from "./doctor-server.ts"
import type { Whom } from "./doctor-server.ts"
import { examine } from "./doctor.ts"

const never = new AbortController().signal
const chain = "ab".repeat(32)

let server: Server
let url: string
let pages: Record<string, unknown>

beforeEach(async () => {
    pages = { "/healthz": { status: "ok" }, "/v1/chains": { chains: [{ id: chain, name: "main" }] } }
    server = createServer(({ url: path = "" }, response) => {
        const page = pages[path]
        response.writeHead(page === undefined ? 404 : 200).end(JSON.stringify(page ?? {}))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
    server.closeAllConnections()
    server.close()
})

const nothing = (): Promise<undefined> => Promise.resolve(undefined)

/** The verdict of each check, and what it says. */
async function look(whom: Partial<Whom> = {}): Promise<Record<string, string>> {
    const checks = serverChecks({ url, chain, pinned: nothing, seen: nothing, ...whom })
    const found: Record<string, string> = {}
    for await (const { name, verdict, says } of examine(checks, never)) found[name] = `${verdict}: ${says}`
    return found
}

const bytes =
    (hex: string): (() => Promise<Uint8Array>) =>
    () =>
        Promise.resolve(Buffer.from(hex, "hex"))

describe("between here and a server", () => {
    test("all but the WebSocket is right", async () => {
        const found = await look({ pinned: bytes(chain) })
        expect(found.host).toBe("ok: 127.0.0.1 is 127.0.0.1")
        expect(found.connection).toMatch(/^ok/)
        expect(found.server).toBe(`ok: healthy at ${url}`)
        expect(found.chain).toBe(`ok: ${chain} (main)`)
        expect(found.websocket).toMatch(/^fail: .* there is no chain at that address$/)
        expect(found.clock).toMatch(/^warn: not looked at/)
    })

    test("the address is none", async () => {
        expect(await look({ url: "here" })).toEqual({ server: "fail: “here” is no address" })
        expect(await look({ url: "ftp://x" })).toEqual({ server: "fail: “ftp://x” is no address" })
    })

    test("nobody knows the name", async () => {
        expect((await look({ url: "http://nobody.invalid:7710" })).host).toMatch(
            /^fail: the name nobody.invalid/,
        )
    })

    test("nothing listens", async () => {
        server.close()
        const found = await look()
        expect(found.connection).toMatch(/^fail: .* takes none/)
        expect(found.server).toMatch(/^fail: nothing listens/)
    })

    test("there is no TLS", async () => {
        expect((await look({ url: url.replace("http", "https") })).certificate).toMatch(/^fail: not good/)
    })

    test("another program answers", async () => {
        pages = {}
        expect((await look()).server).toMatch(/^fail: .* answers 404$/)
    })

    test("the chain is another one than is meant", async () => {
        expect((await look({ chain: "cd".repeat(32) })).chain).toMatch(/^fail: .* has no chain/)
        const found = await look({ pinned: bytes("cd".repeat(32)) })
        expect(found.chain).toMatch(/^fail: the data directory belongs to chain cdcd/)
    })

    test("the chain is known from the server alone", async () => {
        expect((await look({ chain: undefined })).chain).toMatch(/^warn: .* because the server says so$/)
    })
})

test.each([
    [0, "ok"],
    [-1000, "ok"],
    [1001, "warn"],
    [-5000, "warn"],
    [5001, "fail"],
    [-86_400_000, "fail"],
])("a server's clock that is %i ms ahead is %s", (aheadMs, verdict) => {
    expect(judgeClock(aheadMs)).toMatchObject({ verdict })
})
