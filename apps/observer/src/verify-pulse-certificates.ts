/** Certificates of beacons, from PEM as beacons serve it: with or without line ends where there should be some. */
import { X509Certificate } from "node:crypto"
import type { KeyObject } from "node:crypto"
import { equalBytes, toUtf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import type { RsaPublicKey } from "@tallylight/crypto/rsa.js"
import type { PulseCertificate } from "@tallylight/protocol/pulse/signer-checks.js"

export type NamedCertificate = PulseCertificate & {
    /** In the order of RFC 4514's strings, printable ASCII. */
    readonly subject: string
}

/** All certificates in the text, in its order; undefined where there is none, or one cannot be read. */
export function readCertificates(pem: Uint8Array): readonly NamedCertificate[] | undefined {
    const read = readEachCertificate(pem)
    const certificates = read.filter((one) => one !== undefined)
    return certificates.length === 0 || certificates.length < read.length ? undefined : certificates
}

/** What the text has as certificates, in its order; undefined in the place of one that cannot be read. */
export function readEachCertificate(pem: Uint8Array): readonly (NamedCertificate | undefined)[] {
    const text = toUtf8(pem) ?? ""
    const blocks = text.matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g)
    return [...blocks].map(([, base64 = ""]) => readCertificate(Buffer.from(base64, "base64"), pem))
}

function readCertificate(der: Buffer, pem: Uint8Array): NamedCertificate | undefined {
    const certificate = parseX509(der)
    if (certificate === undefined) return undefined
    const { raw, validFrom, validTo, subject } = certificate
    return {
        der: new Uint8Array(raw),
        pem,
        key: rsaKey(certificate),
        notBefore: Date.parse(validFrom),
        notAfter: Date.parse(validTo),
        subject: nameText(subject),
    }
}

/**
 * Node's types hide that it is undefined where the name is empty, as it is of a certificate of which only the
 * alternative names count (RFC 5280 §4.1.2.6).
 */
function nameText(subject: string | undefined): string {
    if (subject === undefined) return "(without a name)"
    // Whoever made the certificate chose these characters, and a terminal would obey some.
    const parts = subject.split("\n").reverse().join(", ")
    return parts.replace(/[^\x20-\x7e]/g, "?")
}

function parseX509(der: Buffer): X509Certificate | undefined {
    try {
        return new X509Certificate(der)
    } catch {
        return undefined
    }
}

function rsaKey(certificate: X509Certificate): RsaPublicKey | undefined {
    const publicKey = keyOf(certificate)
    if (publicKey?.asymmetricKeyType !== "rsa") return undefined
    const { n = "", e = "" } = publicKey.export({ format: "jwk" })
    const bytes = (part: string): Uint8Array => new Uint8Array(Buffer.from(part, "base64url"))
    return { modulus: bytes(n), exponent: bytes(e) }
}

/** undefined where OpenSSL does not know its algorithm, or cannot read it. */
function keyOf(certificate: X509Certificate): KeyObject | undefined {
    try {
        return certificate.publicKey
    } catch {
        return undefined
    }
}

/** The one of which that is the id, by either reading of the documents. */
export function certificateWithId<Certificate extends PulseCertificate>(
    certificates: readonly Certificate[],
    id: Uint8Array,
): Certificate | undefined {
    return (
        certificates.find(({ der }) => equalBytes(sha512(der), id)) ??
        certificates.find(({ pem }) => pem !== undefined && equalBytes(sha512(pem), id))
    )
}
