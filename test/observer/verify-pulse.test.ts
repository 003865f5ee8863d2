import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { observerCommand } from "@tallylight/observer/command.js"
import { DoesNotHold } from "@tallylight/observer/does-not-hold.js"
import { readCertificates } from "@tallylight/observer/verify-pulse-certificates.js"
import { runVerifyPulse } from "@tallylight/observer/verify-pulse-command.js"
import type { VerifyPulseOptions } from "@tallylight/observer/verify-pulse-command.js"
import type { PulseReportJson } from "@tallylight/observer/verify-pulse-report.js"
import { pulseJson } from "@tallylight/protocol/pulse/json.js"
import type { Pulse } from "@tallylight/protocol/pulse/pulse.js"
import { generate } from "selfsigned"
import { afterAll, describe, expect, test } from "vitest"
import { localValue, makeChain, makeSigner, period, sourceText } from "../samples/pulse-chain.ts"
import type { ChainSigner, Lie } from "../samples/pulse-chain.ts"
import { caseOf, certificateOf, realPulse, vectors, vectorsFile } from "../samples/pulses.ts"
import { cleanUp, never, newFolder, paper } from "./fixtures.ts"

const open: (() => void)[] = []

afterAll(async () => {
    for (const close of open.splice(0)) close()
    await cleanUp()
})

async function verify(options: VerifyPulseOptions) {
    const to = paper()
    const error = await runVerifyPulse(options, never, to).then(
        () => undefined,
        (reason: unknown) => reason as Error,
    )
    return { error, printed: to.printed(), remarks: to.remarks() }
}

async function verifyJson(options: VerifyPulseOptions) {
    const { error, printed, remarks } = await verify({ ...options, json: true })
    expect(printed.trim().split("\n")).toHaveLength(1)
    return { error, remarks, json: JSON.parse(printed) as PulseReportJson }
}

function named(json: PulseReportJson, verdict: "broken" | "unchecked"): readonly string[] {
    return json.checks.filter((check) => check[verdict] > 0).map(({ check }) => check)
}

type Beacon = {
    readonly url: string
    readonly asked: string[]
    /** Bodies by path below the base; whoever serves them reads them anew for each request. */
    readonly bodies: Map<string, string>
}

const prefix = "/beacon/2.0/"

/** NIST's REST interface over those pulses, the last of which is the last of its chain. */
async function serveBeacon(
    pulses: readonly Pulse[],
    more: Readonly<Record<string, string>> = {},
): Promise<Beacon> {
    const bodies = new Map(Object.entries(more))
    for (const pulse of pulses) {
        const body = JSON.stringify(pulseJson(pulse))
        bodies.set(`chain/${pulse.chainIndex}/pulse/${pulse.pulseIndex}`, body)
        bodies.set(`chain/${pulse.chainIndex}/pulse/last`, body)
        bodies.set("pulse/last", body)
    }
    const asked: string[] = []
    const server = createServer(({ url = "" }, response) => {
        const path = url.replace(prefix, "")
        asked.push(path)
        const body = bodies.get(path)
        if (body === undefined) return void response.writeHead(404).end("Pulse Not Available.")
        response.setHeader("content-type", "application/json").end(body)
    }).listen(0, "127.0.0.1")
    await once(server, "listening")
    open.push(() => {
        server.closeAllConnections()
        server.close()
    })
    const { port } = server.address() as AddressInfo
    return { url: `http://127.0.0.1:${port}${prefix.slice(0, -1)}`, asked, bodies }
}

function served(pem: string): Readonly<Record<string, string>> {
    return { [`certificate/${toHex(sha512(certificateOf(pem).der))}`]: pem }
}

async function fileOf(content: unknown): Promise<string> {
    const path = join(await newFolder(), "pulses.json")
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content))
    return path
}

const signer = await makeSigner()
const source = { [`externalSource/${toHex(sha512(utf8(sourceText)))}`]: sourceText }
const length = 20
const chain = makeChain(signer, length)
const everything = { ...served(signer.pem), ...source }

/** A beacon that lies in its 18th pulse, when its hour and its year are not the first ones. */
async function lying(lie: Lie): Promise<Beacon> {
    const pulses = makeChain(signer, length, (message) => (message.pulseIndex === 18 ? lie(message) : {}))
    return serveBeacon(pulses, everything)
}

describe("a beacon in order", async () => {
    const { url, asked } = await serveBeacon(chain, everything)

    test("holds: the whole chain, each check of each pulse", async () => {
        const { error, json } = await verifyJson({ url, all: true })
        expect(error).toBeUndefined()
        expect(json).toMatchObject({ holds: true, class: "verified", pulses: length })
        expect(json.first?.uri).toBe(chain[0]!.uri)
        expect(json.last?.outputValue).toBe(toHex(chain.at(-1)!.outputValue))
        expect(named(json, "unchecked")).toEqual([])
        for (const check of json.checks.filter(({ check }) => check !== "linked-pulses"))
            expect(check).toMatchObject({ holds: length, verdict: "holds" })
    })

    test.each<[string, VerifyPulseOptions, number, number]>([
        ["the last pulse", {}, length, length],
        ["one", { pulse: 16 }, 16, 16],
        ["one of a chain", { chain: 3, pulse: 16 }, 16, 16],
        ["the first", { pulse: 1 }, 1, 1],
        ["the second", { pulse: 2 }, 2, 2],
        ["a range", { from: 7, to: 17 }, 7, 17],
        ["a range to its end", { from: 17 }, 17, length],
        ["the beginning", { all: true, to: 3 }, 1, 3],
        ["the last ten", { last: 10 }, length - 9, length],
        ["more than there are", { last: 1_000 }, 1, length],
        ["a range of a chain", { chain: 3, from: 2, to: 4 }, 2, 4],
    ])("holds: %s, with what it links to", async (_, options, from, to) => {
        const { error, json } = await verifyJson({ url: `${url}/`, ...options })
        expect(error).toBeUndefined()
        expect(json.pulses).toBe(to - from + 1)
        expect(json.first?.uri).toBe(chain[from - 1]!.uri)
        expect(json.last?.uri).toBe(chain[to - 1]!.uri)
        expect(named(json, "unchecked")).toEqual([])
        expect(json.checks.find(({ check }) => check === "linked-pulses")).toMatchObject({ holds: 1 })
    })

    test("is asked for its certificate and its source once each", async () => {
        asked.length = 0
        await verifyJson({ url, all: true })
        expect(asked.filter((path) => !path.includes("pulse/"))).toHaveLength(2)
        expect(asked).toHaveLength(length + 4)
    })

    test("prints what holds, and that the certificate is the beacon's own word", async () => {
        const { printed, remarks } = await verify({ url, pulse: 16 })
        expect(printed).toContain(`beacon  ${url}\n`)
        expect(printed).toContain(`output  ${toHex(chain[15]!.outputValue)}\n`)
        expect(printed).toContain("signer  CN=node.example\n")
        expect(printed).toMatch(/^holds {6}signature +1 {2}the certificate's key signed it$/m)
        expect(printed).toMatch(/everything that can be checked holds, and the signatures are verified\n$/)
        expect(remarks).toMatch(/^No --certificate was given/)
    })

    test("is held to the certificate that was given, and is not asked for it", async () => {
        const [right, wrong] = [await fileOf(signer.pem), await fileOf((await makeSigner()).pem)]
        asked.length = 0
        const given = await verify({ url, certificate: [wrong, right] })
        expect(given).toMatchObject({ error: undefined, remarks: "" })
        expect(asked.some((path) => path.startsWith("certificate/"))).toBe(false)
        const { error, json } = await verifyJson({ url, certificate: [wrong] })
        expect(error?.message).toBe(
            "the signature cannot be verified: no certificate with this id is at hand",
        )
        expect(json).toMatchObject({ holds: false, class: "signature-unverified" })
    })

    test("does not have every pulse", async () => {
        const beyond = await verify({ url, pulse: length + 1 })
        expect(beyond.error?.message).toBe(`${url} has no pulse ${length + 1} in chain 3`)
        expect(beyond.error).not.toBeInstanceOf(DoesNotHold)
        expect((await verify({ url, chain: 4 })).error?.message).toBe(`${url} has no pulse in chain 4`)
        expect((await verify({ url, from: 9, to: 8 })).error?.message).toBe("there is no pulse from 9 to 8")
        const { json } = await verifyJson({ url, chain: 4, pulse: 1 })
        expect(json).toEqual({ holds: false, class: null, problem: `${url} has no pulse 1 in chain 4` })
    })
})

describe("a beacon whose signer lies, with a good signature", () => {
    const another = localValue(999_999)
    const links =
        (change: Partial<Pulse["links"]>): Lie =>
        (message) => ({ links: { ...message.links, ...change } })

    test.each<[string, Lie]>([
        ["previous", links({ previous: another })],
        ["hour", links({ hour: another })],
        ["day", links({ day: another })],
        ["month", links({ month: another })],
        ["year", links({ year: another })],
        ["precommitment", () => ({ localRandomValue: another })],
        ["status", () => ({ statusCode: 2 })],
        ["status", () => ({ statusCode: 16 })],
        ["period", ({ timeStamp }) => ({ timeStamp: timeStamp + 1 })],
        ["time", ({ timeStamp }) => ({ timeStamp: timeStamp - period })],
        ["external", () => ({ external: { sourceId: another, statusCode: 0, value: another } })],
        ["uri", () => ({ uri: "https://node.example/beacon/2.0/chain/3/pulse/19" })],
    ])("is found out: %s", async (name, lie) => {
        const { url } = await lying(lie)
        const { error, json } = await verifyJson({ url, all: true })
        const found = named(json, "broken")
        if (name === "external") expect(named(json, "unchecked")).toEqual(["external"])
        else {
            expect(error).toBeInstanceOf(DoesNotHold)
            expect(json.class).toBe("broken")
            expect(found).toContain(name)
            expect(json.checks.find(({ check }) => check === name)?.firstBroken?.pulse).toBe("3/18")
        }
        expect(found).not.toContain("signature")
        expect(found).not.toContain("output")
    })

    test("is found out by a pulse that links to one that is not the first, from that pulse alone", async () => {
        const second = chain[15]!
        expect(new Date(second.timeStamp - period).toISOString()).toBe("2027-01-01T01:00:00.000Z")
        const { url } = await lying(links({ hour: second.outputValue }))
        const { json } = await verifyJson({ url, pulse: 18 })
        expect(named(json, "broken")).toEqual(["hour", "linked-pulses"])
    })
})

describe("a beacon that serves something else", () => {
    const body = (pulse: Pulse, change: object = {}): string =>
        JSON.stringify({ pulse: { ...pulseJson(pulse).pulse, ...change } })

    async function spoiled(
        path: string,
        content: string | undefined,
        options: VerifyPulseOptions = { all: true },
    ) {
        const { url, bodies } = await serveBeacon(chain, everything)
        if (content === undefined) bodies.delete(path)
        else bodies.set(path, content)
        return verifyJson({ url, ...options })
    }

    test("leaves out a pulse", async () => {
        const { error, json } = await spoiled("chain/3/pulse/12", undefined)
        expect(error?.message).toBe("index is broken at pulse 12: the source has no pulse of this index")
        expect(json).toMatchObject({ pulses: length, classes: { broken: 1, verified: length - 1 } })
    })

    test("gives another pulse than the one that was asked for", async () => {
        const { json } = await spoiled("chain/3/pulse/12", body(chain[12]!), { pulse: 12 })
        expect(named(json, "broken")).toContain("index")
        const reason = json.checks.find(({ check }) => check === "index")?.firstBroken?.reason
        expect(reason).toBe("it was asked for as pulse 12 of chain 3")
    })

    test.each([
        ["no JSON", "<html>"],
        ["no UTF-8", "\ud800"],
        ["no pulse", "[]"],
        ["half a pulse", JSON.stringify({ pulse: { uri: "x" } })],
    ])("gives %s", async (_, content) => {
        const { json } = await spoiled("chain/3/pulse/12", content)
        expect(named(json, "broken")).toEqual(["form"])
        expect(json.checks.find(({ check }) => check === "form")?.firstBroken?.pulse).toBe("12")
        expect(json.classes).toMatchObject({ broken: 1, verified: length - 1 })
    })

    test("gives no end of bytes, or a last pulse without a number", async () => {
        const large = JSON.stringify({ pulse: { ...pulseJson(chain[11]!).pulse, more: "x".repeat(300_000) } })
        const { url, bodies } = await serveBeacon(chain, everything)
        bodies.set("chain/3/pulse/12", large)
        expect((await verify({ url, pulse: 12 })).error?.message).toMatch(
            /answers with more than 262144 bytes$/,
        )
        bodies.set("pulse/last", "{}")
        expect((await verify({ url })).error?.message).toMatch(/does not say which it is$/)
    })

    test("gives another certificate under the same id, whose key signed nothing", async () => {
        const [path = ""] = Object.keys(served(signer.pem))
        const { error, json } = await spoiled(path, (await makeSigner()).pem)
        expect(error).toBeInstanceOf(DoesNotHold)
        expect(named(json, "broken")).toEqual(["certificate", "signature"])
    })

    test("gives no certificate, or nothing that is one", async () => {
        const [path = ""] = Object.keys(served(signer.pem))
        for (const content of [undefined, "", "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----"]) {
            const { error, json } = await spoiled(path, content, { last: 3 })
            expect(error?.message).toBe(
                "the signature cannot be verified: no certificate with this id is at hand",
            )
            expect(json.class).toBe("signature-unverified")
        }
    })

    test("gives another text for its external source", async () => {
        const [path = ""] = Object.keys(source)
        expect(named((await spoiled(path, "else")).json, "broken")).toEqual(["external"])
    })

    test("keeps fields of its own: they are told, and change nothing", async () => {
        const { error, json } = await spoiled("chain/3/pulse/12", body(chain[11]!, { extra: 1 }))
        expect(error).toBeUndefined()
        const remark = json.checks.find(({ check }) => check === "form")?.firstRemark
        expect(remark).toEqual({ pulse: "3/12", reason: "fields of its own, which are not signed: extra" })
    })
})

describe.each<[string, VerifyPulseOptions]>([
    ["one pulse", { pulse: 18 }],
    ["the last ones", { last: 3 }],
    ["a range", { from: 18, to: 19 }],
])("a server that alters what the first pulse links to, asked for %s", (_, options) => {
    /** Those changes to pulses, by index, of what somebody signed. */
    async function altered(changes: Readonly<Record<number, Partial<Pulse>>>, signed = chain) {
        const { url, bodies } = await serveBeacon(signed, everything)
        for (const pulse of signed) {
            const { pulseIndex } = pulse
            const given = { ...pulse, ...changes[pulseIndex] }
            bodies.set(`chain/3/pulse/${pulseIndex}`, JSON.stringify(pulseJson(given)))
        }
        return verifyJson({ url, ...options })
    }

    const [ofHour, ofYear, before] = [chain[14]!, chain[8]!, chain[16]!]
    const reason = (json: PulseReportJson, name: string): string | undefined =>
        json.checks.find(({ check }) => check === name)?.firstBroken?.reason

    test("holds while nothing is altered", async () => {
        const { error, json } = await altered({})
        expect(error).toBeUndefined()
        expect(json.class).toBe("verified")
        expect(named(json, "unchecked")).toEqual([])
        expect(chain[17]!.links).toMatchObject({ hour: ofHour.outputValue, year: ofYear.outputValue })
    })

    test.each<[string, Partial<Pulse>]>([
        ["precommitment", { precommitmentValue: localValue(7) }],
        ["time", { timeStamp: before.timeStamp - 1 }],
        ["time, by an hour", { timeStamp: before.timeStamp - 6 * period }],
        ["status", { statusCode: 8 }],
        ["period", { period: period + 1 }],
        ["local random value", { localRandomValue: localValue(7) }],
        ["signature", { signatureValue: chain[15]!.signatureValue }],
        ["certificate id", { certificateId: localValue(7) }],
        ["link to the one before", { links: { ...before.links, previous: ofHour.outputValue } }],
        ["link to its hour", { links: { ...before.links, hour: chain[15]!.outputValue } }],
        ["link to its year", { links: { ...before.links, year: chain[15]!.outputValue } }],
    ])("is found out by the pulse before: its %s", async (_, change) => {
        const { error, json } = await altered({ 17: change })
        expect(error).toBeInstanceOf(DoesNotHold)
        expect(json).toMatchObject({ class: "broken", classes: { broken: 1, verified: json.pulses - 1 } })
        expect(named(json, "broken")).toEqual(["previous"])
        expect(reason(json, "previous")).toBe(
            "what was found as the pulse before has an output value that is the hash of something else",
        )
    })

    test("is found out by another pulse before, though that is whole", async () => {
        const fork = makeChain(signer, 17, ({ pulseIndex }) =>
            pulseIndex === 17 ? { precommitmentValue: localValue(7) } : {},
        )
        const { json } = await altered({ 17: fork[16]! })
        expect(json.class).toBe("broken")
        expect(named(json, "broken")).toContain("previous")
    })

    test.each<[string, number, Partial<Pulse>, RegExp]>([
        [
            "the first of the hour, its time",
            15,
            { timeStamp: ofHour.timeStamp + 1 },
            /^pulse 15, to which “hour”/,
        ],
        ["the first of the hour, its index", 15, { pulseIndex: 1 }, /^pulse 1, to which “hour”/],
        [
            "the first of the hour, its link",
            15,
            { links: { ...ofHour.links, previous: chain[12]!.outputValue } },
            /^pulse 15, to which “hour”/,
        ],
        [
            "the first of the year, its time",
            9,
            { timeStamp: ofYear.timeStamp + 1 },
            /^pulse 9, to which “day”/,
        ],
        [
            "the one before that hour, its time",
            14,
            { timeStamp: ofHour.timeStamp - 1 },
            /^the pulse before pulse 15/,
        ],
        ["the one before that hour, all of it", 14, chain[12]!, /^the pulse before pulse 15/],
        [
            "the one before that year, its time",
            8,
            { timeStamp: ofYear.timeStamp - 1 },
            /^the pulse before pulse 9/,
        ],
    ])("is found out by what it links to: %s", async (_, index, change, found) => {
        const { error, json } = await altered({ [index]: change })
        expect(error).toBeInstanceOf(DoesNotHold)
        expect(json).toMatchObject({ class: "broken", classes: { broken: 1 } })
        expect(named(json, "broken")).toEqual(["linked-pulses"])
        expect(reason(json, "linked-pulses")).toMatch(found)
    })

    test("cannot hide that the pulse broke its precommitment", async () => {
        const lied = makeChain(signer, length, ({ pulseIndex }) =>
            pulseIndex === 18 ? { localRandomValue: localValue(7) } : {},
        )
        expect(named((await altered({}, lied)).json, "broken")).toEqual(["precommitment"])
        const fitting = { precommitmentValue: sha512(localValue(7)) }
        expect((await altered({ 17: fitting }, lied)).json.class).toBe("broken")
    })

    test("cannot hide that the pulse links to the second one of its hour", async () => {
        const hour = chain[15]!.outputValue
        const lied = makeChain(signer, length, ({ pulseIndex, links }) =>
            pulseIndex === 18 ? { links: { ...links, hour } } : {},
        )
        expect(named((await altered({}, lied)).json, "broken")).toEqual(["hour", "linked-pulses"])
        const ofAnHourBefore = { timeStamp: lied[14]!.timeStamp - 1 }
        const linkedSo = { links: { ...lied[16]!.links, hour } }
        for (const changes of [
            { 15: ofAnHourBefore },
            { 17: linkedSo },
            { 15: ofAnHourBefore, 17: linkedSo },
        ])
            expect((await altered(changes, lied)).json.class).toBe("broken")
    })
})

describe("real beacons", () => {
    const real = (...ids: string[]): Pulse[] => ids.map(realPulse)
    const certificates = Object.fromEntries(
        Object.entries(vectors.certificates).map(([id, { pem }]) => [`certificate/${id}`, pem]),
    )

    test("NIST's in August 2026 holds, as far as there are pulses", async () => {
        const { url } = await serveBeacon(real("nist-c2-1921299", "nist-c2-1921300"), certificates)
        const { error, json } = await verifyJson({ url })
        expect(error).toBeUndefined()
        expect(json).toMatchObject({ class: "verified", pulses: 1 })
        expect(named(json, "unchecked")).toEqual(["linked-pulses"])
        expect((await verifyJson({ url, last: 2 })).json).toMatchObject({ class: "verified", pulses: 2 })
    })

    test("NIST's since September 2026: its signatures cannot be verified, its chain is sound", async () => {
        const { url } = await serveBeacon(real("nist-c2-1925733", "nist-c2-1925734"), certificates)
        const { error, json } = await verifyJson({ url })
        expect(error).toBeInstanceOf(DoesNotHold)
        expect(error?.message).toBe(
            "the signature cannot be verified: the certificate's key has 2048 bits, the signature 4096",
        )
        expect(json).toMatchObject({ holds: false, class: "signature-unverified" })
        expect(named(json, "broken")).toEqual(["key-size"])
        expect(named(json, "unchecked")).toEqual(["signature", "linked-pulses"])
        const { printed } = await verify({ url })
        expect(printed).toMatch(/SIGNATURES CANNOT BE VERIFIED: nothing else is broken/)
        expect(printed).not.toMatch(/CHAIN/)
    })

    test("INMETRO's holds by its own layout", async () => {
        const { url } = await serveBeacon(real("inmetro-c1-386184"), certificates)
        const { error, printed } = await verify({ url })
        expect(error).toBeUndefined()
        expect(printed).toContain("by INMETRO's layout")
    })

    test("CLCERT's is of another kind", async () => {
        const { pulse } = pulseJson(realPulse("nist-c2-1921300"))
        const { url, bodies } = await serveBeacon([])
        const clcert = JSON.stringify({
            pulse: { ...pulse, cipherSuite: 1, external: [pulse.external], witness: "00" },
        })
        for (const path of ["pulse/last", "chain/2/pulse/1921300"]) bodies.set(path, clcert)
        const { error, json } = await verifyJson({ url })
        expect(error?.message).toMatch(
            /^pulses of this kind are not supported: cipher suite 1 is not supported/,
        )
        expect(json.class).toBe("unsupported")
        expect((await verify({ url })).printed).toMatch(/NOT VERIFIED: these are pulses of another kind/)
    })
})

describe("files", () => {
    test("of test vectors are judged as they are, with the certificates in them", async () => {
        const { error, json } = await verifyJson({ file: [fileURLToPath(vectorsFile)] })
        expect(error).toBeInstanceOf(DoesNotHold)
        const unsigned = vectors.cases.filter(({ expect: expected }) => !expected.signature_valid).length
        expect(json).toMatchObject({
            pulses: vectors.cases.length,
            classes: {
                ...{ verified: vectors.cases.length - unsigned, "signature-unverified": unsigned },
                ...{ unsupported: 0, broken: 0 },
            },
        })
        // Two pairs are neighbours, and are verified as that.
        const previous = json.checks.find(({ check }) => check === "previous")
        expect(previous).toMatchObject({ holds: vectors.links.length, broken: 0 })
    })

    test("may hold one pulse as it is served, one alone, a list, or several of these, in any order", async () => {
        const certificate = [await fileOf(signer.pem)]
        const json = chain.map(pulseJson)
        const contents = [json[9], json[9]!.pulse, json.slice(5, 12).reverse(), { pulses: json.slice(2, 12) }]
        for (const content of contents) {
            const { error } = await verifyJson({ file: [await fileOf(content)], certificate })
            expect(error).toBeUndefined()
        }
        const several = [await fileOf(json.slice(12, 20)), await fileOf(json.slice(0, 15))]
        const { error, json: report } = await verifyJson({ file: several, certificate })
        expect(error).toBeUndefined()
        expect(report.pulses).toBe(20)
        expect(report.checks.find(({ check }) => check === "hour")).toMatchObject({ holds: 20 })
    })

    test("with two pulses of one index are no chain", async () => {
        const fork = makeChain(signer, 10, ({ pulseIndex }) =>
            pulseIndex === 10 ? { external: { ...chain[0]!.external, statusCode: 1 } } : {},
        )
        const pulses = [...chain.slice(0, 10), fork[9]!].map(pulseJson)
        const certificate = [await fileOf(signer.pem)]
        const { error, json } = await verifyJson({ file: [await fileOf(pulses)], certificate })
        expect(error).toBeInstanceOf(DoesNotHold)
        expect(json.pulses).toBe(11)
        expect(named(json, "broken")).toContain("index")
    })

    test("must be there, be JSON, and hold a pulse", async () => {
        expect((await verify({ file: ["/nowhere.json"] })).error?.message).toBe(
            "there is no file /nowhere.json",
        )
        const broken = await fileOf("{")
        expect((await verify({ file: [broken] })).error?.message).toBe(`${broken} is no JSON`)
        const empty = await fileOf([])
        expect((await verify({ file: [empty] })).error?.message).toBe(`there is no pulse in ${empty}`)
        const { json } = await verifyJson({ file: [await fileOf([{ a: 1 }])] })
        expect(json).toMatchObject({ class: "broken", pulses: 1 })
        const certificate = await fileOf("nothing")
        expect((await verify({ file: [empty], certificate: [certificate] })).error?.message).toBe(
            `${certificate} is no file of certificates in PEM`,
        )
    })
})

describe("certificates", () => {
    const { pem } = vectors.certificates[caseOf("nist-c2-1921299").pulse.certificateId]!
    const der = certificateOf(pem).der

    test.each([
        ["as they are", pem],
        ["with CRLF and no last line end", pem.trim().replaceAll("\n", "\r\n")],
        ["without a line end after BEGIN", pem.replace("-----\n", "-----")],
        ["with a space after BEGIN", pem.replace("-----\n", "----- \n")],
        ["with something around them", `subject=x\n${pem}\nmore`],
    ])("are read %s", (_, text) => {
        expect(readCertificates(utf8(text))?.map((one) => toHex(one.der))).toEqual([toHex(der)])
    })

    test("are read one and all, or not at all", () => {
        expect(readCertificates(utf8(pem + pem))).toHaveLength(2)
        const half = pem.replace(/\n[^-\n]+\n-----END/, "\n-----END")
        expect(readCertificates(utf8(half))).toBeUndefined()
        expect(readCertificates(utf8(pem + half))).toBeUndefined()
        expect(readCertificates(Uint8Array.of(0xff))).toBeUndefined()
    })

    test("have no key here where it is no RSA key", async () => {
        const { makeCertificate } = await import("../certificates.ts")
        const { cert } = await makeCertificate()
        expect(readCertificates(utf8(cert))).toMatchObject([{ key: undefined }])
    })
})

describe("a certificate that is out of the ordinary", () => {
    const [start, end] = [chain[0]!.timeStamp, chain.at(-1)!.timeStamp]

    async function madeBy(from: number, to: number, name = "node.example"): Promise<ChainSigner> {
        const made = await generate(name === "" ? [] : [{ name: "commonName", value: name }], {
            ...{ keySize: 2048, algorithm: "sha256" },
            ...{ notBeforeDate: new Date(from), notAfterDate: new Date(to) },
        })
        return { pem: made.cert, key: made.private }
    }

    /** Its bytes with others in the place of some, each given as a character. */
    function changed(pem: string, from: string, to: string): string {
        const der = Buffer.from(certificateOf(pem).der).toString("latin1")
        expect(der).toContain(from)
        const base64 = Buffer.from(der.replaceAll(from, to), "latin1").toString("base64")
        return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`
    }

    function idOf(pem: string): Uint8Array {
        return sha512(Buffer.from(pem.split("-----")[2] ?? "", "base64"))
    }

    /** A chain signed with the signer's key that names that certificate, which is served in that text. */
    async function judged(pem: string, text = pem, by: ChainSigner = signer) {
        const pulses = makeChain(by, 2, () => ({ certificateId: idOf(pem) }))
        const path = `certificate/${toHex(idOf(pem))}`
        return verifyJson({ url: (await serveBeacon(pulses, { ...source, [path]: text })).url, all: true })
    }

    const rsaEncryption = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
    const unknownKey = changed(signer.pem, rsaEncryption, `${rsaEncryption.slice(0, -1)}\x7f`)
    const unreadable = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"

    test("is judged with a key of an algorithm that nobody here knows", async () => {
        expect(readCertificates(utf8(unknownKey))).toMatchObject([
            { key: undefined, subject: "CN=node.example" },
        ])
        const { error, json } = await judged(unknownKey)
        expect(error?.message).toBe(
            "the signature cannot be verified: the certificate's key is no RSA key of at least 2048 bits",
        )
        expect(json).toMatchObject({ class: "signature-unverified", classes: { broken: 0 } })
        expect(named(json, "unchecked")).toEqual(["key-size", "signature"])
    })

    test.each([
        ["of such a key", unknownKey],
        ["that cannot be read", unreadable],
    ])("is in nobody's way where it is an authority's %s", async (_, authority) => {
        for (const text of [signer.pem, signer.pem + authority, authority + signer.pem])
            expect((await judged(signer.pem, text)).error).toBeUndefined()
        const certificates = { [toHex(idOf(signer.pem))]: signer.pem + authority }
        const file = [await fileOf({ pulses: chain.map(pulseJson), certificates })]
        expect((await verify({ file })).error).toBeUndefined()
        // Of those that follow, none is taken for the signer's.
        const { json } = await judged(unreadable, unreadable + signer.pem)
        expect(json.class).toBe("signature-unverified")
    })

    test("is judged where it is valid from a time before 1970, or only then", async () => {
        const old = await madeBy(Date.UTC(1960, 0), end)
        expect((await judged(old.pem, old.pem, old)).error).toBeUndefined()
        const expired = await madeBy(Date.UTC(1960, 0), Date.UTC(1965, 0))
        const { error, json } = await judged(expired.pem, expired.pem, expired)
        expect(error?.message).toBe(
            "the signature cannot be verified: it is valid from before 1970 to before 1970",
        )
        expect(json.class).toBe("signature-unverified")
    })

    test("is not valid at any time where its term is none", async () => {
        const made = await madeBy(Date.UTC(2026, 0), Date.UTC(2028, 0))
        expect((await judged(made.pem, made.pem, made)).error).toBeUndefined()
        const timeless = changed(made.pem, "260101000000Z", "261301000000Z")
        const { error } = await judged(timeless, timeless, made)
        expect(error?.message).toBe(
            "the signature cannot be verified: it is valid from no time that can be read to 2028-01-01T00:00:00.000Z",
        )
    })

    test("is told without a name where it has none", async () => {
        const nameless = await madeBy(start, end, "")
        const { error, json } = await judged(nameless.pem, nameless.pem, nameless)
        expect(error).toBeUndefined()
        expect(json.certificates).toMatchObject([{ subject: "(without a name)" }])
    })
})

describe("wrong usage", () => {
    test.each([
        [[]],
        [["--url", "https://a", "--file", "b"]],
        [["--file", "b", "--last", "2"]],
        [["--url", "https://a", "--pulse", "1", "--last", "2"]],
        [["--url", "https://a", "--all", "--from", "2"]],
        [["--url", "https://a", "--to", "2"]],
        [["--url", "https://a", "--pulse", "0"]],
        [["--url", "https://a", "--chain", "x"]],
    ])("%j is refused by the command line", async (args) => {
        const command = observerCommand(never).exitOverride()
        for (const one of command.commands) one.exitOverride().configureOutput({ writeErr: () => undefined })
        const parsed = command.parseAsync(["node", "observer", "verify-pulse", ...args])
        await expect(parsed).rejects.toMatchObject({ name: "CommanderError" })
    })

    test.each(["beacon", "ftp://a/b", "https://"])("“%s” is no address", async (url) => {
        expect((await verify({ url })).error?.message).toMatch(/is no address of a beacon/)
    })
})
