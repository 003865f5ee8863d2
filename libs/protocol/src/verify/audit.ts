/**
 * The audit (PROTOCOL.md §7): replays a ledger from its first byte, trusts nobody, and says of each rule how many
 * items it checked and which one broke it. It stops at the first entry that breaks a rule, since what follows
 * has no state to be judged in.
 */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { openCheckpoint } from "@tallylight/crypto/checkpoint.js"
import type { Checkpoint } from "@tallylight/crypto/checkpoint.js"
import { rangeRoot } from "@tallylight/crypto/merkle.js"
import { apply, begin } from "../ledger/apply.ts"
import { decodeEntry } from "../ledger/entry.ts"
import type { Entry, EntryKind } from "../ledger/entry.ts"
import type { ChainState, Genesis } from "../ledger/state.ts"
import { verifyEntry } from "../ledger/verify.ts"
import { Refusal, require } from "../wire/refusal.ts"
import type { Facts, RefusalCode } from "../wire/refusal.ts"
import { KeyHolders } from "./key-holders.ts"
import type { KeyHolderRecord } from "./key-holders.ts"
import { PulseRecords } from "./pulse-record.ts"
import type { PulseRecord } from "./pulse-record.ts"
import { entryRules, laterRules, logRules, ruleBroken } from "./rules.ts"
import type { RuleName } from "./rules.ts"
import { Testimony } from "./testimony.ts"
import type { TestimonyRecord } from "./testimony.ts"

export type Offence = { readonly index: number; readonly code: RefusalCode; readonly facts: Facts }

export type Verdict = {
    readonly rule: RuleName
    readonly says: string
    readonly verdict: "holds" | "broken" | "not-applicable" | "not-reached"
    readonly checked: number
    readonly first?: Offence
}

export type Report = {
    readonly holds: boolean
    readonly verdicts: readonly Verdict[]
    /** Entries that were verified, from 0. */
    readonly verified: number
    /** The state after them; undefined where not even the genesis held. */
    readonly state: ChainState | undefined
    readonly beacons: number
    readonly voids: number
    /** Key holders that were convicted or missed. No rule is broken by that, and no honest ledger hides it. */
    readonly keyHolders: readonly KeyHolderRecord[]
    /** What contributions say of their entropy. */
    readonly testimony: TestimonyRecord
    /** What each registered entropy node made of the beacons that it owed a pulse. */
    readonly pulses: readonly PulseRecord[]
}

export type AuditInput = {
    readonly entries: AsyncIterable<Uint8Array>
    /** The signed note over the ledger; only entries below its size are read. */
    readonly checkpoint: string
    /** The chain that the caller means; any where undefined. */
    readonly chain?: Uint8Array
    /** A checkpoint seen before, which this ledger must extend. */
    readonly pinned?: Pick<Checkpoint, "size" | "root">
    readonly onEntry?: (index: number, size: number) => void
}

type Progress = {
    readonly counts: Map<EntryKind, number>
    readonly keyHolders: KeyHolders
    readonly testimony: Testimony
    readonly pulses: PulseRecords
    state: ChainState | undefined
    checkpoint: Checkpoint | undefined
    pinnedHolds: boolean
    offence: (Offence & { readonly rule: RuleName }) | undefined
}

export async function audit(input: AuditInput): Promise<Report> {
    const progress: Progress = {
        counts: new Map(),
        keyHolders: new KeyHolders(),
        testimony: new Testimony(),
        pulses: new PulseRecords(),
        state: undefined,
        checkpoint: undefined,
        // Every ledger extends the empty one.
        pinnedHolds: input.pinned?.size === 0,
        offence: undefined,
    }
    await replay(input, progress)
    return report(input, progress)
}

async function replay(input: AuditInput, progress: Progress): Promise<void> {
    const index = () => progress.state?.range.size ?? 0
    let kind: EntryKind | undefined
    try {
        for await (const bytes of input.entries) {
            if (progress.checkpoint !== undefined && index() >= progress.checkpoint.size) break
            kind = undefined
            const entry = decodeEntry(bytes)
            kind = entry.kind
            const before = progress.state
            progress.state = step(before, entry, input)
            if (before !== undefined) recount(progress, before, entry)
            progress.counts.set(kind, (progress.counts.get(kind) ?? 0) + 1)
            progress.checkpoint ??= openHead(progress, progress.state.genesis, input.checkpoint)
            comparePinned(input, progress)
            input.onEntry?.(index(), progress.checkpoint.size)
        }
        kind = undefined
        require(progress.state !== undefined, "empty-ledger")
        const size = progress.checkpoint?.size ?? 0
        require(index() === size, "missing-entries", { expected: size, got: index() })
        compareRoot(input, progress)
    } catch (error) {
        if (!(error instanceof Refusal)) throw error
        const { code, facts } = error
        progress.offence ??= { rule: ruleBroken(kind, code), index: index(), code, facts }
    }
}

function recount({ keyHolders, testimony, pulses }: Progress, before: ChainState, entry: Entry): void {
    keyHolders.take(before, entry)
    testimony.take(before, entry)
    pulses.take(before, entry)
}

function step(state: ChainState | undefined, entry: Entry, input: AuditInput): ChainState {
    if (state === undefined) {
        const first = begin(entry)
        require(input.chain === undefined || equalBytes(first.chain, input.chain), "wrong-chain")
        verifyEntry(first, entry)
        return first
    }
    const next = apply(state, entry)
    verifyEntry(state, entry)
    return next
}

/** The ledger's head. A bad one is noted, and the entries are replayed all the same, as far as they go. */
function openHead(progress: Progress, genesis: Genesis, note: string): Checkpoint {
    const { origin, ledgerKey: publicKey } = genesis
    const checkpoint = openCheckpoint(note, { origin, publicKey })
    require(checkpoint?.size !== 0, "empty-ledger")
    if (checkpoint !== undefined) return checkpoint
    progress.offence = { rule: "checkpoint", index: 0, code: "bad-checkpoint", facts: {} }
    return { origin, size: Number.MAX_SAFE_INTEGER, root: new Uint8Array(32) }
}

function comparePinned({ pinned }: AuditInput, progress: Progress): void {
    if (pinned === undefined || progress.state?.range.size !== pinned.size) return
    progress.pinnedHolds = equalBytes(rangeRoot(progress.state.range), pinned.root)
    const { size } = pinned
    if (!progress.pinnedHolds)
        progress.offence ??= { rule: "append-only", index: size, code: "forked", facts: { size } }
}

function compareRoot({ pinned }: AuditInput, progress: Progress): void {
    const { state, checkpoint } = progress
    if (state === undefined || checkpoint === undefined) return
    const { size } = state.range
    if (!equalBytes(rangeRoot(state.range), checkpoint.root))
        progress.offence ??= { rule: "root", index: size, code: "wrong-root", facts: { size } }
    if (pinned !== undefined && pinned.size > size)
        progress.offence ??= {
            rule: "append-only",
            index: size,
            code: "forked",
            facts: { seen: pinned.size },
        }
}

function report(
    input: AuditInput,
    { counts, keyHolders, testimony, pulses, state, checkpoint, pinnedHolds, offence }: Progress,
): Report {
    const broken = (rule: RuleName) => offence?.rule === rule
    const verdict = (rule: RuleName, says: string, checked: number): Verdict => {
        if (!broken(rule)) return { rule, says, verdict: checked > 0 ? "holds" : "not-reached", checked }
        const { index, code, facts } = offence as Offence
        return { rule, says, verdict: "broken", checked, first: { index, code, facts } }
    }
    const ofEntries = Object.entries(entryRules).map(([rule, { says, kinds }]) => {
        const checked = kinds.reduce((sum, kind) => sum + (counts.get(kind) ?? 0), 0)
        return verdict(rule as RuleName, says, checked)
    })
    const complete = offence === undefined
    const ofLog = Object.entries(logRules).map(([rule, { says }]): Verdict => {
        const name = rule as keyof typeof logRules
        if (name === "append-only" && input.pinned === undefined)
            return { rule: name, says, verdict: "not-applicable", checked: 0 }
        const checked = { checkpoint: checkpoint !== undefined, root: complete, "append-only": pinnedHolds }[
            name
        ]
        return verdict(name, says, checked ? 1 : 0)
    })
    const later = Object.entries(laterRules).map(([rule, says]): Verdict => ({
        rule: rule as RuleName,
        says,
        verdict: "not-applicable",
        checked: 0,
    }))
    return {
        holds: complete,
        verdicts: [...ofLog, ...ofEntries, ...later],
        verified: state?.range.size ?? 0,
        state,
        beacons: counts.get("beacon") ?? 0,
        voids: counts.get("void") ?? 0,
        keyHolders: keyHolders.records,
        testimony: testimony.record,
        pulses: state === undefined ? [] : pulses.records(state),
    }
}
