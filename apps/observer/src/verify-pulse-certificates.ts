/** Certificates of beacons, from PEM as beacons serve it: with or without line ends where there should be some. */
import { X509Certificate } from "node:crypto"
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
    const blocks = [
        ...(toUtf8(pem) ?? "").matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g),
    ]
    const read = blocks.map(([, base64 = ""]) => readCertificate(Buffer.from(base64, "base64"), pem))
    const certificates = read.filter((one) => one !== undefined)
    return certificates.length === 0 || certificates.length < read.length ? undefined : certificates
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
        // Whoever made the certificate chose these characters, and a terminal would obey some.
        subject: subject
            .split("\n")
            .reverse()
            .join(", ")
            .replace(/[^\x20-\x7e]/g, "?"),
    }
}

function parseX509(der: Buffer): X509Certificate | undefined {
    try {
        return new X509Certificate(der)
    } catch {
        return undefined
    }
}

function rsaKey({ publicKey }: X509Certificate): RsaPublicKey | undefined {
    if (publicKey.asymmetricKeyType !== "rsa") return undefined
    const { n = "", e = "" } = publicKey.export({ format: "jwk" })
    const bytes = (part: string): Uint8Array => new Uint8Array(Buffer.from(part, "base64url"))
    return { modulus: bytes(n), exponent: bytes(e) }
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
