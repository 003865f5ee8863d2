/**
 * A pulse of a NIST Randomness Beacon 2.0 in the layout that runs: that of beacon-2.0.xsd, which real pulses
 * reproduce, and not that of the draft of NIST IR 8213, which has lengths of eight bytes where these have four.
 * Integers are big-endian; a string or a value has its length in bytes before it.
 *
 *     uri  version  cipherSuite(4)  period(4)  certificateId  chainIndex(8)  pulseIndex(8)  timeStamp
 *     localRandomValue  external.sourceId  external.statusCode(4)  external.value
 *     previous  hour  day  month  year  precommitmentValue  statusCode(4)
 *
 * outputValue = SHA-512(these bytes || signature). What the list's values are of, and where those pulses are to be
 * found, is not signed.
 */
import { concatBytes, equalBytes, toUtf8, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import { decode, fixed, struct, u32, u64 } from "../ledger/layout.ts"
import type { Layout } from "../ledger/layout.ts"
import type { UnixMs } from "../ports/clock.ts"
import { formatUtc, parseUtc } from "./utc.ts"

/** The order in which the values are signed. */
export const linkNames = ["previous", "hour", "day", "month", "year"] as const
export type LinkName = (typeof linkNames)[number]

/** Output values of earlier pulses, 64 bytes each; zeros where there is none. */
export type PulseLinks = Readonly<Record<LinkName, Uint8Array>>

export type PulseMessage = {
    /** Printable ASCII without spaces, 1 to 1024 characters. */
    readonly uri: string
    /** Printable ASCII, 1 to 32 characters: “2.0”, or “Version 2.0” in older chains. */
    readonly version: string
    /** 0 is SHA-512 with RSASSA-PKCS1-v1_5, the only one that the schema defines. */
    readonly cipherSuite: number
    /** Milliseconds. */
    readonly period: number
    /** SHA-512 of the certificate's DER. */
    readonly certificateId: Uint8Array
    readonly chainIndex: number
    readonly pulseIndex: number
    /** Signed in the form of `formatUtc`. */
    readonly timeStamp: UnixMs
    /** 64 bytes, as all values here. */
    readonly localRandomValue: Uint8Array
    readonly external: {
        readonly sourceId: Uint8Array
        readonly statusCode: number
        readonly value: Uint8Array
    }
    readonly links: PulseLinks
    /** SHA-512 of the next pulse's local random value; zeros where the beacon commits to nothing. */
    readonly precommitmentValue: Uint8Array
    readonly statusCode: number
}

export type Pulse = PulseMessage & {
    /** Where the linked pulses are said to be; undefined where there is none. Not signed. */
    readonly linkUris: Readonly<Record<LinkName, string | undefined>>
    /** As long as the modulus of the certificate's key. */
    readonly signatureValue: Uint8Array
    readonly outputValue: Uint8Array
}

/**
 * The bits of a pulse's status code, as Table 5 of the draft has them and as they are in use (1925734 of NIST's chain 2
 * carries 6). The schema's own text calls 1 the start of a chain.
 */
export const statusBits = {
    /** The local random value does not open the precommitment of the pulse before. */
    lostPrecommitment: 1,
    gap: 2,
    certificateChanged: 4,
    lastPulse: 8,
} as const

export const valueBytes = 64
export const noValue: Uint8Array = new Uint8Array(valueBytes)
export const noLinks: PulseLinks = {
    previous: noValue,
    hour: noValue,
    day: noValue,
    month: noValue,
    year: noValue,
}

/** Well above the 807 to 850 bytes of those that are in use. */
export const maxMessageBytes = 2048
/** The schema's 8192 hexadecimal digits. */
export const maxSignatureBytes = 4096

/** The fields behind lengths of that width, in which the external status code is written too. */
function messageLayout(width: Layout<number>) {
    // A byte that does not belong is read as something that would be written otherwise: the decoder compares.
    const text: Layout<string> = {
        write: (given) => concatBytes(width.write(given.length), utf8(given)),
        read: (from) => toUtf8(fixed(width.read(from)).read(from)) ?? "",
    }
    const value: Layout<Uint8Array> = {
        write: (bytes) => concatBytes(width.write(valueBytes), fixed(valueBytes).write(bytes)),
        read: (from) => fixed(width.read(from)).read(from),
    }
    const time: Layout<UnixMs | undefined> = {
        write: (ms) => text.write(formatUtc(ms ?? NaN)),
        read: (from) => parseUtc(text.read(from)),
    }
    return struct({
        uri: text,
        version: text,
        cipherSuite: u32,
        period: u32,
        certificateId: value,
        chainIndex: u64,
        pulseIndex: u64,
        timeStamp: time,
        localRandomValue: value,
        external: struct({ sourceId: value, statusCode: width, value }),
        links: struct({ previous: value, hour: value, day: value, month: value, year: value }),
        precommitmentValue: value,
        statusCode: u32,
    })
}

const layout = messageLayout(u32)
const draftLayout = messageLayout(u64)

export function isPulseUri(uri: string): boolean {
    return /^[\x21-\x7e]{1,1024}$/.test(uri)
}

export function isPulseVersion(version: string): boolean {
    return /^[\x20-\x7e]{1,32}$/.test(version)
}

/** The signed bytes. Throws RangeError for a field that does not fit. */
export function encodePulseMessage(message: PulseMessage): Uint8Array {
    if (!isPulseUri(message.uri) || !isPulseVersion(message.version))
        throw new RangeError(
            "a pulse's uri and version are printable ASCII, of 1024 and 32 characters at most",
        )
    return layout.write(message)
}

/** The bytes that the draft of NIST IR 8213 has signed, with lengths of eight bytes. No real pulse is known to. */
export function encodeDraftMessage(message: PulseMessage): Uint8Array {
    return draftLayout.write(message)
}

/** The message of which `bytes` are the encoding, whole; undefined where there is none. */
export function decodePulseMessage(bytes: Uint8Array): PulseMessage | undefined {
    if (bytes.length > maxMessageBytes) return undefined
    const read = decode(layout, bytes)
    if (read?.timeStamp === undefined || !isPulseUri(read.uri) || !isPulseVersion(read.version))
        return undefined
    if (!valuesOf(read).every((one) => one.length === valueBytes)) return undefined
    const message = { ...read, timeStamp: read.timeStamp }
    return equalBytes(encodePulseMessage(message), bytes) ? message : undefined
}

function valuesOf(message: Omit<PulseMessage, "timeStamp">): readonly Uint8Array[] {
    const { certificateId, localRandomValue, external, links, precommitmentValue } = message
    const linked = linkNames.map((name) => links[name])
    return [certificateId, localRandomValue, external.sourceId, external.value, ...linked, precommitmentValue]
}

/** The pulse's output value, 64 bytes: it covers the signature, so no signer knows it before signing. */
export function pulseOutput(message: Uint8Array, signature: Uint8Array): Uint8Array {
    return sha512(concatBytes(message, signature))
}

/** What the pulse before has to carry so that this local random value opens it. */
export function precommitmentOf(localRandomValue: Uint8Array): Uint8Array {
    return sha512(localRandomValue)
}
