/** The certificate that a server shows and its secret key, in files that a renewal replaces. */
import { createPrivateKey, X509Certificate } from "node:crypto"
import type { KeyObject } from "node:crypto"

import type { UnixMs } from "@tallylight/protocol/ports/clock.js"

import { readIfThere } from "./durable-file.ts"
import { refuseReadableByOthers } from "./key-files.ts"
import { UserError } from "./user-error.ts"

/** A certificate with those of its authorities, and its key, in PEM. */
export type TlsFiles = { readonly certFile: string; readonly keyFile: string }

/** For Node's TLS servers. `validTo` as in the certificate. */
export type Credentials = { readonly cert: string; readonly key: string; readonly validTo: string }

/** Rejects with a {@link UserError} what no client would accept. */
export async function readCredentials(files: TlsFiles, now: UnixMs): Promise<Credentials> {
    const { certFile, keyFile } = files
    const cert = await readText(certFile)
    const key = await readText(keyFile)
    await refuseReadableByOthers(keyFile)
    // A chain file begins with the server's own certificate, and this is the one that is parsed.
    const parsed = parse(() => new X509Certificate(cert), `${certFile} holds no certificate in PEM`)
    const secret: KeyObject = parse(
        () => createPrivateKey(key),
        `${keyFile} holds no private key in PEM without a passphrase`,
    )
    if (!parsed.checkPrivateKey(secret))
        throw new UserError(`the key in ${keyFile} is not the one of the certificate in ${certFile}`)
    const { validFrom, validTo } = parsed
    if (Date.parse(validTo) <= now)
        throw new UserError(`the certificate in ${certFile} expired on ${validTo}; renew it`)
    if (Date.parse(validFrom) > now)
        throw new UserError(
            `the certificate in ${certFile} is valid from ${validFrom} on; look at this machine's clock`,
        )
    return { cert, key, validTo }
}

async function readText(file: string): Promise<string> {
    const content = await readIfThere(file)
    if (content === undefined) throw new UserError(`there is no file ${file}`)
    return content.toString("latin1")
}

function parse<T>(work: () => T, problem: string): T {
    try {
        return work()
    } catch (error) {
        throw new UserError(problem, { cause: error })
    }
}
