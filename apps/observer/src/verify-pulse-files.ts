/** Pulses from JSON files: one as a beacon serves it, a list of them, or test vectors with certificates beside them. */
import { readIfThere } from "@tallylight/node/durable-file.js"
import { UserError } from "@tallylight/node/user-error.js"
import { parsePulse, pulseJson } from "@tallylight/protocol/pulse/json.js"
import type { ParsedPulse } from "@tallylight/protocol/pulse/json.js"
import type { Pulse } from "@tallylight/protocol/pulse/pulse.js"
import { uriBase } from "@tallylight/protocol/pulse/uri-check.js"
import { utf8 } from "@tallylight/crypto/bytes.js"
import { z } from "zod"
import { readCertificates, readEachCertificate } from "./verify-pulse-certificates.ts"
import type { NamedCertificate } from "./verify-pulse-certificates.ts"
import { parseJson } from "./verify-pulse-source.ts"

export type PulseFiles = {
    readonly where: string
    /** In the order of beacon, chain and index, each once; what is no pulse comes last. */
    readonly pulses: readonly ParsedPulse[]
    /** Those that came with the pulses. */
    readonly certificates: readonly NamedCertificate[]
}

const pem = z.union([z.string(), z.looseObject({ pem: z.string() }).transform((one) => one.pem)])
const content = z.looseObject({
    pulses: z.array(z.unknown()).optional(),
    cases: z.array(z.unknown()).optional(),
    certificates: z.record(z.string(), pem).optional(),
})

export async function readPulseFiles(paths: readonly string[]): Promise<PulseFiles> {
    const pulses: ParsedPulse[] = []
    const certificates: NamedCertificate[] = []
    for (const path of paths) {
        const json = parseJson(await readFileOf(path))
        if (json === undefined) throw new UserError(`${path} is no JSON`)
        const list = z.array(z.unknown()).safeParse(json)
        const object = content.safeParse(json)
        const several = list.data ?? object.data?.pulses ?? object.data?.cases
        pulses.push(...(several ?? [json]).map(parsePulse))
        for (const one of Object.values(object.data?.certificates ?? {}))
            certificates.push(...readEachCertificate(utf8(one)).filter((read) => read !== undefined))
    }
    return { where: paths.join(", "), pulses: ordered(pulses), certificates }
}

/** The certificates of the files; at least one in each. */
export async function readCertificateFiles(paths: readonly string[]): Promise<readonly NamedCertificate[]> {
    const certificates: NamedCertificate[] = []
    for (const path of paths) {
        const read = readCertificates(await readFileOf(path))
        if (read === undefined) throw new UserError(`${path} is no file of certificates in PEM`)
        certificates.push(...read)
    }
    return certificates
}

async function readFileOf(path: string): Promise<Uint8Array> {
    const bytes = await readIfThere(path)
    if (bytes === undefined) throw new UserError(`there is no file ${path}`)
    return bytes
}

function ordered(parsed: readonly ParsedPulse[]): readonly ParsedPulse[] {
    const pulses = parsed.filter((one) => one.kind === "pulse")
    // Lists overlap; but two that differ under one index are a fork, and both are shown.
    const once = new Map(pulses.map((one) => [JSON.stringify(pulseJson(one.pulse)), one]))
    const sorted = [...once.values()].sort(
        ({ pulse: a }, { pulse: b }) =>
            beaconOf(a).localeCompare(beaconOf(b), "en") ||
            a.chainIndex - b.chainIndex ||
            a.pulseIndex - b.pulseIndex,
    )
    return [...sorted, ...parsed.filter((one) => one.kind !== "pulse")]
}

/** Whose chain it is. */
export function beaconOf(pulse: Pulse): string {
    return uriBase(pulse) ?? pulse.uri
}
