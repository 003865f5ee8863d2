/** The real pulses of test/vectors/beacon-pulses.json, with their certificates. */
import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { toHex, utf8 } from "@tallylight/crypto/bytes.js"
import { parsePulse } from "@tallylight/protocol/pulse/json.js"
import type { PulseJson } from "@tallylight/protocol/pulse/json.js"
import type { Pulse } from "@tallylight/protocol/pulse/pulse.js"
import type { PulseCertificate } from "@tallylight/protocol/pulse/signer-checks.js"

type Case = {
    readonly id: string
    readonly layout: string
    readonly expect: {
        readonly signed_bytes_len: number
        readonly signed_bytes_hash: string
        readonly certificateId_is_sha512_of_DER: boolean
        readonly signature_valid: boolean
        readonly "output_eq_H(msg||sig)": boolean
        readonly "output_eq_H(msg||len4||sig)": boolean
        readonly draft8byte_layout_output_matches: boolean
    }
    readonly pulse: PulseJson["pulse"]
}

type Vectors = {
    readonly certificates: Readonly<Record<string, { readonly pem: string; readonly rsa_bits: number }>>
    readonly links: readonly { readonly prev: string; readonly next: string }[]
    readonly cases: readonly Case[]
}

export const vectorsFile = new URL("../vectors/beacon-pulses.json", import.meta.url)

export const vectors = JSON.parse(readFileSync(vectorsFile, "utf8")) as Vectors

export function caseOf(id: string): Case {
    const found = vectors.cases.find((one) => one.id === id)
    if (found === undefined) throw new Error(`there is no case ${id}`)
    return found
}

export function parsed(json: unknown): Pulse {
    const read = parsePulse(json)
    if (read.kind !== "pulse") throw new Error(`this is no pulse: ${JSON.stringify(read)}`)
    return read.pulse
}

export function realPulse(id: string): Pulse {
    return parsed(caseOf(id).pulse)
}

export function certificateOf(pem: string): PulseCertificate {
    const read = new X509Certificate(pem)
    const { n = "", e = "" } = read.publicKey.export({ format: "jwk" })
    const bytes = (part: string): Uint8Array => new Uint8Array(Buffer.from(part, "base64url"))
    return {
        der: new Uint8Array(read.raw),
        pem: utf8(pem),
        key: { modulus: bytes(n), exponent: bytes(e) },
        notBefore: Date.parse(read.validFrom),
        notAfter: Date.parse(read.validTo),
    }
}

/** The one that the pulse names; undefined where the vectors have none. */
export function realCertificate({
    certificateId,
}: Pick<Pulse, "certificateId">): PulseCertificate | undefined {
    const found = vectors.certificates[toHex(certificateId)]
    return found && certificateOf(found.pem)
}
