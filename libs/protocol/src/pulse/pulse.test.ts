import { readFileSync } from "node:fs"
import { concatBytes, fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { describe, expect, test } from "vitest"
import { parsed, realPulse, vectors } from "../../../../test/samples/pulses.ts"
import {
    decodePulseMessage,
    encodeDraftMessage,
    encodePulseMessage,
    maxMessageBytes,
    precommitmentOf,
    pulseOutput,
} from "./pulse.ts"
import type { PulseMessage } from "./pulse.ts"

type Kat = {
    readonly pulse: object
    readonly deployed4: { readonly len: number; readonly hex: string; readonly sha512: string }
    readonly draft8: { readonly len: number; readonly sha512: string }
}

const kat = JSON.parse(
    readFileSync(new URL("../../../../test/vectors/beacon-serialization-kat.json", import.meta.url), "utf8"),
) as Kat

describe("the known answer", () => {
    const pulse = parsed(kat.pulse)

    test("of the layout that runs", () => {
        const message = encodePulseMessage(pulse)
        expect(toHex(message)).toBe(kat.deployed4.hex)
        expect(message).toHaveLength(kat.deployed4.len)
        expect(toHex(sha512(message))).toBe(kat.deployed4.sha512)
    })

    test("of the draft's layout", () => {
        const message = encodeDraftMessage(pulse)
        expect(message).toHaveLength(kat.draft8.len)
        expect(toHex(sha512(message))).toBe(kat.draft8.sha512)
    })
})

describe("real pulses", () => {
    test.each(vectors.cases)("$id has the bytes that were signed", ({ pulse, expect: expected }) => {
        const message = encodePulseMessage(parsed(pulse))
        expect(message).toHaveLength(expected.signed_bytes_len)
        expect(toHex(sha512(message))).toBe(expected.signed_bytes_hash)
    })

    test.each(vectors.cases)(
        "$id has its output by this layout or not, as told",
        ({ pulse, expect: expected }) => {
            const { signatureValue, outputValue, ...message } = parsed(pulse)
            const output = pulseOutput(encodePulseMessage(message), signatureValue)
            expect(toHex(output) === toHex(outputValue)).toBe(expected["output_eq_H(msg||sig)"])
        },
    )

    test.each(vectors.links)("$prev commits to the value of $next", ({ prev, next }) => {
        const commitment = realPulse(prev).precommitmentValue
        expect(toHex(precommitmentOf(realPulse(next).localRandomValue))).toBe(toHex(commitment))
    })
})

const {
    signatureValue: _signature,
    outputValue: _output,
    linkUris: _uris,
    ...message
} = realPulse("nist-c2-1925734")
const bytes = encodePulseMessage(message)

describe("decoding", () => {
    test("gives back what was encoded", () => {
        expect(decodePulseMessage(bytes)).toEqual(message)
        expect(decodePulseMessage(new Uint8Array(Buffer.from(bytes)))).toEqual(message)
    })

    test("keeps its bytes when the given ones change", () => {
        const given = bytes.slice()
        const decoded = decodePulseMessage(given)
        given.fill(0xff)
        expect(decoded).toEqual(message)
    })

    test("takes no other bytes: cut, prolonged, or with any one byte changed unless that is another message", () => {
        for (let length = 0; length < bytes.length; length++)
            expect(decodePulseMessage(bytes.subarray(0, length)), String(length)).toBeUndefined()
        expect(decodePulseMessage(concatBytes(bytes, Uint8Array.of(0)))).toBeUndefined()
        let others = 0
        for (let at = 0; at < bytes.length; at++) {
            for (const change of [1, 0x80, 0xff]) {
                const changed = bytes.map((byte, i) => (i === at ? byte ^ change : byte))
                const decoded = decodePulseMessage(changed)
                if (decoded === undefined) continue
                others += 1
                expect(toHex(encodePulseMessage(decoded))).toBe(toHex(changed))
            }
        }
        expect(others).toBeGreaterThan(9 * 64 * 3)
    })

    test("never throws", () => {
        const lengths = [0, 1, 4, maxMessageBytes, maxMessageBytes + 1]
        for (const length of lengths) {
            expect(decodePulseMessage(new Uint8Array(length))).toBeUndefined()
            expect(decodePulseMessage(new Uint8Array(length).fill(0xff))).toBeUndefined()
        }
    })

    test.each<[string, Partial<Record<"from" | "to", string>>]>([
        ["a uri that is no ASCII", { from: "68747470", to: "c3a97470" }],
        ["a uri with a newline", { from: "68747470", to: "0a747470" }],
        ["a uri that is no UTF-8", { from: "68747470", to: "ff747470" }],
        ["a day that does not exist", { from: "2d30392d3033", to: "2d30392d3331" }],
        ["a value of 63 bytes", { from: "00000040", to: "0000003f" }],
        ["an index above 2^53", { from: "0000000000000002", to: "0020000000000002" }],
    ])("refuses %s", (_, { from = "", to = "" }) => {
        const hex = toHex(bytes)
        expect(hex).toContain(from)
        expect(decodePulseMessage(fromHex(hex.replace(from, to)))).toBeUndefined()
    })
})

describe("encoding refuses", () => {
    test.each<[string, Partial<PulseMessage>]>([
        ["an empty uri", { uri: "" }],
        ["a uri with a space", { uri: "https://a b" }],
        ["a uri of 1025 characters", { uri: "a".repeat(1025) }],
        ["an empty version", { version: "" }],
        ["a version of 33 characters", { version: "2".repeat(33) }],
        ["a value of 63 bytes", { certificateId: new Uint8Array(63) }],
        ["a value of 65 bytes", { localRandomValue: new Uint8Array(65) }],
        ["a period of five bytes", { period: 2 ** 32 }],
        ["a negative status", { statusCode: -1 }],
        ["half a pulse", { pulseIndex: 1.5 }],
        ["an index above 2^53", { chainIndex: 2 ** 53 }],
        ["a time before 1970", { timeStamp: -1 }],
    ])("%s", (_, change) => {
        expect(() => encodePulseMessage({ ...message, ...change })).toThrow(RangeError)
    })

    test("nothing up to the limits", () => {
        const largest = { ...message, uri: "a".repeat(1024), version: "2".repeat(32), period: 2 ** 32 - 1 }
        const encoded = encodePulseMessage({ ...largest, pulseIndex: 2 ** 53 - 1 })
        expect(encoded.length).toBeLessThanOrEqual(maxMessageBytes)
        expect(decodePulseMessage(encoded)).toEqual({ ...largest, pulseIndex: 2 ** 53 - 1 })
    })
})
