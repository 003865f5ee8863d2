/**
 * What a contribution says of its entropy (PROTOCOL.md §5.10): an entropy node's signed account of its sources, or
 * the party's word that it had none. Testimony and not proof: a signature shows who says so, and no more.
 */
import { sign, signatureClaim } from "../chain/signer.ts"
import type { Signer, Statement } from "../chain/signer.ts"
import type { Claim } from "../ledger/claim.ts"
import { choice, decode, fixed, flag, list, struct, text, u32, u64, u8 } from "../ledger/layout.ts"
import type { Value } from "../ledger/layout.ts"
import { tags } from "../tags.ts"
import { Refusal } from "../wire/refusal.ts"
import { contextParts } from "./context.ts"
import type { RoundContext } from "./context.ts"

/** How a node comes by raw bytes; the order is that of the statement's bytes. */
export const sourceKinds = ["atecc608a", "character-device", "qrng-http", "pkcs11", "system"] as const
export type SourceKind = (typeof sourceKinds)[number]

export const sourceStates = ["missing", "starting", "healthy", "failed"] as const
export type SourceState = (typeof sourceStates)[number]

/** Whether a chip's configuration is locked; a device without locks is `none`. */
export const lockStates = ["none", "unlocked", "locked"] as const
export type LockState = (typeof lockStates)[number]

const source = struct({
    name: text(32, /^[A-Za-z0-9][A-Za-z0-9._-]*$/),
    kind: choice(...sourceKinds),
    simulated: flag,
    state: choice(...sourceStates),
    lock: choice(...lockStates),
    /** Raw bytes that it gave since the node started. */
    bytes: u64,
    /** How often a health test failed. */
    failures: u32,
})

const account = struct({
    version: u8,
    node: fixed(32),
    time: u64,
    reseeds: u64,
    sources: list(source, 1, 16),
})
const signed = struct({ account, signature: fixed(64) })

const absence = struct({ version: u8, reason: text(200, /^[\x20-\x7e]+$/) })

/** The first byte, which says what follows. */
const [absenceVersion, accountVersion] = [0, 1]

export type StatedSource = Value<typeof source>
export type EntropyAccount = Omit<Value<typeof account>, "version">

/** `absence`: the party was to ask a node, and goes on with the operating system alone. */
export type EntropyStatement =
    | { readonly of: "node"; readonly account: EntropyAccount; readonly signature: Uint8Array }
    | { readonly of: "party"; readonly reason: string }

/** The bytes that go into a contribution. They are for that identity in that round, and of no use in another. */
export function makeStatement(
    context: RoundContext,
    identity: Uint8Array,
    signer: Signer,
    told: Omit<EntropyAccount, "node">,
): Uint8Array {
    const full = { ...told, version: accountVersion, node: signer.publicKey }
    const signature = sign(signer, covered(context, identity, account.write(full)))
    return signed.write({ account: full, signature })
}

export function makeAbsence(reason: string): Uint8Array {
    return absence.write({ version: absenceVersion, reason })
}

function covered(context: RoundContext, identity: Uint8Array, account: Uint8Array): Statement {
    return [tags.signStatement, ...contextParts(context, identity), account]
}

/** Refuses with `bad-statement`; undefined where nothing is said. */
export function parseStatement(bytes: Uint8Array): EntropyStatement | undefined {
    if (bytes.length === 0) return undefined
    if (bytes[0] === absenceVersion) {
        const told = decode(absence, bytes)
        if (told !== undefined) return { of: "party", reason: told.reason }
    }
    if (bytes[0] === accountVersion) {
        const told = decode(signed, bytes)
        if (told !== undefined) return { of: "node", ...told }
    }
    throw new Refusal("bad-statement", { bytes: bytes.length })
}

/** That whom it names has signed it, for this contribution. */
export function statementClaims(
    context: RoundContext,
    identity: Uint8Array,
    statement: Uint8Array,
): readonly Claim[] {
    const told = parseStatement(statement)
    if (told?.of !== "node") return []
    const { node } = told.account
    const bytes = account.write({ ...told.account, version: accountVersion })
    return [
        { claim: "key", of: "ed25519", key: node },
        signatureClaim(node, covered(context, identity, bytes), told.signature),
    ]
}

/** Whether any of it, that counts as hardware, is simulated. */
export function isSimulated({ sources }: EntropyAccount): boolean {
    return sources.some(({ kind, simulated }) => simulated && kind !== "system")
}
