import { XMLParser } from "fast-xml-parser"
import { describe, expect, test } from "vitest"
import { caseOf, realPulse } from "../../../../test/samples/pulses.ts"
import { errorXml, pulseListXml, pulseXml } from "./xml.ts"

const parser = new XMLParser({ ignoreAttributes: false, parseTagValue: false, attributeNamePrefix: "@" })

function read(xml: string): unknown {
    return parser.parse(xml) as unknown
}

const head = { "?xml": { "@version": "1.0", "@encoding": "UTF-8" } }
const namespace = "http://csrc.nist.gov/ns/beacon/pulse/2.0"

/** What the schema makes of the JSON: numbers as text, a list value's type and uri as attributes. */
function elementsOf(id: string): Record<string, unknown> {
    const { listValues, external, ...fields } = caseOf(id).pulse
    const texts = Object.entries(fields).map(([name, value]) => [name, String(value)])
    return {
        ...(Object.fromEntries(texts) as Record<string, string>),
        external: { ...external, statusCode: String(external.statusCode) },
        listValue: listValues.map(({ type, uri, value }) => ({ "@type": type, "@uri": uri, "#text": value })),
    }
}

const id = "nist-c2-1925734"
const pulse = realPulse(id)

test("a pulse has the elements of the schema, in its order", () => {
    const xml = pulseXml(pulse)
    expect(read(xml)).toEqual({ ...head, response: { "@xmlns": namespace, pulse: elementsOf(id) } })
    const order = [...xml.matchAll(/<([A-Za-z]+)[ >]/g)].map(([, name]) => name)
    expect(order).toEqual([
        ...["response", "pulse", "uri", "version", "cipherSuite", "period", "certificateId", "chainIndex"],
        ...["pulseIndex", "timeStamp", "localRandomValue", "external", "sourceId", "statusCode", "value"],
        ...["listValue", "listValue", "listValue", "listValue", "listValue", "precommitmentValue"],
        ...["statusCode", "signatureValue", "outputValue"],
    ])
})

test("a link to nothing has no uri", () => {
    const xml = pulseXml({ ...pulse, linkUris: { ...pulse.linkUris, year: undefined } })
    expect(xml).toContain(`<listValue type="year">`)
})

test.each(["chain", "skipList"] as const)("a %s holds its pulses", (kind) => {
    const before = "nist-c2-1925733"
    const xml = pulseListXml(kind, [realPulse(before), pulse])
    const pulses = { pulse: [elementsOf(before), elementsOf(id)] }
    expect(read(xml)).toEqual({ ...head, response: { "@xmlns": namespace, [kind]: pulses } })
})

describe("an error", () => {
    test("has a code and a description in English", () => {
        expect(read(errorXml("404", "Pulse Not Available."))).toEqual({
            ...head,
            response: {
                "@xmlns": namespace,
                error: { code: "404", description: { "@xml:lang": "en", "#text": "Pulse Not Available." } },
            },
        })
    })

    test("cannot be made markup by what it says", () => {
        const xml = errorXml("<&>", `"]]>'<pulse a="1"/>&amp;`)
        expect(xml).not.toContain("<pulse")
        expect(xml).toContain("&lt;&amp;&gt;</code>")
        expect(xml).toContain("&quot;]]&gt;&apos;&lt;pulse a=&quot;1&quot;/&gt;&amp;amp;</description>")
        expect(read(xml)).toMatchObject({
            response: { error: { code: "<&>", description: { "#text": `"]]>'<pulse a="1"/>&amp;` } } },
        })
    })

    test("keeps its line ends and the letters of the world", () => {
        expect(errorXml("a\r\n\tb", "Grüße 🎲")).toContain("<code>a&#13;&#10;&#9;b</code>")
        expect(errorXml("", "Grüße 🎲")).toContain(">Grüße 🎲</description>")
    })

    test.each(["\0", "\u001b[2J", "\ud800", "\uffff"])("refuses %j, which XML has no form for", (text) => {
        expect(() => errorXml("404", text)).toThrow(RangeError)
    })
})

test("an attribute cannot be left by its uri", () => {
    const uri = `https://a/?b=1&c="><pulse`
    const xml = pulseXml({ ...pulse, linkUris: { ...pulse.linkUris, hour: uri } })
    expect(xml).toContain(`uri="https://a/?b=1&amp;c=&quot;&gt;&lt;pulse"`)
    const pulseRead = (read(xml) as { response: { pulse: { listValue: object[] } } }).response.pulse
    expect(pulseRead.listValue[1]).toMatchObject({ "@type": "hour", "@uri": uri })
})
