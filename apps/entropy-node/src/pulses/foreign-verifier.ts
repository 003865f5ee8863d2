/**
 * For tests: a verifier of NIST's pulses that shares no code with what makes them. It takes the JSON and the PEM that a
 * beacon serves, and follows beacon-2.0.xsd as deployed.
 */
import { createHash, verify, X509Certificate } from "node:crypto"

const linkNames = ["previous", "hour", "day", "month", "year"] as const
type LinkName = (typeof linkNames)[number]

export type ServedPulse = {
    readonly uri: string
    readonly version: string
    readonly cipherSuite: number
    readonly period: number
    readonly certificateId: string
    readonly chainIndex: number
    readonly pulseIndex: number
    readonly timeStamp: string
    readonly localRandomValue: string
    readonly external: { readonly sourceId: string; readonly statusCode: number; readonly value: string }
    readonly listValues: readonly {
        readonly type: string
        readonly uri?: string | null
        readonly value: string
    }[]
    readonly precommitmentValue: string
    readonly statusCode: number
    readonly signatureValue: string
    readonly outputValue: string
}

/** What is wrong with each pulse of a chain, which is given from its first one on; nothing where all is well. */
export function findFaults(
    pulses: readonly ServedPulse[],
    pemOf: (certificateId: string) => string,
): readonly string[] {
    return pulses.flatMap((pulse, at) => {
        const faults = [
            ...faultsAlone(pulse, pemOf(pulse.certificateId)),
            ...faultsAfter(pulses.slice(0, at), pulse),
        ]
        return faults.map((fault) => `${pulse.chainIndex}/${pulse.pulseIndex}: ${fault}`)
    })
}

/** What is wrong with the pulse as it is, whatever comes before it. */
export function faultsAlone(pulse: ServedPulse, pem: string): readonly string[] {
    const certificate = new X509Certificate(pem)
    const message = signedBytes(pulse)
    const signature = bytes(pulse.signatureValue)
    const checks: readonly (readonly [string, boolean])[] = [
        ["version", pulse.version === "2.0"],
        ["cipher suite", pulse.cipherSuite === 0],
        ["uri", pulse.uri.endsWith(`/beacon/2.0/chain/${pulse.chainIndex}/pulse/${pulse.pulseIndex}`)],
        ["certificate id", sha512(certificate.raw) === pulse.certificateId.toUpperCase()],
        ["key size", certificate.publicKey.asymmetricKeyDetails?.modulusLength === 4096],
        ["time", new Date(pulse.timeStamp).toISOString() === pulse.timeStamp],
        ["signature", verify("sha512", message, certificate.publicKey, signature)],
        ["output", sha512(Buffer.concat([message, signature])) === pulse.outputValue.toUpperCase()],
        ["names of links", pulse.listValues.map(({ type }) => type).join() === linkNames.join()],
    ]
    return checks.filter(([, holds]) => !holds).map(([what]) => what)
}

function faultsAfter(before: readonly ServedPulse[], pulse: ServedPulse): readonly string[] {
    const previous = before.at(-1)
    if (previous === undefined) {
        const isFirst =
            pulse.pulseIndex === 1 && pulse.listValues.every(({ value }) => /^0{128}$/.test(value))
        return isFirst && pulse.statusCode === 1 ? [] : ["start of chain"]
    }
    const elapsed = Date.parse(pulse.timeStamp) - Date.parse(previous.timeStamp)
    const opens = sha512(bytes(pulse.localRandomValue)) === previous.precommitmentValue
    const has = (bit: number): boolean => (pulse.statusCode & bit) !== 0
    const checks: readonly (readonly [string, boolean])[] = [
        ["index", pulse.pulseIndex === previous.pulseIndex + 1],
        ["order of time", elapsed > 0 && elapsed >= pulse.period],
        ["lost precommitment", has(1) === !opens],
        ["gap", pulse.period === 0 || has(2) === elapsed > pulse.period],
        ["change of certificate", has(4) === (pulse.certificateId !== previous.certificateId)],
        ["pulse after the last one", (previous.statusCode & 8) === 0],
        ...linkNames.map((name, at) => [name, isLink(pulse.listValues[at], target(name, before))] as const),
    ]
    return checks.filter(([, holds]) => !holds).map(([what]) => what)
}

function isLink(link: ServedPulse["listValues"][number] | undefined, to: ServedPulse | undefined): boolean {
    return to !== undefined && link?.value === to.outputValue && link.uri === to.uri
}

const unitLength = { hour: 13, day: 10, month: 7, year: 4 } as const

/** The first pulse of the unit of the previous one. */
function target(name: LinkName, before: readonly ServedPulse[]): ServedPulse | undefined {
    const previous = before.at(-1)
    if (name === "previous" || previous === undefined) return previous
    const unit = previous.timeStamp.slice(0, unitLength[name])
    return before.find(({ timeStamp }) => timeStamp.startsWith(unit))
}

function signedBytes(pulse: ServedPulse): Buffer {
    return Buffer.concat([
        text(pulse.uri),
        text(pulse.version),
        integer(pulse.cipherSuite, 4),
        integer(pulse.period, 4),
        hash(pulse.certificateId),
        integer(pulse.chainIndex, 8),
        integer(pulse.pulseIndex, 8),
        text(pulse.timeStamp),
        hash(pulse.localRandomValue),
        hash(pulse.external.sourceId),
        integer(pulse.external.statusCode, 4),
        hash(pulse.external.value),
        ...pulse.listValues.map(({ value }) => hash(value)),
        hash(pulse.precommitmentValue),
        integer(pulse.statusCode, 4),
    ])
}

function text(value: string): Buffer {
    return Buffer.concat([integer(Buffer.byteLength(value), 4), Buffer.from(value)])
}

function hash(hex: string): Buffer {
    return Buffer.concat([integer(hex.length / 2, 4), bytes(hex)])
}

function integer(value: number, width: 4 | 8): Buffer {
    const written = Buffer.alloc(width)
    if (width === 4) written.writeUInt32BE(value)
    else written.writeBigUInt64BE(BigInt(value))
    return written
}

function bytes(hex: string): Buffer {
    return Buffer.from(hex, "hex")
}

/** In upper case. */
function sha512(message: Uint8Array): string {
    return createHash("sha512").update(message).digest("hex").toUpperCase()
}
