/**
 * What a party and its entropy node say to each other over HTTP: `POST /v1/draw`, JSON, bytes in lower-case hexadecimal.
 * The statement is for that party in that round; the bytes are for nobody else, and never leave the party.
 */
import { fromHex, toHex } from "@tallylight/crypto/bytes.js"
import type { RoundContext } from "@tallylight/protocol/round/context.js"
import { z } from "zod"

export const drawPath = "/v1/draw"

/** What a party mixes with as many bytes of its operating system. */
export const drawnBytes = 64

const hex = (bytes: number) =>
    z
        .string()
        .regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`), { error: `expected ${bytes} bytes in hexadecimal` })
        .transform(fromHex)

export const drawRequest = z.strictObject({
    chain: hex(32),
    round: z.int().min(1),
    ticket: hex(32),
    leaf: hex(32),
    Y: hex(32),
    /** Of the party: the statement is of no use to another one. */
    identity: hex(32),
})

/** As parsed. */
export type DrawRequest = z.output<typeof drawRequest>

export const drawAnswer = z.strictObject({
    bytes: hex(drawnBytes),
    statement: z
        .string()
        .regex(/^([0-9a-f]{2}){1,4096}$/)
        .transform(fromHex),
})

export type DrawAnswer = z.output<typeof drawAnswer>

export function drawRequestJson(context: RoundContext, identity: Uint8Array): z.input<typeof drawRequest> {
    const { chain, round, ticket, leaf, Y } = context
    return {
        ...{ chain: toHex(chain), round, ticket: toHex(ticket), leaf: toHex(leaf), Y: toHex(Y) },
        identity: toHex(identity),
    }
}

export function drawAnswerJson({ bytes, statement }: DrawAnswer): z.input<typeof drawAnswer> {
    return { bytes: toHex(bytes), statement: toHex(statement) }
}
