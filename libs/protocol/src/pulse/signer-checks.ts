/**
 * Who signed a pulse, and what it comes to. Beacons differ from the schema's own in what they hash: their variants are
 * told by name, since each of them fixes the output value as firmly.
 */
import { concatBytes, equalBytes, uint32, uint64 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { isRsaPublicKey, rsaBits, verifyRsaSha512 } from "@tallylight/crypto/rsa.js"
import type { RsaPublicKey } from "@tallylight/crypto/rsa.js"
import type { UnixMs } from "../ports/clock.ts"
import { broken, holds, unchecked } from "./check.ts"
import type { Check } from "./check.ts"
import { encodeDraftMessage, encodePulseMessage, pulseOutput } from "./pulse.ts"
import type { Pulse } from "./pulse.ts"
import { formatUtc } from "./utc.ts"

/** What a certificate says; X.509 is parsed above this library. */
export type PulseCertificate = {
    readonly der: Uint8Array
    /** The file that it came in, if it did. */
    readonly pem?: Uint8Array
    /** undefined where it is no RSA key. */
    readonly key: RsaPublicKey | undefined
    /** Up to the end of 9999, and below 0 before 1970; NaN, at which nothing is valid, where it is no time. */
    readonly notBefore: UnixMs
    readonly notAfter: UnixMs
}

export type OutputLayout = "deployed" | "inmetro" | "draft"

type Laid = { readonly layout: OutputLayout; readonly message: Uint8Array }

const variants: Readonly<Record<OutputLayout, string>> = {
    deployed: "",
    inmetro: "by INMETRO's layout, which hashes the signature's length in four bytes too",
    draft: "by the layout of the draft of NIST IR 8213, with lengths of eight bytes",
}

/** The layout of which the pulse has the output value; undefined where it has none's. */
export function outputLayout(pulse: Pulse): Laid | undefined {
    const { signatureValue, outputValue } = pulse
    const message = encodePulseMessage(pulse)
    if (equalBytes(pulseOutput(message, signatureValue), outputValue)) return { layout: "deployed", message }
    const counted = sha512(concatBytes(message, uint32(signatureValue.length), signatureValue))
    if (equalBytes(counted, outputValue)) return { layout: "inmetro", message }
    const draft = encodeDraftMessage(pulse)
    const drafted = sha512(concatBytes(draft, uint64(signatureValue.length), signatureValue))
    return equalBytes(drafted, outputValue) ? { layout: "draft", message: draft } : undefined
}

/**
 * Whether the output value is that of the pulse's own fields. Of a pulse that another one links to, that alone is
 * signed for: with it, all of the fields are.
 */
export function hasOwnOutput(pulse: Pulse): boolean {
    return outputLayout(pulse) !== undefined
}

export function signerChecks(pulse: Pulse, certificate: PulseCertificate | undefined): readonly Check[] {
    const laid = outputLayout(pulse)
    const output =
        laid === undefined
            ? broken("output", "it is the hash of something else")
            : holds("output", variants[laid.layout])
    const message = laid?.message ?? encodePulseMessage(pulse)
    return [...certificateChecks(pulse, certificate), ...keyChecks(pulse, message, certificate), output]
}

function certificateChecks(pulse: Pulse, certificate: PulseCertificate | undefined): readonly Check[] {
    if (certificate === undefined) {
        const reason = "no certificate with this id is at hand"
        return [unchecked("certificate", reason), unchecked("validity", reason)]
    }
    const { notBefore, notAfter } = certificate
    const valid = pulse.timeStamp >= notBefore && pulse.timeStamp <= notAfter
    const term = `it is valid from ${timeText(notBefore)} to ${timeText(notAfter)}`
    return [identified(pulse, certificate), valid ? holds("validity") : broken("validity", term)]
}

/** Certificates have the years from 0 on, and whoever makes one may write what is no time. */
function timeText(time: UnixMs): string {
    if (Number.isNaN(time)) return "no time that can be read"
    return time < 0 ? "before 1970" : formatUtc(time)
}

function identified({ certificateId }: Pulse, { der, pem }: PulseCertificate): Check {
    if (equalBytes(sha512(der), certificateId)) return holds("certificate")
    return pem !== undefined && equalBytes(sha512(pem), certificateId)
        ? holds("certificate", "by the hash of its PEM file, as the draft of NIST IR 8213 has it")
        : broken("certificate", "the id is that of another certificate")
}

function keyChecks(
    pulse: Pulse,
    message: Uint8Array,
    certificate: PulseCertificate | undefined,
): readonly Check[] {
    const key = certificate?.key
    if (key === undefined || !isRsaPublicKey(key)) {
        const reason =
            certificate === undefined
                ? "no certificate with this id is at hand"
                : "the certificate's key is no RSA key of at least 2048 bits"
        return [unchecked("key-size", reason), unchecked("signature", reason)]
    }
    const bytes = pulse.signatureValue.length
    if (bytes !== key.modulus.length) {
        const sizes = `the certificate's key has ${rsaBits(key.modulus)} bits, the signature ${8 * bytes}`
        return [
            broken("key-size", sizes),
            unchecked("signature", `it is not by this certificate's key: ${sizes}`),
        ]
    }
    const signed = verifyRsaSha512(key, message, pulse.signatureValue)
    return [
        holds("key-size", `${rsaBits(key.modulus)} bits`),
        signed
            ? holds("signature")
            : broken("signature", "the certificate's key did not make it for this message"),
    ]
}
