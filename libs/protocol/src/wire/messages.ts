/**
 * Every message of PROTOCOL.md §8, once: its fields, their types and lengths.
 *
 * Bodies are MessagePack maps with exactly these fields. MessagePack is transport only: what is hashed, signed or
 * logged is laid out by the files of `round/`, `chain/` and `ledger/`.
 */
import { z } from "zod"

/** Exactly `length` bytes, copied out of the received frame, which msgpackr would let them alias. */
export function bytes(length: number) {
    return blob(length, length)
}

function blob(least: number, most: number) {
    const expected = least === most ? `${least} bytes` : `${least} to ${most} bytes`
    return z
        .custom<Uint8Array>(
            (value) => value instanceof Uint8Array && value.length >= least && value.length <= most,
            {
                error: ({ input }) =>
                    `expected ${expected}, got ${input instanceof Uint8Array ? input.length : typeof input}`,
            },
        )
        .transform((value): Uint8Array => new Uint8Array(value))
}

/** Text that a peer composes and a terminal may show: no control characters, so no escape sequences. */
function line(most: number) {
    return z
        .string()
        .max(most)
        .regex(/^\P{Cc}*$/u, { error: "expected no control characters" })
}

/** Not zod's readonly(), which freezes the value even if it is wrong, and throws where it is bytes. */
function list<T extends z.ZodType>(item: T, least: number, most: number) {
    return z
        .array(item)
        .min(least)
        .max(most)
        .transform((items): readonly z.output<T>[] => items)
}

const uint = z.int().min(0)
export const uint32 = uint.max(0xffffffff)
const uint16 = uint.max(0xffff)
const none = z.strictObject({})
const key = bytes(32)
const point = bytes(32)
const scalar = bytes(32)
const signature = bytes(64)
const vrfOutput = bytes(64)
const vrfProof = bytes(80)
const rsaSignature = bytes(512)
const statement = blob(0, 4096)
const entry = blob(1, 65_535)
const checkpoint = z.string().max(16_384)

/** The largest committee and the largest threshold. */
export const maxMembers = 256

/** Beacons for which one entry commits an entropy node. */
export const maxCommitments = 64

/** A pulse's signed message. */
export const maxPulseBytes = 2048

const receipt = z.strictObject({ index: uint, leaf: bytes(32), time: uint, signature })

const member = z.strictObject({ identity: key, A: point, s: scalar, signature })

const register = z.discriminatedUnion("role", [
    z.strictObject({
        role: z.literal("party"),
        identity: key,
        sequence: uint,
        vrfKey: key,
        possession: vrfProof,
        signature,
    }),
    z.strictObject({
        role: z.literal("requester"),
        identity: key,
        sequence: uint,
        dealt: z.boolean(),
        commitments: list(point, 1, maxMembers),
        members: list(member, 1, maxMembers),
        signature,
    }),
    z.strictObject({
        role: z.literal("entropy-node"),
        identity: key,
        sequence: uint,
        pulseChain: uint,
        hardware: z.boolean(),
        modulus: bytes(512),
        certificateId: bytes(64),
        proof: rsaSignature,
        signature,
    }),
])

export const messages = {
    ReqHello: z
        .strictObject({
            versions: list(uint32, 1, 16),
            role: z.enum(["observer", "party", "requester", "entropy-node"]),
            nonce: bytes(32),
            /** All three null from somebody who stays anonymous; else the answer to the last RespHello's nonce. */
            identity: key.nullable(),
            answering: bytes(32).nullable(),
            signature: signature.nullable(),
        })
        .refine(
            ({ identity, answering, signature }) =>
                (identity === null) === (answering === null) && (identity === null) === (signature === null),
            { error: "expected all or none of identity, answering and signature" },
        ),
    RespHello: z.strictObject({
        version: uint32,
        nonce: bytes(32),
        genesis: entry,
        checkpoint,
        time: uint,
        signature,
    }),

    ReqRegister: register,
    RespRegister: z.strictObject({ receipt }),
    ReqRevoke: z.strictObject({ identity: key, sequence: uint, signature }),
    RespRevoke: z.strictObject({ receipt }),
    ReqAdmission: z.strictObject({ identity: key, admitted: z.boolean(), sequence: uint, signature }),
    RespAdmission: z.strictObject({ receipt }),

    ReqGenTick: z.strictObject({
        identity: key,
        Y: point,
        nonce: bytes(32),
        sequence: uint,
        notBefore: uint,
        signature,
    }),
    RespGenTick: z.strictObject({ receipt, position: uint32 }),
    ReqThreshold: none,
    RespThreshold: z.strictObject({ round: uint, k: uint32, n: uint32, threshold: bytes(65) }),
    ReqTicket: none,
    RespTicket: z.strictObject({
        round: uint,
        index: uint,
        ticket: bytes(32),
        k: uint32,
        n: uint32,
        Y: point,
        closesAt: uint,
    }),
    ReqPubKey: none,
    RespPubKey: z.strictObject({
        round: uint,
        Y: point,
        commitments: list(point, 1, maxMembers),
        members: list(key, 1, maxMembers),
    }),

    ReqContribution: z.strictObject({
        round: uint,
        ticket: bytes(32),
        identity: key,
        y: vrfOutput,
        pi: vrfProof,
        C: point,
        D: point,
        A: point,
        s: scalar,
        statement,
        signature,
    }),
    RespContribution: z.strictObject({ receipt }),
    ReqAbstention: z.strictObject({
        round: uint,
        ticket: bytes(32),
        identity: key,
        y: vrfOutput,
        pi: vrfProof,
        signature,
    }),
    RespAbstention: z.strictObject({ receipt }),

    ReqCommitment: z.strictObject({
        identity: key,
        first: uint,
        values: list(bytes(64), 1, maxCommitments),
        signature,
    }),
    RespCommitment: z.strictObject({ receipt }),
    ReqPulse: z.strictObject({
        identity: key,
        round: uint,
        message: blob(1, maxPulseBytes),
        proof: rsaSignature,
    }),
    RespPulse: z.strictObject({ receipt }),

    ReqDecryption: z.strictObject({
        round: uint,
        ticket: bytes(32),
        C: point,
        D: point,
        /** The index of the tally entry; the checkpoint's size is one more. */
        index: uint,
        checkpoint,
    }),
    RespDecryption: z.strictObject({
        identity: key,
        member: uint16,
        S: point,
        c: scalar,
        z: scalar,
        signature,
    }),
    /** One-way, PDL to key holder, with the id of the ReqDecryption whose answer it acknowledges. */
    Receipt: z.strictObject({ receipt }),

    ReqSubscribe: z
        .strictObject({
            kinds: list(z.string().max(32), 0, 32).nullable(),
            /** At most one of the two; both null means from the head on. */
            index: uint.nullable(),
            round: uint.nullable(),
        })
        .refine(({ index, round }) => index === null || round === null, {
            error: "expected at most one of index and round",
        }),
    RespSubscribe: z.strictObject({ from: uint, size: uint }),
    /** One-way. Entries in ascending order, and the checkpoint of exactly `size`, which covers them. */
    Event: z.strictObject({
        entries: list(z.strictObject({ index: uint, entry }), 0, 1024),
        size: uint,
        checkpoint,
    }),

    ReqEntries: z.strictObject({ from: uint, limit: uint.min(1).max(1024) }),
    RespEntries: z.strictObject({ from: uint, entries: list(entry, 0, 1024) }),
    ReqProof: z.strictObject({ index: uint, size: uint }),
    RespProof: z.strictObject({ leaf: bytes(32), proof: list(bytes(32), 0, 64) }),
    ReqConsistency: z.strictObject({ from: uint, to: uint }),
    RespConsistency: z.strictObject({ proof: list(bytes(32), 0, 128) }),

    RespError: z.strictObject({
        code: line(64),
        action: z.enum(["fix", "wait", "stop"]),
        facts: z.record(line(32), z.union([line(256), z.number(), z.boolean()])),
        detail: line(512),
    }),
} as const

export type MessageType = keyof typeof messages
export type Message<T extends MessageType> = z.output<(typeof messages)[T]>

export type RequestType = Extract<MessageType, `Req${string}`>
export type ResponseTo<R extends RequestType> = R extends `Req${infer Name}`
    ? Extract<MessageType, `Resp${Name}`>
    : never
export type NoticeType = "Event" | "Receipt"

/** The PDL's signed promise that the entry at `index` has this leaf hash; see ledger/receipt.ts. */
export type Receipt = Message<"Receipt">["receipt"]
