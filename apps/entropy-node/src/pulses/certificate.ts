/**
 * The certificate that pulses name (RFC 5280): self-signed through the signer, which alone has the private key, or the
 * operator's own. A pulse names it by the SHA-512 of its DER, as deployed, and not of its PEM, as the draft says.
 */
// What @peculiar/x509 is built on looks for this polyfill when it is loaded.
import "reflect-metadata"

import { createPublicKey, X509Certificate } from "node:crypto"
import type { KeyObject } from "node:crypto"

import {
    BasicConstraintsExtension,
    KeyUsageFlags,
    KeyUsagesExtension,
    Name,
    X509Certificate as PeculiarCertificate,
    X509CertificateGenerator,
} from "@peculiar/x509"
import { equalBytes, toBase64, toHex } from "@tallylight/crypto/bytes.js"
import { sha256, sha512 } from "@tallylight/crypto/hash.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"

import type { PulseSigner } from "../hsm/pulse-signer.ts"

export type Certificate = {
    /** SHA-512 of `der`. */
    readonly id: Uint8Array
    readonly der: Uint8Array
}

/** RFC 5280 §4.1.2.5: for a certificate without an end. What ends is the key, and a new one is a new certificate. */
const noEnd = new Date("9999-12-31T23:59:59Z")

/** RSASSA-PKCS1-v1_5 with SHA-512, as the generator writes it. */
const signingAlgorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-512" }

export function isDistinguishedName(text: string): boolean {
    try {
        return new Name(text).toJSON().length > 0
    } catch {
        return false
    }
}

export function signerKey({ modulus, exponent }: Pick<PulseSigner, "modulus" | "exponent">): KeyObject {
    const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")
    const e = Buffer.alloc(4)
    e.writeUInt32BE(exponent)
    const key = { kty: "RSA", n: base64url(modulus), e: base64url(e.subarray(e.findIndex((b) => b !== 0))) }
    return createPublicKey({ key, format: "jwk" })
}

/** The same for the same key, subject and time. A key in software is named as such in the subject. */
export async function makeCertificate(
    signer: PulseSigner,
    subject: string,
    notBefore: UnixMs,
): Promise<Certificate> {
    const key = signerKey(signer)
    const spki = key.export({ type: "spki", format: "der" })
    const name = ownName(signer, subject)
    const content = {
        // Positive, at most 20 bytes, and nobody else's: the key's.
        serialNumber: `01${toHex(sha256(spki)).slice(0, 30)}`,
        subject: name,
        issuer: name,
        notBefore: new Date(Math.floor(notBefore / 1000) * 1000),
        notAfter: noEnd,
        publicKey: spki,
        signingAlgorithm,
        extensions: [
            new BasicConstraintsExtension(false, undefined, true),
            new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        ],
    }
    const unsigned = await X509CertificateGenerator.create({ ...content, signature: new Uint8Array(0) })
    const signature = await signer.sign(firstWithin(new Uint8Array(unsigned.rawData)))
    const signed = await X509CertificateGenerator.create({ ...content, signature })
    const der = new Uint8Array(signed.rawData)
    if (!new X509Certificate(der).verify(key)) throw new Error("the signer's signature does not fit its key")
    return { id: sha512(der), der }
}

/** The certificates of a PEM file, that of the signer's key first. Throws a UserError where it is another key's. */
export function parseCertificates(
    pem: string,
    signer: PulseSigner,
    path: string,
): readonly [Certificate, ...Certificate[]] {
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
    const [leaf, ...authorities] = blocks.map((block) => parse(block, path))
    if (leaf === undefined) throw new UserError(`there is no certificate in ${path}`)
    if (!certifies(leaf, signer))
        throw new UserError(
            `the first certificate in ${path} is not that of the key which signs the pulses; ` +
                "give the certificate of that key, followed by those of its authorities",
        )
    return [leaf, ...authorities]
}

/** Whether `makeCertificate` made it for that key and subject, whenever that was. */
export function isOwn(certificate: Certificate, signer: PulseSigner, subject: string): boolean {
    const { subject: named, issuer } = new PeculiarCertificate(certificate.der)
    const name = new Name(ownName(signer, subject)).toString()
    return certifies(certificate, signer) && named === name && issuer === name
}

function ownName({ simulated }: PulseSigner, subject: string): string {
    return simulated ? `${subject}, OU=simulated: key in software` : subject
}

/** Whether it is for the signer's key. */
export function certifies({ der }: Pick<Certificate, "der">, signer: PulseSigner): boolean {
    const certified = new X509Certificate(der).publicKey.export({ type: "spki", format: "der" })
    return equalBytes(certified, signerKey(signer).export({ type: "spki", format: "der" }))
}

/** As NIST serves it: lines end in CR LF, and the last one does not end. */
export function certificatePem(der: Uint8Array): string {
    const lines = toBase64(der).match(/.{1,64}/g) ?? []
    return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----"].join("\r\n")
}

function parse(pem: string, path: string): Certificate {
    try {
        const der = new Uint8Array(new X509Certificate(pem).raw)
        return { id: sha512(der), der }
    } catch (error) {
        throw new UserError(`a certificate in ${path} is damaged`, { cause: error })
    }
}

/** The first element within the outermost one, in DER (X.690 §8.1): of a certificate, what its signature covers. */
function firstWithin(der: Uint8Array): Uint8Array {
    const inner = der.subarray(header(der).length)
    const { length, content } = header(inner)
    return inner.subarray(0, length + content)
}

function header(der: Uint8Array): { length: number; content: number } {
    const [, first = 0] = der
    if (first < 0x80) return { length: 2, content: first }
    const digits = first - 0x80
    const content = der.subarray(2, 2 + digits).reduce((sum, byte) => sum * 256 + byte, 0)
    return { length: 2 + digits, content }
}
