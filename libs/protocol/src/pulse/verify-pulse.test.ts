import { sign } from "node:crypto"
import { concatBytes, uint64, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { describe, expect, test } from "vitest"
import { makeChain, makeSigner, sourceText } from "../../../../test/samples/pulse-chain.ts"
import {
    caseOf,
    certificateOf,
    parsed,
    realCertificate,
    realPulse,
    vectors,
} from "../../../../test/samples/pulses.ts"
import type { Check, CheckName, Verdict } from "./check.ts"
import { parsePulse, pulseJson } from "./json.ts"
import { encodeDraftMessage, encodePulseMessage, pulseOutput } from "./pulse.ts"
import type { Pulse } from "./pulse.ts"
import { outputLayout } from "./signer-checks.ts"
import { joinTrail } from "./trail.ts"
import type { PulseTrail } from "./trail.ts"
import { classify, verifyPulse } from "./verify-pulse.ts"
import type { PulseContext } from "./verify-pulse.ts"

function named(checks: readonly Check[], verdict: Verdict): readonly CheckName[] {
    return checks.filter((check) => check.verdict === verdict).map(({ name }) => name)
}

function reasonOf(checks: readonly Check[], name: CheckName): string | undefined {
    return checks.find((check) => check.name === name)?.reason
}

function verifyMade(pulse: Pulse, context: PulseContext): readonly Check[] {
    return verifyPulse({ kind: "pulse", pulse, unknownFields: [] }, context)
}

function trailAfter(id: string): PulseTrail {
    const pulse = realPulse(id)
    return joinTrail(pulse, pulse.outputValue)
}

const chainNames = ["index", "time", "period", "previous", "hour", "day", "month", "year"] as const
const followed = [...chainNames, "precommitment", "status"] as const

describe("real pulses", () => {
    test.each(vectors.cases)("$id is judged as it is", ({ pulse, expect: expected }) => {
        const read = parsePulse(pulse)
        const certificate = realCertificate(parsed(pulse))
        const checks = verifyPulse(read, { before: undefined, certificate })
        const verdict = (name: CheckName): Verdict | undefined =>
            checks.find((one) => one.name === name)?.verdict
        expect(verdict("certificate") === "holds").toBe(expected.certificateId_is_sha512_of_DER)
        expect(verdict("signature") === "holds").toBe(expected.signature_valid)
        expect(verdict("output")).toBe("holds")
        const layout = outputLayout(parsed(pulse))?.layout
        expect(layout === "deployed").toBe(expected["output_eq_H(msg||sig)"])
        expect(layout === "inmetro").toBe(expected["output_eq_H(msg||len4||sig)"])
        expect(layout === "draft").toBe(expected.draft8byte_layout_output_matches)
        expect(classify(checks)).toBe(expected.signature_valid ? "verified" : "signature-unverified")
        expect(named(checks, "unchecked").filter((name) => name !== "signature")).toEqual(followed)
    })

    test("of NIST since September 2026 have signatures that the certificate's key cannot have made, in a sound chain", () => {
        const pulse = realPulse("nist-c2-1925734")
        const context = { before: trailAfter("nist-c2-1925733"), certificate: realCertificate(pulse) }
        const checks = verifyMade(pulse, context)
        expect(named(checks, "broken")).toEqual(["key-size"])
        expect(named(checks, "unchecked")).toEqual(["signature"])
        expect(reasonOf(checks, "key-size")).toBe("the certificate's key has 2048 bits, the signature 4096")
        expect(reasonOf(checks, "status")).toBe("6: gap, certificate changed")
        expect(reasonOf(checks, "period")).toBe("it declares a gap, of 660000 ms")
        expect(classify(checks)).toBe("signature-unverified")
    })

    test("of INMETRO have their own layout of the output value", () => {
        const pulse = realPulse("inmetro-c1-386184")
        const checks = verifyMade(pulse, { before: undefined, certificate: realCertificate(pulse) })
        expect(reasonOf(checks, "output")).toMatch(/^by INMETRO's layout/)
    })

    test("without a certificate are not verified, whatever else holds", () => {
        const checks = verifyMade(realPulse("nist-c2-1921300"), {
            before: trailAfter("nist-c2-1921299"),
            certificate: undefined,
        })
        expect(named(checks, "unchecked")).toEqual(["certificate", "validity", "key-size", "signature"])
        expect(classify(checks)).toBe("signature-unverified")
    })

    test("with another certificate are not verified", () => {
        const inmetro = realCertificate(realPulse("inmetro-c1-386184"))
        const checks = verifyMade(realPulse("nist-c2-1921300"), { before: undefined, certificate: inmetro })
        expect(named(checks, "broken")).toEqual(["certificate", "validity", "signature"])
        expect(classify(checks)).toBe("broken")
    })
})

type Fields = Record<string, unknown>

/** The JSON with a field of that path changed. */
function changed(json: Fields, path: string, change: (value: unknown) => unknown): Fields {
    const copy = structuredClone(json)
    const steps = path.split(".")
    const last = steps.pop() ?? ""
    const within = steps.reduce<Fields>((object, step) => object[step] as Fields, copy)
    within[last] = change(within[last])
    return copy
}

function flip(value: unknown): unknown {
    if (typeof value === "number") return value + 1
    const text = String(value)
    const digit = text.at(-1) ?? ""
    return text.slice(0, -1) + (digit === "1" ? "2" : "1")
}

const signed: readonly CheckName[] = ["signature", "output"]

describe.each([
    ["nist-c2-1921300", "nist-c2-1921299"],
    ["nist-c2-1921299", undefined],
    ["nist-c2-1925733", undefined],
    ["inmetro-c1-386184", undefined],
])("%s, with one field changed", (id, beforeId) => {
    const json = caseOf(id).pulse as unknown as Fields
    const context = {
        before: beforeId === undefined ? undefined : trailAfter(beforeId),
        certificate: realCertificate(realPulse(id)),
    }
    const judge = (given: Fields): readonly Check[] => verifyPulse(parsePulse(given), context)
    /** What only the pulse before shows. */
    const known = (...names: CheckName[]): readonly CheckName[] => (beforeId === undefined ? [] : names)

    test("holds unchanged", () => expect(named(judge(json), "broken")).toEqual([]))

    test.each<[string, readonly CheckName[]]>([
        ["uri", ["uri", ...signed]],
        ["version", signed],
        ["period", [...signed, ...known("period")]],
        ["certificateId", ["certificate", ...signed, ...known("status")]],
        ["chainIndex", ["uri", ...signed, ...known("index")]],
        ["pulseIndex", ["uri", ...signed, ...known("index")]],
        ["localRandomValue", [...signed, ...known("precommitment")]],
        ["external.sourceId", signed],
        ["external.statusCode", signed],
        ["external.value", [...signed, "external"]],
        ["listValues.0.value", [...signed, ...known("previous")]],
        ["listValues.1.value", [...signed, ...known("hour")]],
        ["listValues.2.value", [...signed, ...known("day")]],
        ["listValues.3.value", [...signed, ...known("month")]],
        ["listValues.4.value", [...signed, ...known("year")]],
        ["precommitmentValue", signed],
        ["statusCode", [...signed, ...known("status")]],
        ["signatureValue", signed],
        ["outputValue", ["output"]],
        // The types and uris are not signed.
        ["listValues.0.type", ["form"]],
        ["listValues.4.type", ["form"]],
        ["listValues.0.uri", ["uri"]],
    ])("%s is refused", (path, names) => {
        const checks = judge(changed(json, path, flip))
        expect(named(checks, "broken")).toEqual(names)
        expect(classify(checks)).toBe("broken")
    })

    test("cipherSuite is of another kind", () => {
        expect(classify(judge(changed(json, "cipherSuite", flip)))).toBe("unsupported")
    })

    test("timeStamp is refused", () => {
        const later = changed(json, "timeStamp", (time) => String(time).replace(".000Z", ".001Z"))
        expect(named(judge(later), "broken")).toEqual([...signed, ...known("period")])
    })

    test("a link's uri that leaves the chain, or the order of time, is refused", () => {
        for (const change of [
            (uri: unknown) => String(uri).replace("https://", "https://not-"),
            (uri: unknown) => String(uri).replace(/chain\/\d+/, "chain/9"),
            (uri: unknown) => String(uri).replace(/\d+$/, "9999999"),
            () => null,
            () => undefined,
        ])
            for (const at of [0, 1, 2, 3, 4])
                expect(named(judge(changed(json, `listValues.${at}.uri`, change)), "broken")).toEqual(["uri"])
        expect(named(judge(changed(json, "listValues.1.uri", () => json.uri)), "broken")).toEqual(["uri"])
    })

    test("a signature cut short cannot be verified, and is not what was hashed", () => {
        const checks = judge(changed(json, "signatureValue", (hex) => String(hex).slice(2)))
        expect(named(checks, "broken")).toEqual(["key-size", "output"])
        expect(classify(checks)).toBe("broken")
    })
})

describe("a chain of our own", async () => {
    const signer = await makeSigner()
    const certificate = certificateOf(signer.pem)
    const [first, second] = makeChain(signer, 2) as [Pulse, Pulse]
    const trail = joinTrail(first, first.outputValue)

    test("holds from its first pulse on, every check", () => {
        for (const [pulse, before] of [
            [first, undefined],
            [second, trail],
        ] as const) {
            const checks = verifyMade(pulse, { before, certificate, sourceText })
            expect(checks.filter(({ verdict }) => verdict !== "holds")).toEqual([])
            expect(classify(checks)).toBe("verified")
        }
    })

    test("has the text of its external source, or another, or nobody knows", () => {
        const judge = (text: string | undefined): readonly Check[] =>
            verifyMade(second, { before: trail, certificate, sourceText: text })
        expect(named(judge(undefined), "unchecked")).toEqual(["external"])
        expect(classify(judge(undefined))).toBe("verified")
        expect(named(judge("something else"), "broken")).toEqual(["external"])
    })

    test("is outside of its certificate's term: nobody vouches for that key any more", () => {
        for (const term of [{ notBefore: second.timeStamp + 1 }, { notAfter: second.timeStamp - 1 }]) {
            const checks = verifyMade(second, {
                before: trail,
                certificate: { ...certificate, ...term },
                sourceText,
            })
            expect(named(checks, "broken")).toEqual(["validity"])
            expect(classify(checks)).toBe("signature-unverified")
        }
        const exact = { ...certificate, notBefore: second.timeStamp, notAfter: second.timeStamp }
        expect(classify(verifyMade(second, { before: trail, certificate: exact }))).toBe("verified")
    })

    test("is judged by a term that began before 1970, ended then, or is no time", () => {
        const judge = (term: { notBefore?: number; notAfter?: number }): readonly Check[] =>
            verifyMade(second, { before: trail, certificate: { ...certificate, ...term }, sourceText })
        expect(classify(judge({ notBefore: -1 }))).toBe("verified")
        const over = judge({ notBefore: -2, notAfter: -1 })
        expect(reasonOf(over, "validity")).toBe("it is valid from before 1970 to before 1970")
        const from = "it is valid from 1970-01-01T00:00:00.000Z to"
        expect(reasonOf(judge({ notBefore: 0, notAfter: 0 }), "validity")).toBe(
            `${from} 1970-01-01T00:00:00.000Z`,
        )
        const timeless = judge({ notBefore: 0, notAfter: NaN })
        expect(reasonOf(timeless, "validity")).toBe(`${from} no time that can be read`)
        for (const checks of [over, timeless]) {
            expect(named(checks, "broken")).toEqual(["validity"])
            expect(classify(checks)).toBe("signature-unverified")
        }
    })

    test("cannot be verified with a certificate for another kind of key", () => {
        const checks = verifyMade(second, { before: trail, certificate: { ...certificate, key: undefined } })
        expect(named(checks, "unchecked")).toEqual(["key-size", "signature", "external"])
        expect(classify(checks)).toBe("signature-unverified")
    })

    test("may name its certificate by the hash of the PEM file, as the draft has it", () => {
        const pem = utf8(signer.pem)
        const [only] = makeChain(signer, 1, () => ({ certificateId: sha512(pem) })) as [Pulse]
        const checks = verifyMade(only, { before: undefined, certificate, sourceText })
        expect(reasonOf(checks, "certificate")).toMatch(/^by the hash of its PEM file/)
        expect(classify(checks)).toBe("verified")
    })

    test("may be laid out as the draft has it, if it is so throughout", () => {
        const message = encodeDraftMessage(second)
        const signatureValue = new Uint8Array(sign("sha512", message, signer.key))
        const length = uint64(signatureValue.length)
        const draft = {
            ...second,
            signatureValue,
            outputValue: sha512(concatBytes(message, length, signatureValue)),
        }
        const checks = verifyMade(draft, { before: trail, certificate, sourceText })
        expect(reasonOf(checks, "output")).toMatch(/^by the layout of the draft/)
        expect(classify(checks)).toBe("verified")
        // One signature, two layouts: the deployed message was not signed.
        const outputValue = pulseOutput(encodePulseMessage(second), signatureValue)
        expect(
            named(verifyMade({ ...draft, outputValue }, { before: trail, certificate }), "broken"),
        ).toEqual(["signature"])
    })

    test("tells what its status says", () => {
        const [, lost] = makeChain(signer, 2, ({ pulseIndex }) =>
            pulseIndex === 2 ? { statusCode: 9, localRandomValue: sha512(utf8("lost")) } : {},
        ) as [Pulse, Pulse]
        const checks = verifyMade(lost, { before: trail, certificate, sourceText })
        expect(reasonOf(checks, "status")).toBe("9: precommitment lost, last pulse")
        expect(named(checks, "unchecked")).toEqual(["precommitment"])
        expect(classify(checks)).toBe("verified")
    })

    test("tells of fields of its own, as text that cannot move a cursor", () => {
        const { pulse } = pulseJson(second)
        const read = parsePulse({ ...pulse, "a\u001b[2J": 1, ["b".repeat(100)]: 2, c: 3, d: 4, e: 5, f: 6 })
        const checks = verifyPulse(read, { before: trail, certificate, sourceText })
        const names = `a?[2J, ${"b".repeat(40)}, c, d, e, …`
        expect(reasonOf(checks, "form")).toBe(`fields of its own, which are not signed: ${names}`)
        expect(classify(checks)).toBe("verified")
    })
})
