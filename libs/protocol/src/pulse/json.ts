/** Pulses as NIST's interface has them in JSON: {"pulse": {…}}, values in hexadecimal, times as text. */
import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import { z } from "zod"
import { isPulseUri, isPulseVersion, maxSignatureBytes, valueBytes } from "./pulse.ts"
import type { LinkName, Pulse } from "./pulse.ts"
import { formatUtc, parseUtc } from "./utc.ts"

const value = z
    .string()
    .regex(/^[0-9a-fA-F]{128}$/, `expected ${2 * valueBytes} hexadecimal digits`)
    .transform(fromHex)
const uint32 = z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
const uri = z.string().refine(isPulseUri, "expected a URI of at most 1024 characters")

function linkTo<const Name extends LinkName>(type: Name) {
    return z.looseObject({
        uri: uri.nullish().transform((given) => given ?? undefined),
        type: z.literal(type),
        value,
    })
}

const pulse = z.looseObject({
    uri,
    version: z.string().refine(isPulseVersion, "expected printable ASCII of at most 32 characters"),
    cipherSuite: z.literal(0),
    period: uint32,
    certificateId: value,
    chainIndex: z.int().min(0),
    pulseIndex: z.int().min(0),
    timeStamp: z.string().transform((text, context) => {
        const time = parseUtc(text)
        if (time !== undefined) return time
        context.addIssue("expected a time of the form YYYY-MM-DDTHH:MM:SS.mmmZ")
        return z.NEVER
    }),
    localRandomValue: value,
    external: z.looseObject({ sourceId: value, statusCode: uint32, value }),
    // The types are not signed: whoever changes one moves a value to another name, unless their order is fixed.
    listValues: z.tuple([linkTo("previous"), linkTo("hour"), linkTo("day"), linkTo("month"), linkTo("year")]),
    precommitmentValue: value,
    statusCode: uint32,
    signatureValue: z
        .string()
        .max(2 * maxSignatureBytes)
        .regex(/^([0-9a-fA-F]{2})+$/, "expected pairs of hexadecimal digits")
        .transform(fromHex),
    outputValue: value,
})

/** A foreign pulse says of itself, as far as it can be read, which it is. */
export type PulseName = {
    readonly uri: string | undefined
    readonly chainIndex: number | undefined
    readonly pulseIndex: number | undefined
}

export type ParsedPulse =
    | {
          readonly kind: "pulse"
          readonly pulse: Pulse
          /** Fields that the format does not have, such as external.note: they are not signed, and mean nothing here. */
          readonly unknownFields: readonly string[]
      }
    /** A pulse, but of another form than the one that can be verified here. */
    | { readonly kind: "unsupported"; readonly name: PulseName; readonly reason: string }
    | { readonly kind: "malformed"; readonly path: string; readonly problem: string }

const integer = z.int()
const anyObject = z.record(z.string(), z.unknown())
const envelope = z.looseObject({ pulse: z.unknown() })
const named = z.object({
    uri: uri.optional().catch(undefined),
    chainIndex: z.int().optional().catch(undefined),
    pulseIndex: z.int().optional().catch(undefined),
})

/**
 * Takes the parsed JSON of an answer, or the pulse within it alone. The schema allows a pulse without external or
 * without precommitmentValue, but nobody says what is signed then: it counts as malformed.
 */
export function parsePulse(json: unknown): ParsedPulse {
    const within = envelope.safeParse(json)
    const given = within.success && within.data.pulse !== undefined ? within.data.pulse : json
    const object = anyObject.safeParse(given)
    if (!object.success) return { kind: "malformed", path: "", problem: "expected a pulse" }
    const reason = whyUnsupported(object.data)
    if (reason !== undefined) {
        const { uri, chainIndex, pulseIndex } = named.parse(object.data)
        return { kind: "unsupported", name: { uri, chainIndex, pulseIndex }, reason }
    }
    const parsed = pulse.safeParse(object.data)
    if (!parsed.success) {
        const [issue] = parsed.error.issues
        return { kind: "malformed", path: issue?.path.join(".") ?? "", problem: issue?.message ?? "" }
    }
    const outside = given === json ? [] : unknownIn(json, ["pulse"], "../")
    return {
        kind: "pulse",
        pulse: pulseOf(parsed.data),
        unknownFields: [...outside, ...unknownFields(object.data)],
    }
}

function whyUnsupported(given: Record<string, unknown>): string | undefined {
    const { cipherSuite, external } = given
    if (integer.safeParse(cipherSuite).success && cipherSuite !== 0)
        return `cipher suite ${String(cipherSuite)} is not supported, only 0: SHA-512 and RSASSA-PKCS1-v1_5`
    return Array.isArray(external) ? "a list of external values is not supported, only one" : undefined
}

function pulseOf({ listValues, external, ...fields }: z.output<typeof pulse>): Pulse {
    const [previous, hour, day, month, year] = listValues
    const { uri, version, cipherSuite, period, certificateId, chainIndex, pulseIndex, timeStamp } = fields
    const { localRandomValue, precommitmentValue, statusCode, signatureValue, outputValue } = fields
    return {
        ...{ uri, version, cipherSuite, period, certificateId, chainIndex, pulseIndex, timeStamp },
        localRandomValue,
        external: { sourceId: external.sourceId, statusCode: external.statusCode, value: external.value },
        links: {
            ...{ previous: previous.value, hour: hour.value, day: day.value },
            ...{ month: month.value, year: year.value },
        },
        linkUris: { previous: previous.uri, hour: hour.uri, day: day.uri, month: month.uri, year: year.uri },
        ...{ precommitmentValue, statusCode, signatureValue, outputValue },
    }
}

function unknownFields(given: Record<string, unknown>): readonly string[] {
    const links = Array.isArray(given.listValues) ? (given.listValues as readonly unknown[]) : []
    return [
        ...unknownIn(given, Object.keys(pulse.shape), ""),
        ...unknownIn(given.external, Object.keys(pulse.shape.external.shape), "external."),
        ...links.flatMap((one, at) => unknownIn(one, ["uri", "type", "value"], `listValues.${at}.`)),
    ]
}

function unknownIn(object: unknown, known: readonly string[], path: string): readonly string[] {
    return Object.keys(anyObject.parse(object))
        .filter((name) => !known.includes(name))
        .map((name) => path + name)
}

export type PulseJson = { readonly pulse: z.input<typeof pulse> }

/** As NIST's beacon writes them: certificateId in lower case, every other value in upper. */
export function pulseJson(made: Pulse): PulseJson {
    const { uri, version, period, certificateId, chainIndex, pulseIndex, timeStamp, localRandomValue } = made
    const { external, statusCode } = made
    const link = <const Name extends LinkName>(type: Name) => {
        return { uri: made.linkUris[type] ?? null, type, value: hex(made.links[type]) }
    }
    return {
        pulse: {
            ...{ uri, version, cipherSuite: 0, period, certificateId: toHex(certificateId) },
            ...{
                chainIndex,
                pulseIndex,
                timeStamp: formatUtc(timeStamp),
                localRandomValue: hex(localRandomValue),
            },
            external: {
                sourceId: hex(external.sourceId),
                statusCode: external.statusCode,
                value: hex(external.value),
            },
            listValues: [link("previous"), link("hour"), link("day"), link("month"), link("year")],
            precommitmentValue: hex(made.precommitmentValue),
            statusCode,
            signatureValue: hex(made.signatureValue),
            outputValue: hex(made.outputValue),
        },
    }
}

function hex(bytes: Uint8Array): string {
    return toHex(bytes).toUpperCase()
}
