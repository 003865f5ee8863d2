/** Pulses as rows of their file: the signed bytes are kept as they are, and read by the one decoder that there is. */
import { decodePulseMessage, linkNames } from "@tallylight/protocol/pulse/pulse.js"
import type { Pulse, PulseMessage } from "@tallylight/protocol/pulse/pulse.js"

import type { PublishedPulse } from "./pulse-reader.ts"

export type DraftRow = {
    readonly slot: number
    readonly message: Uint8Array
    readonly links: string
    readonly simulated: number
}

export type PulseRow = DraftRow & { readonly signature: Uint8Array; readonly output: Uint8Array }

/** A pulse before it is signed. */
export type Draft = {
    readonly message: PulseMessage
    readonly linkUris: Pulse["linkUris"]
    readonly simulated: boolean
    readonly slot: number
}

export function draftOf({ slot, message, links, simulated }: DraftRow): Draft {
    const decoded = decodePulseMessage(new Uint8Array(message))
    if (decoded === undefined) throw new Error("the file of pulses holds one that is none")
    return { message: decoded, linkUris: parseLinks(links), simulated: simulated === 1, slot }
}

export function publishedOf(row: PulseRow): PublishedPulse {
    const { message, ...draft } = draftOf(row)
    return publish({ message, ...draft }, row.signature, row.output)
}

export function publish(draft: Draft, signature: Uint8Array, output: Uint8Array): PublishedPulse {
    const { message, linkUris, simulated, slot } = draft
    const signatureValue = new Uint8Array(signature)
    const outputValue = new Uint8Array(output)
    return { pulse: { ...message, linkUris, signatureValue, outputValue }, simulated, slot }
}

/** In the order in which the links are signed; an empty line for none, and no URI is or has one. */
export function formatLinks(linkUris: Pulse["linkUris"]): string {
    return linkNames.map((name) => linkUris[name] ?? "").join("\n")
}

function parseLinks(links: string): Pulse["linkUris"] {
    const [previous, hour, day, month, year] = links.split("\n").map((uri) => (uri === "" ? undefined : uri))
    return { previous, hour, day, month, year }
}
