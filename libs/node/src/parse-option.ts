/** For commander: values that are wrong whatever a file or a server says, and so are wrong usage. */
import { noteKey, parseVerifierKey } from "@tallylight/crypto/note.js"
import { InvalidArgumentError } from "commander"

/** Of a server, or a path below it. */
export function parseAddress(value: string): string {
    const scheme = URL.canParse(value) ? new URL(value).protocol : ""
    if (!/^(http|ws)s?:$/.test(scheme))
        throw new InvalidArgumentError("An address such as http://127.0.0.1:7710 is needed.")
    return value
}

export function parseChainId(value: string): string {
    if (!/^[0-9a-f]{64}$/i.test(value)) throw new InvalidArgumentError("64 hexadecimal digits are needed.")
    return value
}

export function parseLedgerKey(value: string): string {
    if (!/^[0-9a-f]{64}$/i.test(value) && parseVerifierKey(value)?.type !== noteKey)
        throw new InvalidArgumentError(
            "64 hexadecimal digits are needed, or a verifier key name+hash+base64.",
        )
    return value
}
