import { signCheckpoint } from "@tallylight/crypto/checkpoint.js"
import { appendLeaf, emptyRange, leafHash, rangeRoot } from "@tallylight/crypto/merkle.js"
import type { CompactRange } from "@tallylight/crypto/merkle.js"
import { encodeEntry } from "../ledger/entry.ts"
import type { Entry, EntryKind, EntryOf } from "../ledger/entry.ts"
import type { AuditInput } from "../verify/audit.ts"
import type { RuleName } from "../verify/rules.ts"
import type { RefusalCode } from "../wire/refusal.ts"
import type { SampleLedger } from "./sample-ledger.ts"

/** A ledger as somebody serves it. */
export type Served = { entries: Uint8Array[]; checkpoint: string; pinned?: AuditInput["pinned"] }

/** A valid ledger, broken in one way. */
export type Mutant = {
    readonly rule: RuleName
    /** What a cheat would have done, in a few words. */
    readonly breaks: string
    readonly code: RefusalCode
    readonly mutate: (sample: SampleLedger) => Served
}

function rangeOf(entries: readonly Uint8Array[]): CompactRange {
    return entries.map(leafHash).reduce(appendLeaf, emptyRange)
}

/** A signed checkpoint over those entries. */
export function seal(sample: SampleLedger, entries: readonly Uint8Array[], seed: Uint8Array): string {
    const { origin } = sample.state.genesis
    return signCheckpoint({ origin, size: entries.length, root: rangeRoot(rangeOf(entries)) }, seed)
}

/** Those entries under a checkpoint that the ledger key signed over them: only the entries are wrong. */
export function serve(sample: SampleLedger, entries: readonly Uint8Array[]): Served {
    return { entries: [...entries], checkpoint: seal(sample, entries, sample.keys.ledgerSeed) }
}

export function honest(sample: SampleLedger): Served {
    return serve(sample, sample.entries.map(encodeEntry))
}

type Which<K extends EntryKind> = number | ((entry: EntryOf<K>) => boolean)

function isOf<K extends EntryKind>(kind: K) {
    return (entry: Entry | undefined): entry is Entry & EntryOf<K> => entry?.kind === kind
}

/** The `nth` entry of that kind (from 0), or the first one for which `which` holds, and its index. */
export function pick<K extends EntryKind>(
    sample: SampleLedger,
    kind: K,
    which: Which<K> = 0,
): { readonly index: number; readonly entry: EntryOf<K> } {
    const ofKind = sample.entries.filter(isOf(kind))
    const entry = typeof which === "number" ? ofKind[which] : ofKind.find(which)
    if (entry === undefined) throw new Error(`the sample has no such ${kind}`)
    return { index: sample.entries.indexOf(entry), entry }
}

export function find<K extends EntryKind>(sample: SampleLedger, kind: K, which: Which<K> = 0): number {
    return pick(sample, kind, which).index
}

/** The sample with one entry changed. */
export function change<K extends EntryKind>(
    kind: K,
    which: Which<K>,
    edit: (entry: EntryOf<K>, sample: SampleLedger, index: number) => Entry,
): Mutant["mutate"] {
    return (sample) => {
        const { index, entry } = pick(sample, kind, which)
        return serve(sample, sample.entries.with(index, edit(entry, sample, index)).map(encodeEntry))
    }
}

/** The sample with an entry put in front of entry `at`. */
export function insert(
    at: (sample: SampleLedger) => number,
    make: (sample: SampleLedger) => Entry,
): Mutant["mutate"] {
    return (sample) => serve(sample, sample.entries.toSpliced(at(sample), 0, make(sample)).map(encodeEntry))
}

/** The sample without the entry at `at`. */
export function drop(at: (sample: SampleLedger) => number): Mutant["mutate"] {
    return (sample) => serve(sample, sample.entries.toSpliced(at(sample), 1).map(encodeEntry))
}

/** Entry `index` once more, with the time of the entry at `at`. */
export function again(sample: SampleLedger, index: number, at: number): Entry {
    const [entry, there] = [sample.entries[index], sample.entries[at]]
    if (entry === undefined || there === undefined) throw new Error("the sample is shorter than that")
    return { ...entry, time: there.time }
}

/** One bit of a byte string. */
export function flip(bytes: Uint8Array, at = 0): Uint8Array {
    const flipped = bytes.slice()
    flipped[at] = (flipped[at] ?? 0) ^ 1
    return flipped
}
