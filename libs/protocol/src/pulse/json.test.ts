import { toHex } from "@tallylight/crypto/bytes.js"
import { describe, expect, test } from "vitest"
import { caseOf, parsed, realPulse, vectors } from "../../../../test/samples/pulses.ts"
import { parsePulse, pulseJson } from "./json.ts"
import { noLinks } from "./pulse.ts"

type Fields = Readonly<Record<string, unknown>>

const given = caseOf("nist-c2-1921299").pulse as Fields
const links = given.listValues as readonly Fields[]
const external = given.external as Fields

function linksWith(at: number, change: Fields): Fields {
    return { listValues: links.map((one, i) => (i === at ? { ...one, ...change } : one)) }
}

describe("reading", () => {
    test.each(vectors.cases)("takes $id, alone and as it is served", ({ pulse }) => {
        expect(parsePulse(pulse)).toMatchObject({ kind: "pulse", unknownFields: [] })
        expect(parsePulse({ pulse })).toEqual(parsePulse(pulse))
    })

    test("takes either case of hexadecimal for the same bytes", () => {
        const lower = JSON.parse(
            JSON.stringify(given).replace(/"[0-9A-F]{128,}"/g, (value) => value.toLowerCase()),
        ) as unknown
        expect(lower).not.toEqual(given)
        expect(parsePulse(lower)).toEqual(parsePulse(given))
    })

    test("takes a link without a uri, as the first pulse has them", () => {
        const bare = links.map((one) => ({ ...one, uri: null, value: "0".repeat(128) }))
        const { linkUris, links: values } = parsed({ ...given, listValues: bare })
        expect(values).toEqual(noLinks)
        expect(new Set(Object.values(linkUris))).toEqual(new Set([undefined]))
        expect(parsed({ ...given, listValues: bare.map(({ uri: _, ...one }) => one) }).linkUris).toEqual(
            linkUris,
        )
    })

    test("names the fields that it does not know, wherever they are", () => {
        const pulse = {
            ...given,
            extra: 1,
            external: { ...external, note: "" },
            ...linksWith(2, { more: [] }),
        }
        expect(parsePulse({ pulse, served: true })).toMatchObject({
            kind: "pulse",
            unknownFields: ["../served", "extra", "external.note", "listValues.2.more"],
        })
        expect(parsed({ pulse })).toEqual(parsed(given))
    })

    test.each<[string, Fields]>([
        ["uri", { uri: "" }],
        ["uri", { uri: "http://a b" }],
        ["uri", { uri: "http://\u001b[2J" }],
        ["uri", { uri: `http://${"a".repeat(1018)}` }],
        ["version", { version: "2".repeat(33) }],
        ["version", { version: 2 }],
        ["cipherSuite", { cipherSuite: "0" }],
        ["period", { period: -1 }],
        ["period", { period: 2 ** 32 }],
        ["period", { period: 0.5 }],
        ["certificateId", { certificateId: "0".repeat(127) }],
        ["certificateId", { certificateId: "0".repeat(130) }],
        ["certificateId", { certificateId: `g${"0".repeat(127)}` }],
        ["chainIndex", { chainIndex: 2 ** 53 }],
        ["pulseIndex", { pulseIndex: "1" }],
        ["pulseIndex", { pulseIndex: -1 }],
        ["timeStamp", { timeStamp: "2026-08-31T19:03:00Z" }],
        ["timeStamp", { timeStamp: 1788_202_980_000 }],
        ["localRandomValue", { localRandomValue: null }],
        ["external", { external: undefined }],
        ["external", { external: null }],
        ["external.sourceId", { external: { ...external, sourceId: "" } }],
        ["external.statusCode", { external: { ...external, statusCode: -1 } }],
        ["external.value", { external: { ...external, value: 0 } }],
        ["listValues", { listValues: links.slice(0, 4) }],
        ["listValues", { listValues: [...links, links[4]] }],
        ["listValues", { listValues: {} }],
        ["listValues.0.type", { listValues: [links[1], links[0], ...links.slice(2)] }],
        ["listValues.1.type", linksWith(1, { type: "Hour" })],
        ["listValues.3.value", linksWith(3, { value: "" })],
        ["listValues.4.uri", linksWith(4, { uri: 5 })],
        ["precommitmentValue", { precommitmentValue: undefined }],
        ["statusCode", { statusCode: null }],
        ["signatureValue", { signatureValue: "" }],
        ["signatureValue", { signatureValue: "123" }],
        ["signatureValue", { signatureValue: "00".repeat(4097) }],
        ["outputValue", { outputValue: [] }],
    ])("refuses a wrong %s: %j", (path, change) => {
        expect(parsePulse(given).kind).toBe("pulse")
        expect(parsePulse({ ...given, ...change })).toMatchObject({ kind: "malformed", path })
    })

    test.each([null, undefined, 1, "pulse", [], [given], true])("refuses %j", (json) => {
        expect(parsePulse(json).kind).toBe("malformed")
    })

    test("refuses what is no pulse within an answer", () => {
        expect(parsePulse({ pulse: null }).kind).toBe("malformed")
        expect(parsePulse({ pulse: [given] }).kind).toBe("malformed")
        expect(parsePulse({ pulse: { pulse: given } }).kind).toBe("malformed")
    })
})

describe("pulses of another kind", () => {
    const uri = "https://random.uchile.cl/beacon/2.0-beta1/chain/2/pulse/987497"
    const clcert = {
        ...given,
        ...{ uri, version: "2.0-beta1", cipherSuite: 1, chainIndex: 2, pulseIndex: 987_497, statusCode: 103 },
        external: [{ ...external, sourceName: "radio" }],
        ...{ hashedMessage: "ab".repeat(64), iterations: 2_000_000, witness: "1234" },
    }

    test("are told by their cipher suite, and by what they are called", () => {
        expect(parsePulse({ pulse: clcert })).toEqual({
            kind: "unsupported",
            name: { uri, chainIndex: 2, pulseIndex: 987_497 },
            reason: "cipher suite 1 is not supported, only 0: SHA-512 and RSASSA-PKCS1-v1_5",
        })
    })

    test("are told by a list of external values", () => {
        const read = parsePulse({ ...clcert, cipherSuite: 0 })
        expect(read).toMatchObject({ kind: "unsupported", name: { pulseIndex: 987_497 } })
        expect(read).toHaveProperty("reason", "a list of external values is not supported, only one")
    })

    test("may be called anything", () => {
        const read = parsePulse({ cipherSuite: 7, uri: "\u001b[2J", chainIndex: "x", pulseIndex: {} })
        expect(read).toMatchObject({
            kind: "unsupported",
            name: { uri: undefined, chainIndex: undefined, pulseIndex: undefined },
        })
    })
})

describe("writing", () => {
    test.each(vectors.cases.filter(({ id }) => id.startsWith("nist")))(
        "gives $id as NIST does",
        ({ pulse }) => {
            expect(JSON.stringify(pulseJson(parsed(pulse)))).toBe(JSON.stringify({ pulse }))
        },
    )

    test("gives what is read as the same pulse", () => {
        const pulse = realPulse("inmetro-c1-386184")
        expect(parsed(pulseJson(pulse))).toEqual(pulse)
        const first = { ...pulse, linkUris: { ...pulse.linkUris, hour: undefined } }
        expect(pulseJson(first).pulse.listValues[1].uri).toBeNull()
        expect(parsed(pulseJson(first))).toEqual(first)
        expect(toHex(parsed(pulseJson(first)).certificateId)).toBe(pulseJson(first).pulse.certificateId)
    })
})
