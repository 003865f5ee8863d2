/**
 * What the read side takes and answers (PROTOCOL.md §10), as schemas: requests are parsed by them, the OpenAPI
 * document is made of them, and the tests hold real answers to them.
 */
import { entryKinds } from "@tallylight/protocol/ledger/entry.js"
import { refusals } from "@tallylight/protocol/wire/refusal.js"
import type { RefusalCode } from "@tallylight/protocol/wire/refusal.js"
import { z } from "zod"

/** Canonical, so that nothing is cached under two names; 16 digits hold every safe integer. */
const digits = z.stringFormat("a number", /^(0|[1-9][0-9]{0,15})$/).transform(Number)
const number = (least: number, most = Number.MAX_SAFE_INTEGER) => digits.pipe(z.int().min(least).max(most))

export const roundNumber = number(0)
export const page = z.strictObject({
    from: number(0).default(0).meta({ description: "Index of the first entry." }),
    limit: number(1, 1000).default(100).meta({
        description:
            "Most entries in the answer, which has fewer where they are large: go on after its last.",
    }),
})

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`))
const anyHex = z.string().regex(/^([0-9a-f]{2})+$/)
const index = z.int().nonnegative()

export const chainIdParam = hex(32).meta({ description: "The chain id: SHA-256 of the genesis entry." })

export const roundParam = z.union([z.literal("latest"), roundNumber]).meta({
    description: "From 1 on; or the round of the last beacon that was in time.",
})

export const tileParam = z
    .string()
    .regex(/^(x[0-9]{3}\/){0,5}[0-9]{3}(\.p\/[0-9]{1,3})?$/)
    .meta({
        description: "Index, and width of a partial tile, as in C2SP tlog-tiles: 000, x001/234, 067.p/8.",
    })

export const levelParam = number(0, 63)

const checkpoint = z
    .string()
    .meta({ description: "The signed note of the newest tree (C2SP tlog-checkpoint), PROTOCOL.md §6.4." })

const entry = z
    .looseObject({ kind: z.enum(entryKinds), time: index })
    .meta({ description: "The fields of PROTOCOL.md §6.1, bytes in hex." })
const numbered = z.strictObject({ index, entry, bytes: anyHex })

const summary = z.strictObject({
    id: hex(32),
    name: z.string(),
    origin: z.string(),
    size: index,
    rounds: index,
    phase: z.enum(["idle", "open", "sealed", "stopped"]),
    queued: index,
    parties: index,
    connections: index,
})

export const answers = {
    health: z.strictObject({ status: z.literal("ok") }),
    readiness: z.strictObject({ ready: z.boolean(), reasons: z.array(z.string()) }),
    chains: z.strictObject({ chains: z.array(summary) }),
    chain: summary.extend({ genesis: entry, genesisBytes: anyHex, checkpoint }),
    round: z.strictObject({
        chain: hex(32),
        round: index,
        status: z.enum(["open", "sealed", "beacon", "void", "late"]),
        output: hex(64).nullable(),
        index: index.nullable().meta({ description: "Of its beacon." }),
        keys: z.strictObject({ ledger: hex(32), message: hex(32), vrf: hex(32) }),
        entries: z.array(numbered).meta({ description: "The request and every entry that names the round." }),
        inclusion: z
            .array(hex(32))
            .nullable()
            .meta({ description: "Proof of the beacon in the checkpoint's tree (RFC 6962 §2.1)." }),
        checkpoint,
    }),
    entries: z.strictObject({ chain: hex(32), size: index, from: index, entries: z.array(numbered) }),
    document: z.looseObject({ openapi: z.literal("3.1.0") }),
} as const

const codes = [...(Object.keys(refusals) as RefusalCode[]), "internal"] as const

/** The body of every answer that is no success. */
export const failure = z
    .strictObject({
        code: z.enum(codes),
        detail: z.string(),
        facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    })
    .meta({
        description: "A refusal of PROTOCOL.md §9, or `internal` for a defect of the server.",
    })
