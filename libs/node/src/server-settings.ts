/** How a client reaches a ledger server and recognises its chain: settings that all clients have in common. */
import { X509Certificate } from "node:crypto"

import { z } from "zod"

import { readIfThere } from "./durable-file.ts"
import { UserError } from "./user-error.ts"

export const serverSettings = {
    /** The ledger server. */
    url: z.string().default("http://127.0.0.1:7710"),
    /** The id of its chain: better known from somebody else than the server. */
    chain: z.string().optional(),
    /** The chain's ledger key, in hexadecimal or as a note's verifier key (C2SP signed-note). */
    ledgerKey: z.string().optional(),
    /** Certificates in PEM, to be trusted instead of the public authorities. */
    caFile: z.string().optional(),
}

/** As parsed; `undefined` is no value. */
export type ServerSettings = {
    readonly url: string
    readonly chain?: string | undefined
    readonly ledgerKey?: string | undefined
    readonly caFile?: string | undefined
}

/** The PEM text of the file; undefined where none is set. */
export async function readAuthorities(file: string | undefined): Promise<string | undefined> {
    if (file === undefined) return undefined
    const content = await readIfThere(file)
    if (content === undefined) throw new UserError(`there is no file ${file}, which should hold certificates`)
    const pem = content.toString("latin1")
    try {
        new X509Certificate(pem)
        return pem
    } catch (error) {
        throw new UserError(`${file} holds no certificate in PEM`, { cause: error })
    }
}
