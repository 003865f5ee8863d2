/** A beacon as somebody serves it, in NIST's REST interface: nothing of it is verified here but its form. */
import { toHex, toUtf8 } from "@tallylight/crypto/bytes.js"
import { UserError } from "@tallylight/node/user-error.js"
import { parsePulse } from "@tallylight/protocol/pulse/json.js"
import type { ParsedPulse } from "@tallylight/protocol/pulse/json.js"
import { httpFiles } from "./log-files.ts"
import { certificateWithId, readEachCertificate } from "./verify-pulse-certificates.ts"
import type { NamedCertificate } from "./verify-pulse-certificates.ts"

export type PulseSource = {
    /** The address or the files, for messages. */
    readonly where: string
    /** undefined where there is none. */
    readonly pulse: (chain: number | "last", index: number | "last") => Promise<ParsedPulse | undefined>
    readonly signer: SignerSource
}

/** What pulses refer to by a hash. */
export type SignerSource = {
    /** The one with that id, or that is served under it. */
    readonly certificate: (id: Uint8Array) => Promise<NamedCertificate | undefined>
    /** The text behind an external source id. */
    readonly sourceText: (id: Uint8Array) => Promise<string | undefined>
}

/** A pulse of cipher suite 0 has 5 KB; there may be fields that nobody here knows. */
const maxPulseBytes = 256 * 1024
const maxOtherBytes = 64 * 1024

/**
 * Asks the beacon at that address, and where no certificates are given, it also for those: whoever is there can then
 * only be found to be the same for all its pulses.
 */
export function httpPulses(
    url: string,
    given: readonly NamedCertificate[],
    ca: string | undefined,
    stop: AbortSignal,
): PulseSource {
    const files = httpFiles(baseOf(url), ca, stop)
    return {
        where: files.where,
        pulse: async (chain, index) => {
            const path = chain === "last" ? `pulse/${index}` : `chain/${chain}/pulse/${index}`
            const bytes = await files.read(path, maxPulseBytes)
            return bytes && parsePulse(parseJson(bytes))
        },
        signer: {
            certificate: remembered(async (id) => {
                if (given.length > 0) return certificateWithId(given, id)
                const pem = await files.read(`certificate/${toHex(id)}`, maxOtherBytes)
                const served = pem === undefined ? [] : readEachCertificate(pem)
                // Authorities may come with it, and what cannot be read of those is in nobody's way.
                const readable = served.filter((one) => one !== undefined)
                return certificateWithId(readable, id) ?? served[0]
            }),
            sourceText: remembered(async (id) => {
                const bytes = await files.read(`externalSource/${toHex(id)}`, maxOtherBytes)
                return bytes && toUtf8(bytes)
            }),
        },
    }
}

function baseOf(url: string): string {
    if (!URL.canParse(url) || !/^https?:\/\//i.test(url))
        throw new UserError(`“${url}” is no address of a beacon, such as https://beacon.nist.gov/beacon/2.0`)
    return url.replace(/\/+$/, "")
}

/** A chain of a million pulses names a handful of ids, and a beacon that lies may name a new one in each. */
const mostRemembered = 64

function remembered<T>(ask: (id: Uint8Array) => Promise<T>): (id: Uint8Array) => Promise<T> {
    const answers = new Map<string, Promise<T>>()
    return (id) => {
        const name = toHex(id)
        const answer = answers.get(name) ?? ask(id)
        answers.delete(name)
        answers.set(name, answer)
        const [oldest] = answers.keys()
        if (answers.size > mostRemembered && oldest !== undefined) answers.delete(oldest)
        return answer
    }
}

/** undefined where it is no JSON, which is then no pulse either. */
export function parseJson(bytes: Uint8Array): unknown {
    try {
        return JSON.parse(toUtf8(bytes) ?? "")
    } catch (error) {
        if (error instanceof SyntaxError) return undefined
        throw error
    }
}
