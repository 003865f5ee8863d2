import { createHash, X509Certificate } from "node:crypto"

import { beforeAll, describe, expect, test } from "vitest"

import { makeCertificate as makeForServer } from "../../../../test/certificates.ts"
import {
    certificatePem,
    isDistinguishedName,
    isOwn,
    makeCertificate,
    parseCertificates,
    signerKey,
} from "./certificate.ts"
import type { Certificate } from "./certificate.ts"
import { TwinSigner } from "./twin-parts.ts"

const subject = "CN=beacon.example.org, O=Example"
const time = Date.UTC(2026, 5, 1, 12, 30, 15, 250)

let signer: TwinSigner
let other: TwinSigner
let certificate: Certificate
beforeAll(async () => {
    signer = await TwinSigner.of("first")
    other = await TwinSigner.of("second")
    certificate = await makeCertificate(signer, subject, time)
})

describe("a certificate that the node makes", () => {
    test("is signed by the key that it certifies, and by no other", () => {
        const read = new X509Certificate(certificate.der)
        expect(read.verify(signerKey(signer))).toBe(true)
        expect(read.verify(signerKey(other))).toBe(false)
        expect(read.publicKey.export({ format: "jwk" })).toStrictEqual(
            signerKey(signer).export({ format: "jwk" }),
        )
        const changed = Uint8Array.from(certificate.der)
        changed[500] = (changed[500] ?? 0) ^ 1
        expect(new X509Certificate(changed).verify(signerKey(signer))).toBe(false)
    })

    test("is for signatures, without an end, and says that its key is in software", () => {
        const read = new X509Certificate(certificate.der)
        expect(read.subject).toBe("CN=beacon.example.org\nO=Example\nOU=simulated: key in software")
        expect(read.issuer).toBe(read.subject)
        expect([read.ca, read.validFrom, read.validTo]).toStrictEqual([
            false,
            "Jun  1 12:30:15 2026 GMT",
            "Dec 31 23:59:59 9999 GMT",
        ])
        // 1.2.840.113549.1.1.13: sha512WithRSAEncryption.
        const algorithm = Buffer.from("06092a864886f70d01010d", "hex")
        expect(Buffer.from(certificate.der).indexOf(algorithm)).toBeGreaterThan(0)
    })

    test("has the SHA-512 of its DER for its id", () => {
        expect(Buffer.from(certificate.id)).toStrictEqual(
            createHash("sha512").update(certificate.der).digest(),
        )
    })

    test("is the same for the same key, subject and time", async () => {
        expect(await makeCertificate(signer, subject, time)).toStrictEqual(certificate)
        expect(await makeCertificate(signer, subject, time + 1000)).not.toStrictEqual(certificate)
    })

    test("is known again for that key and subject alone", () => {
        expect(isOwn(certificate, signer, subject)).toBe(true)
        expect(isOwn(certificate, other, subject)).toBe(false)
        expect(isOwn(certificate, signer, "CN=beacon.example.org")).toBe(false)
    })

    test("is not made where the signer's signature is wrong", async () => {
        const broken = await TwinSigner.of("first")
        broken.fault = "wrong"
        await expect(makeCertificate(broken, subject, time)).rejects.toThrow("does not fit its key")
    })
})

describe("an operator's certificates", () => {
    test("are those of the file, the key's first", async () => {
        const { cert: authority } = await makeForServer("authority.example.org")
        const pem = `some text\n${certificatePem(certificate.der)}\n${authority}`
        const found = parseCertificates(pem, signer, "chain.pem")
        expect(found.length).toBe(2)
        expect(found[0]).toStrictEqual(certificate)
        expect(found[1]?.der).toStrictEqual(new Uint8Array(new X509Certificate(authority).raw))
    })

    test("are refused where they are another key's, damaged, or none", () => {
        const pem = certificatePem(certificate.der)
        expect(parseCertificates(pem, signer, "chain.pem").length).toBe(1)
        expect(() => parseCertificates(pem, other, "chain.pem")).toThrow(/is not that of the key/)
        expect(() => parseCertificates(pem.replace("MII", "MIX"), signer, "chain.pem")).toThrow(/is damaged/)
        expect(() => parseCertificates("", signer, "chain.pem")).toThrow(
            "there is no certificate in chain.pem",
        )
    })
})

describe("a distinguished name", () => {
    test.each([
        ["CN=a", true],
        ["CN=a, O=B, C=CH", true],
        ["", false],
        ["beacon.example.org", false],
        ["NOPE=a", false],
    ])("%s: %s", (text, expected) => {
        expect(isDistinguishedName(text)).toBe(expected)
    })
})
