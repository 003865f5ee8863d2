/** Certificates that sign themselves, made for one test. */
import { generate } from "selfsigned"

export type Certificate = { readonly cert: string; readonly key: string }

const day = 24 * 3600 * 1000

/** Valid for that address or host name from a while ago until `days` from now, which may be in the past. */
export async function makeCertificate(host = "127.0.0.1", days = 1): Promise<Certificate> {
    const now = Date.now()
    const altNames = /^[0-9.]+$/.test(host)
        ? [{ type: 7 as const, ip: host }]
        : [{ type: 2 as const, value: host }]
    const made = await generate([{ name: "commonName", value: host }], {
        keyType: "ec",
        notBeforeDate: new Date(now + Math.min(-1, days - 1) * day),
        notAfterDate: new Date(now + days * day),
        extensions: [
            { name: "basicConstraints", cA: true },
            { name: "subjectAltName", altNames },
        ],
    })
    return { cert: made.cert, key: made.private }
}
