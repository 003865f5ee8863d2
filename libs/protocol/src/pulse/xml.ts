/** Pulses in the XML of beacon-2.0.xsd: a response holds pulses, a chain, a skip list or an error. */
import { toHex } from "@tallylight/crypto/bytes.js"
import { linkNames } from "./pulse.ts"
import type { Pulse } from "./pulse.ts"
import { formatUtc } from "./utc.ts"

const namespace = "http://csrc.nist.gov/ns/beacon/pulse/2.0"

export function pulseXml(pulse: Pulse): string {
    return response(element("pulse", pulseElements(pulse)))
}

/** At least one pulse: the schema has no empty list. */
export function pulseListXml(kind: "chain" | "skipList", pulses: readonly Pulse[]): string {
    return response(element(kind, pulses.map((pulse) => element("pulse", pulseElements(pulse))).join("")))
}

/** The description is in English. */
export function errorXml(code: string, description: string): string {
    const described = element("description", escaped(description), { "xml:lang": "en" })
    return response(element("error", element("code", escaped(code)) + described))
}

function response(content: string): string {
    return `<?xml version="1.0" encoding="UTF-8"?>\n${element("response", content, { xmlns: namespace })}\n`
}

/** The schema is a sequence: another order would not be valid. */
function pulseElements(pulse: Pulse): string {
    const { external } = pulse
    return [
        element("uri", escaped(pulse.uri)),
        element("version", escaped(pulse.version)),
        element("cipherSuite", String(pulse.cipherSuite)),
        element("period", String(pulse.period)),
        element("certificateId", toHex(pulse.certificateId)),
        element("chainIndex", String(pulse.chainIndex)),
        element("pulseIndex", String(pulse.pulseIndex)),
        element("timeStamp", formatUtc(pulse.timeStamp)),
        element("localRandomValue", hex(pulse.localRandomValue)),
        element(
            "external",
            element("sourceId", hex(external.sourceId)) +
                element("statusCode", String(external.statusCode)) +
                element("value", hex(external.value)),
        ),
        ...linkNames.map((type) =>
            element("listValue", hex(pulse.links[type]), { type, uri: pulse.linkUris[type] }),
        ),
        element("precommitmentValue", hex(pulse.precommitmentValue)),
        element("statusCode", String(pulse.statusCode)),
        element("signatureValue", hex(pulse.signatureValue)),
        element("outputValue", hex(pulse.outputValue)),
    ].join("")
}

function hex(bytes: Uint8Array): string {
    return toHex(bytes).toUpperCase()
}

/** `content` is markup already; the attributes' values are not. */
function element(name: string, content: string, attributes: Record<string, string | undefined> = {}): string {
    const written = Object.entries(attributes)
        .flatMap(([key, value]) => (value === undefined ? [] : [` ${key}="${escaped(value)}"`]))
        .join("")
    return `<${name}${written}>${content}</${name}>`
}

const references: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
    // A parser turns bare ones in an attribute into spaces (XML 1.0 §3.3.3), and bare carriage returns anywhere.
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}

/** What a document can hold at all, escaped or not: XML 1.0 §2.2, production 2. */
const characters = /^[\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u

function escaped(text: string): string {
    if (!characters.test(text)) throw new RangeError("XML has no form for this text")
    return text.replace(/[&<>"'\t\n\r]/g, (character) => references[character] ?? "")
}
