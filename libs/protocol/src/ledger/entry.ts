/** The kinds of ledger entry and their exact bytes (PROTOCOL.md §6). */
import { concatBytes } from "@tallylight/crypto/bytes.js"
import type { UnixMs } from "../ports/clock.ts"
import { maxCommitments, maxMembers, maxPulseBytes } from "../wire/messages.ts"
import { Refusal } from "../wire/refusal.ts"
import { blob, choice, decode, fixed, flag, list, struct, text, u16, u32, u64, u8 } from "./layout.ts"
import type { Layout, Value } from "./layout.ts"

const key = fixed(32)
const point = fixed(32)
const scalar = fixed(32)
const signature = fixed(64)
const vrfOutput = fixed(64)
const vrfProof = fixed(80)
/** RSA-4096. */
const modulus = fixed(512)
const rsaSignature = fixed(512)

/** C2SP signed-note: not empty, neither spaces nor plus signs; ASCII, so that no Unicode version decides. */
const keyName = text(255, /^[!-*,-~]+$/)

const parameters = struct({
    expectedContributors: u32,
    minimumContributors: u32,
    contributionWindowMs: u32,
    decryptionWindowMs: u32,
    queueLength: u16,
    registrationRounds: u32,
    everyoneAnswers: flag,
    admission: choice("open", "listed"),
    /** Signs admissions; 32 zero bytes where admission is open. */
    operatorKey: key,
})

export type Parameters = Value<typeof parameters>

const member = struct({ identity: key, A: point, s: scalar, signature })
const share = struct({ member: u16, S: point, c: scalar, z: scalar, signature })

export const voidReasons = [
    "no-contributor",
    "below-minimum",
    "identity-sum",
    "withheld",
    "wrong-share",
] as const

/** One layout a kind; the position in this table, from 0, is the kind's byte. */
const layouts = {
    genesis: struct({
        version: u16,
        name: text(64, /^[A-Za-z0-9][A-Za-z0-9 ._-]*$/),
        salt: fixed(32),
        ledgerKey: key,
        messageKey: key,
        vrfKey: key,
        origin: keyName,
        witnesses: list(struct({ name: keyName, key }), 0, 64),
        quorum: u8,
        parameters,
    }),
    admission: struct({ identity: key, admitted: flag, sequence: u64, signature }),
    "party-registration": struct({
        identity: key,
        sequence: u64,
        vrfKey: key,
        possession: vrfProof,
        signature,
    }),
    "requester-registration": struct({
        identity: key,
        sequence: u64,
        dealt: flag,
        commitments: list(point, 1, maxMembers),
        members: list(member, 1, maxMembers),
        signature,
    }),
    revocation: struct({ identity: key, sequence: u64, signature }),
    request: struct({ identity: key, Y: point, nonce: fixed(32), sequence: u64, notBefore: u64, signature }),
    ticket: struct({
        round: u64,
        request: u64,
        seed: fixed(64),
        proof: vrfProof,
        ticket: fixed(32),
        k: u32,
        n: u32,
        closesAt: u64,
    }),
    contribution: struct({
        round: u64,
        identity: key,
        y: vrfOutput,
        pi: vrfProof,
        C: point,
        D: point,
        A: point,
        s: scalar,
        statement: blob(4096),
        signature,
    }),
    abstention: struct({ round: u64, identity: key, y: vrfOutput, pi: vrfProof, signature }),
    extension: struct({ round: u64, closesAt: u64 }),
    tally: struct({ round: u64, C: point, D: point, count: u32, from: u64, to: u64, answerBy: u64 }),
    share: struct({ round: u64, identity: key, share, valid: flag }),
    beacon: struct({
        round: u64,
        M: point,
        shares: list(share, 1, maxMembers),
        proof: vrfProof,
        output: fixed(64),
    }),
    void: struct({ round: u64, reason: choice(...voidReasons), missing: list(u16, 0, maxMembers) }),
    commitment: struct({ identity: key, first: u64, values: list(fixed(64), 1, maxCommitments), signature }),
    pulse: struct({ identity: key, round: u64, message: blob(maxPulseBytes), proof: rsaSignature }),
    "node-registration": struct({
        identity: key,
        sequence: u64,
        pulseChain: u64,
        hardware: flag,
        modulus,
        certificateId: fixed(64),
        proof: rsaSignature,
        signature,
    }),
} as const

type Layouts = typeof layouts
export type EntryKind = keyof Layouts

/** An entry of one kind: its time, then the fields of its layout. */
export type EntryOf<K extends EntryKind> = { readonly kind: K; readonly time: UnixMs } & Value<Layouts[K]>
export type Entry = { [K in EntryKind]: EntryOf<K> }[EntryKind]
export type RecordedShare = Value<typeof share>
export type CommitteeMember = Value<typeof member>
export type VoidReason = (typeof voidReasons)[number]

export const entryKinds = Object.keys(layouts) as readonly EntryKind[]

/** C2SP tlog-tiles: an entry is behind a 16-bit length in its bundle. */
export const maxEntryBytes = 65_535

/** kind (1 byte) || time (8 bytes) || the kind's fields. Throws RangeError for a field that does not fit. */
export function encodeEntry(entry: Entry): Uint8Array {
    const layout = layouts[entry.kind] as Layout<object>
    const bytes = concatBytes(
        u8.write(entryKinds.indexOf(entry.kind)),
        u64.write(entry.time),
        layout.write(entry),
    )
    if (bytes.length > maxEntryBytes) throw new RangeError(`an entry of ${bytes.length} bytes is too large`)
    return bytes
}

/** Refuses with `malformed-entry` whatever `encodeEntry` does not produce, unknown kinds included. */
export function decodeEntry(bytes: Uint8Array): Entry {
    const kind = entryKinds[bytes[0] ?? 0xff]
    const value = kind === undefined || bytes.length > maxEntryBytes ? undefined : decodeKind(kind, bytes)
    if (value === undefined)
        throw new Refusal("malformed-entry", { kind: bytes[0] ?? -1, bytes: bytes.length })
    return value
}

function decodeKind(kind: EntryKind, bytes: Uint8Array): Entry | undefined {
    const fields = layouts[kind] as Layout<object>
    const value = decode(struct({ kind: u8, time: u64, fields }), bytes)
    return value && ({ ...value.fields, kind, time: value.time } as Entry)
}
