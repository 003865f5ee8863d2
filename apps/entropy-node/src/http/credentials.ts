/** The certificate that the node shows and its secret key, in files. */
import { createPrivateKey, X509Certificate } from "node:crypto"
import { readIfThere } from "@tallylight/node/durable-file.js"
import { refuseReadableByOthers } from "@tallylight/node/key-files.js"
import { UserError } from "@tallylight/node/user-error.js"
import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import type { HttpSettings } from "./settings.ts"

/** In PEM, for Node's TLS servers. */
export type Credentials = { readonly cert: string; readonly key: string }

/** Rejects with a {@link UserError} what no client would accept. */
export async function readCredentials(
    { certFile, keyFile }: NonNullable<HttpSettings["tls"]>,
    now: UnixMs,
): Promise<Credentials> {
    const cert = await readText(certFile)
    const key = await readText(keyFile)
    await refuseReadableByOthers(keyFile)
    const parsed = parsedOr(() => new X509Certificate(cert), `${certFile} holds no certificate in PEM`)
    const secret = parsedOr(
        () => createPrivateKey(key),
        `${keyFile} holds no private key in PEM without a passphrase`,
    )
    if (!parsed.checkPrivateKey(secret))
        throw new UserError(`the key in ${keyFile} is not the one of the certificate in ${certFile}`)
    if (Date.parse(parsed.validTo) <= now)
        throw new UserError(`the certificate in ${certFile} expired on ${parsed.validTo}; renew it`)
    return { cert, key }
}

async function readText(file: string): Promise<string> {
    const content = await readIfThere(file)
    if (content === undefined) throw new UserError(`there is no file ${file}`)
    return content.toString("latin1")
}

function parsedOr<T>(work: () => T, problem: string): T {
    try {
        return work()
    } catch (error) {
        throw new UserError(problem, { cause: error })
    }
}
