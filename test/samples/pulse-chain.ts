/** A chain of pulses that is in order, and what becomes of it when its signer lies in one of them. */
import { sign } from "node:crypto"
import { toHex, uint32, utf8 } from "@tallylight/crypto/bytes.js"
import { sha512 } from "@tallylight/crypto/hash.js"
import {
    encodePulseMessage,
    noValue,
    precommitmentOf,
    pulseOutput,
} from "@tallylight/protocol/pulse/pulse.js"
import type { Pulse, PulseMessage } from "@tallylight/protocol/pulse/pulse.js"
import { extendTrail, requireLinks } from "@tallylight/protocol/pulse/trail.js"
import type { PulseTrail } from "@tallylight/protocol/pulse/trail.js"
import { generate } from "selfsigned"
import { certificateOf } from "./pulses.ts"

export const period = 600_000
/** Pulses 3, 9 and 15 are the first of their hours, pulse 9 also of its year. */
export const chainStart = Date.UTC(2026, 11, 31, 22, 40)
export const base = "https://node.example/beacon/2.0"
export const sourceText = "What the tests feed in.\n"

export type ChainSigner = { readonly pem: string; readonly key: string }

/** An RSA key of 2048 bits with a certificate of its own, valid while the chain runs. */
export async function makeSigner(): Promise<ChainSigner> {
    const made = await generate([{ name: "commonName", value: "node.example" }], {
        ...{ keySize: 2048, algorithm: "sha256" },
        notBeforeDate: new Date(chainStart - 86_400_000),
        notAfterDate: new Date(chainStart + 86_400_000),
    })
    return { pem: made.cert, key: made.private }
}

export function localValue(pulseIndex: number): Uint8Array {
    return sha512(uint32(pulseIndex))
}

/** Everything that the message says, as it would be; what is returned instead is signed all the same. */
export type Lie = (message: PulseMessage) => Partial<Pulse>

export function makeChain(signer: ChainSigner, length: number, lie: Lie = () => ({})): Pulse[] {
    const certificateId = sha512(certificateOf(signer.pem).der)
    const pulses: Pulse[] = []
    let trail: PulseTrail | undefined
    for (let pulseIndex = 1; pulseIndex <= length; pulseIndex += 1) {
        const honest: PulseMessage = {
            uri: `${base}/chain/3/pulse/${pulseIndex}`,
            ...{ version: "2.0", cipherSuite: 0, period, certificateId, chainIndex: 3, pulseIndex },
            timeStamp: trail === undefined ? chainStart : trail.timeStamp + period,
            localRandomValue: localValue(pulseIndex),
            external: {
                sourceId: sha512(utf8(sourceText)),
                statusCode: 0,
                value: localValue(-pulseIndex >>> 0),
            },
            links: requireLinks(trail),
            precommitmentValue: precommitmentOf(localValue(pulseIndex + 1)),
            statusCode: 0,
        }
        const message = { ...honest, ...lie(honest) }
        const bytes = encodePulseMessage(message)
        const signatureValue = new Uint8Array(sign("sha512", bytes, signer.key))
        const outputValue = pulseOutput(bytes, signatureValue)
        pulses.push({ linkUris: urisOf(pulses, message), ...message, signatureValue, outputValue })
        trail = extendTrail(trail, message, outputValue)
    }
    return pulses
}

function urisOf(pulses: readonly Pulse[], { links }: PulseMessage): Pulse["linkUris"] {
    const uriOf = (value: Uint8Array): string | undefined =>
        toHex(value) === toHex(noValue)
            ? undefined
            : pulses.find(({ outputValue }) => toHex(outputValue) === toHex(value))?.uri
    return {
        ...{ previous: uriOf(links.previous), hour: uriOf(links.hour), day: uriOf(links.day) },
        ...{ month: uriOf(links.month), year: uriOf(links.year) },
    }
}
