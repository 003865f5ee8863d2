import { mkdtemp, rm } from "node:fs/promises"
import { createHash, X509Certificate } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { sha512 } from "@tallylight/crypto/hash.js"
import { toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { ManualClock } from "@tallylight/protocol/ports/manual-clock.js"
import { XMLParser } from "fast-xml-parser"
import { fastify } from "fastify"
import type { FastifyInstance } from "fastify"
import { afterAll, beforeAll, describe, expect, test } from "vitest"

import { findFaults } from "./foreign-verifier.ts"
import type { ServedPulse } from "./foreign-verifier.ts"
import { addPulseRest } from "./pulse-rest.ts"
import { createPulses, openPulses } from "./pulses.ts"
import type { Pulses } from "./pulses.ts"
import { pulseSettings } from "./settings.ts"
import { TwinSigner, TwinValues } from "./twin-parts.ts"

const minute = 60_000
const start = Date.UTC(2027, 11, 31, 22, 57)
/** Minutes after the start: over hours, a day and a year, with gaps. */
const minutes = [0, 1, 2, 3, 4, 5, 40, 62, 63, 64, 65, 66, 67, 100, 123, 124, 125, 183, 184, 185, 186, 190]
const settings = pulseSettings.parse({
    baseUrl: "https://beacon.example.org",
    key: { kind: "pkcs11", module: "/m", token: "t", pinFile: "p" },
})

let folder: string
let pulses: Pulses
let server: FastifyInstance
let base: string
beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tallylight-pulse-rest-"))
    const clock = new ManualClock(start)
    const signer = await TwinSigner.of("first")
    const core = new TwinValues()
    await createPulses(join(folder, "pulses"))
    pulses = await openPulses({
        folder: join(folder, "pulses"),
        settings,
        signer,
        simulated: false,
        core,
        clock,
    })
    for (const at of minutes) {
        await clock.setTime(start + at * minute)
        const end = new AbortController()
        const external = { source: "Tallylight, ä chain", statusCode: 0, value: sha512(utf8(String(at))) }
        const running = pulses.periodic?.run(
            () => external,
            () => undefined,
            end.signal,
        )
        while ((await pulses.reader.last(1))?.pulse.timeStamp !== clock.now())
            await new Promise((resolve) => setTimeout(resolve, 1))
        end.abort()
        await running
    }
    const beacons = await pulses.follow("a")
    const external = { source: "chain a", statusCode: 0, value: sha512(utf8("output")) }
    for (const ordinal of [1, 2, 3]) await beacons.pulseOf({ ordinal, time: clock.now() + minute, external })
    server = fastify()
    addPulseRest(server, pulses.reader)
    base = await server.listen({ host: "127.0.0.1", port: 0 })
})
afterAll(async () => {
    await server.close()
    await pulses.close()
    await rm(folder, { recursive: true })
})

type Answer = { readonly status: number; readonly headers: Headers; readonly text: string }

async function get(path: string, accept?: string): Promise<Answer> {
    const response = await fetch(`${base}/beacon/2.0${path}`, {
        headers: accept === undefined ? {} : { accept },
    })
    return { status: response.status, headers: response.headers, text: await response.text() }
}

async function getPulse(path: string): Promise<ServedPulse> {
    const { status, text } = await get(path)
    expect([status, text.slice(0, 9)]).toStrictEqual([200, '{"pulse":'])
    return (JSON.parse(text) as { pulse: ServedPulse }).pulse
}

async function getList(path: string, name: "chain" | "skipList"): Promise<readonly ServedPulse[]> {
    const { status, text } = await get(path)
    expect(status).toBe(200)
    const list = (JSON.parse(text) as Record<string, readonly { pulse: ServedPulse }[]>)[name] ?? []
    return list.map(({ pulse }) => pulse)
}

async function wholeChain(): Promise<readonly ServedPulse[]> {
    return Promise.all(minutes.map((_, at) => getPulse(`/chain/1/pulse/${at + 1}`)))
}

describe("a public verifier", () => {
    test("that follows the interface finds nothing wrong with the chain", async () => {
        const chain = await wholeChain()
        const pems = new Map<string, string>()
        for (const { certificateId } of chain)
            pems.set(certificateId, (await get(`/certificate/${certificateId}`)).text)
        expect(findFaults(chain, (id) => pems.get(id) ?? "")).toStrictEqual([])
        // And it can find something wrong: one digit of any field is enough.
        const [first, second] = chain
        if (first === undefined || second === undefined) throw new Error("no pulses")
        const hexFields = ["localRandomValue", "precommitmentValue", "signatureValue", "outputValue"] as const
        for (const field of hexFields) {
            const digit = second[field].startsWith("0") ? "1" : "0"
            const changed = { ...second, [field]: digit + second[field].slice(1) }
            expect(findFaults([first, changed], (id) => pems.get(id) ?? "")).not.toStrictEqual([])
        }
    })
})

describe("pulses by number", () => {
    test("are found under the path that their URI has", async () => {
        const third = await getPulse("/chain/1/pulse/3")
        expect(third.uri).toBe("https://beacon.example.org/beacon/2.0/chain/1/pulse/3")
        expect((await getPulse("/chain/2/pulse/3")).uri).toBe(
            "https://beacon.example.org/beacon/2.0/chain/2/pulse/3",
        )
    })

    test("are the last one of the last periodic chain, or of that chain", async () => {
        const last = await getPulse("/pulse/last")
        expect([last.chainIndex, last.pulseIndex]).toStrictEqual([1, minutes.length])
        expect(await getPulse("/chain/last/pulse/last")).toStrictEqual(last)
        expect(await getPulse("/chain/1/pulse/last")).toStrictEqual(last)
        expect((await getPulse("/chain/2/pulse/last")).pulseIndex).toBe(3)
    })

    test("never change, and may be kept; what is the last one may not", async () => {
        const cacheControl = async (path: string): Promise<string | null> =>
            (await get(path)).headers.get("cache-control")
        const forever = "public, max-age=31536000, immutable"
        expect(await cacheControl("/chain/1/pulse/3")).toBe(forever)
        expect(await cacheControl("/pulse/last")).toBe("no-cache")
        expect(await cacheControl(`/pulse/time/${start}`)).toBe("no-cache")
        expect(await cacheControl("/chain/1/pulse/999")).toBe("no-cache")
    })

    test("say that their key is in software", async () => {
        expect((await get("/pulse/last")).headers.get("x-rng-simulated")).toBe("true")
    })
})

describe("pulses by time", () => {
    test.each([
        ["time", 0, 1],
        ["time", 1, 2],
        ["time/next", 0, 2],
        ["time/next", -1, 1],
        ["time/previous", 1, 1],
        ["time/previous", 0, undefined],
        ["time/next", 190, undefined],
        ["time", 190, 22],
        ["time", 190.5, undefined],
        ["time/previous", 100_000, 22],
        ["time", 30, 7],
        ["time/previous", 30, 6],
    ] as const)("%s %d minutes after the first is pulse %s", async (path, at, expected) => {
        const { status, text } = await get(`/pulse/${path}/${start + at * minute}`)
        if (expected === undefined) expect([status, text]).toStrictEqual([404, "Pulse Not Available."])
        else expect((JSON.parse(text) as { pulse: ServedPulse }).pulse.pulseIndex).toBe(expected)
    })

    test("from one to another are a chain", async () => {
        const found = await getList(`/chain/time/${start + minute}/${start + 5 * minute}/previous`, "chain")
        expect(found.map(({ pulseIndex }) => pulseIndex)).toStrictEqual([2, 3, 4, 5, 6])
    })
})

describe("a skip list", () => {
    /** Breadth first through all links: nothing shorter exists. */
    function shortest(chain: readonly ServedPulse[], from: number, to: number): number {
        const indexOf = new Map(chain.map(({ outputValue, pulseIndex }) => [outputValue, pulseIndex]))
        let reached = new Set([to])
        for (let length = 1; ; length++) {
            if (reached.has(from)) return length
            const linked = [...reached].flatMap((index) => chain[index - 1]?.listValues ?? [])
            reached = new Set(linked.flatMap(({ value }) => indexOf.get(value) ?? []))
        }
    }

    test("leads from each pulse back to each earlier one, through links, on the shortest way", async () => {
        const chain = await wholeChain()
        for (let to = 1; to <= chain.length; to++)
            for (let from = 1; from <= to; from++) {
                const list = await pulses.reader.skipList(1, from, to)
                const found = list?.map(({ pulse }) => pulse) ?? []
                expect([found[0]?.pulseIndex, found.at(-1)?.pulseIndex]).toStrictEqual([from, to])
                for (const [at, { outputValue }] of found.slice(0, -1).entries()) {
                    const links = Object.values(found[at + 1]?.links ?? {}).map(toHex)
                    expect(links).toContain(toHex(outputValue))
                }
                expect([from, to, found.length]).toStrictEqual([from, to, shortest(chain, from, to)])
            }
    })

    test("is served by numbers and by times, in whichever order they are given", async () => {
        const list = await getList("/skipList/1/2/20", "skipList")
        expect(await getList("/skipList/1/20/2", "skipList")).toStrictEqual(list)
        const [older = 0, newer = 0] = [minutes[1], minutes[19]]
        const times = `${start + older * minute}/${start + newer * minute}`
        expect(await getList(`/skipList/${times}`, "skipList")).toStrictEqual(list)
        expect((await get("/skipList/1/2/99")).status).toBe(404)
        expect((await get("/skipList/7/1/1")).status).toBe(404)
    })
})

describe("what pulses name", () => {
    test("is a certificate in PEM, as NIST serves it", async () => {
        const { certificateId } = await getPulse("/pulse/last")
        const { status, text, headers } = await get(`/certificate/${certificateId.toUpperCase()}`)
        expect([status, headers.get("cache-control")]).toStrictEqual([
            200,
            "public, max-age=31536000, immutable",
        ])
        expect(text).toMatch(
            /^-----BEGIN CERTIFICATE-----\r\n([A-Za-z0-9+/=]{1,64}\r\n)+-----END CERTIFICATE-----$/,
        )
        const { raw } = new X509Certificate(text)
        expect(createHash("sha512").update(raw).digest("hex")).toBe(certificateId)
    })

    test("is a text, of which they carry the SHA-512", async () => {
        const { external } = await getPulse("/pulse/last")
        const { text, headers } = await get(`/externalSource/${external.sourceId}`)
        expect(text).toBe("Tallylight, ä chain")
        expect(createHash("sha512").update(text).digest("hex").toUpperCase()).toBe(external.sourceId)
        expect(headers.get("content-type")).toBe("text/plain; charset=utf-8")
    })

    test("and is not there is said so", async () => {
        const unknown = "ab".repeat(64)
        expect((await get(`/certificate/${unknown}`)).status).toBe(404)
        expect((await get(`/externalSource/${unknown}`)).status).toBe(404)
    })
})

describe("XML", () => {
    test("is sent to whoever prefers it, and says the same", async () => {
        const { headers, text } = await get("/chain/1/pulse/3", "application/xml")
        expect(headers.get("content-type")).toBe("application/xml; charset=utf-8")
        expect(headers.get("vary")).toBe("accept")
        const { response } = new XMLParser({ parseTagValue: false }).parse(text) as {
            response: { pulse: Record<string, string> }
        }
        const pulse = await getPulse("/chain/1/pulse/3")
        expect(response.pulse.outputValue).toBe(pulse.outputValue)
        expect(response.pulse.timeStamp).toBe(pulse.timeStamp)
        expect(text).toContain('xmlns="http://csrc.nist.gov/ns/beacon/pulse/2.0"')
    })

    test("has lists and refusals too", async () => {
        expect((await get("/skipList/1/1/9", "text/xml")).text).toContain("<skipList><pulse>")
        const refused = await get("/chain/1/pulse/99", "text/xml")
        expect(refused.status).toBe(404)
        expect(refused.text).toContain("<error><code>404</code>")
    })

    test.each([
        [undefined, "json"],
        ["*/*", "json"],
        ["application/json, text/xml;q=0.9", "json"],
        ["application/xml;q=0.5, */*;q=0.5", "json"],
        ["text/html, application/xml;q=0.9, */*;q=0.8", "xml"],
        ["application/xml, application/json", "json"],
        ["application/xml;q=0", "json"],
    ])("to Accept: %s answers %s", async (accept, expected) => {
        expect((await get("/pulse/last", accept)).headers.get("content-type")).toContain(
            `application/${expected}`,
        )
    })
})

describe("a bad parameter", () => {
    test.each([
        "/pulse/time/yesterday",
        "/pulse/time/-1",
        "/pulse/time/1e3",
        "/pulse/time/99999999999999999999",
        "/pulse/time/next/1.5",
        "/chain/one/pulse/1",
        "/chain/1/pulse/0x1",
        "/chain/last/pulse/1",
        "/certificate/ab",
        `/externalSource/${"g".repeat(128)}`,
        "/skipList/a/b",
        "/skipList/1/1/x",
        "/chain/time/0/x/previous",
    ])("%s is refused", async (path) => {
        const { status, text } = await get(path)
        expect([status, text.slice(0, 13)]).toStrictEqual([400, "Bad parameter"])
    })
})
