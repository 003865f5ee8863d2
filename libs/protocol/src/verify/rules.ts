/** The rules that an auditor checks (PROTOCOL.md §7), and which refusal breaks which. */
import { entryKinds } from "../ledger/entry.ts"
import type { EntryKind } from "../ledger/entry.ts"
import type { RefusalCode } from "../wire/refusal.ts"

type Rule = {
    /** What holds, in a sentence. */
    readonly says: string
    /** The entries in which it can be broken; each one verified counts as one item. */
    readonly kinds: readonly EntryKind[]
    readonly codes: readonly RefusalCode[]
}

const registrations = [
    ...(["party-registration", "requester-registration", "node-registration"] as const),
    ...(["revocation", "admission"] as const),
] as const
const answers = ["contribution", "abstention"] as const
const pulses = ["commitment", "pulse"] as const
const signed = [...registrations, "request", ...answers, "share", ...pulses] as const

/** Rules about entries. For a refused entry the first rule that lists both its kind and the code is broken. */
export const entryRules = {
    entries: {
        says: "every entry has the exact bytes of a known kind",
        kinds: entryKinds,
        codes: ["malformed-entry", "missing-entries", "empty-ledger"],
    },
    genesis: {
        says: "the first entry, and it alone, is a well-formed genesis",
        kinds: ["genesis"],
        codes: ["bad-genesis", "bad-key", "wrong-chain"],
    },
    time: { says: "entry times never decrease", kinds: entryKinds, codes: ["time-backwards"] },
    signatures: {
        says: "everybody signed what stands under their name",
        kinds: signed,
        codes: ["bad-signature"],
    },
    registration: {
        says: "keys are sound, proved to be held, unique, and registered in sequence",
        kinds: registrations,
        codes: [
            ...(["bad-key", "bad-possession", "bad-committee", "key-taken", "stale-sequence"] as const),
            ...(["not-admitted", "not-registered", "not-operator", "revoked", "bad-point"] as const),
        ],
    },
    request: {
        says: "requests come from registered requesters, in sequence, within the queue",
        kinds: ["request"],
        codes: [
            ...(["wrong-encryption-key", "stale-sequence", "queue-full"] as const),
            ...(["roster-too-small", "too-far-ahead", "not-registered"] as const),
        ],
    },
    order: {
        says: "tickets go to the first request that is due, one round at a time",
        kinds: ["ticket"],
        codes: ["out-of-turn", "round-open", "wrong-round"],
    },
    ticket: {
        says: "the ticket is the hash of its request, a seed unknown at the request, and the PDL's VRF",
        kinds: ["ticket"],
        codes: ["wrong-seed", "bad-vrf", "wrong-ticket"],
    },
    election: { says: "k and n are those of the roster", kinds: ["ticket"], codes: ["wrong-election"] },
    windows: {
        says: "windows have the chain's length and nothing in them comes late",
        kinds: ["ticket", ...answers, "extension", "tally", "share"],
        codes: ["wrong-deadline", "round-closed", "too-early", "no-extension", "no-round"],
    },
    "one-answer": {
        says: "each party on the roster answers at most once",
        kinds: answers,
        codes: ["already-contributed", "not-on-roster", "abstention-not-asked"],
    },
    eligibility: {
        says: "contributors drew below the threshold, abstainers did not",
        kinds: answers,
        codes: ["bad-eligibility", "not-eligible", "eligible"],
    },
    knowledge: {
        says: "every contributor proved that it knows its own point",
        kinds: ["contribution"],
        codes: ["bad-knowledge", "bad-point"],
    },
    statements: {
        says: "what contributors say of their entropy has its form, and is signed by whom it names",
        kinds: ["contribution"],
        codes: ["bad-statement", "bad-key"],
    },
    tally: {
        says: "the tally is the sum of all contributions of its round and of nothing else",
        kinds: ["tally"],
        codes: ["wrong-tally", "wrong-range", "wrong-reason"],
    },
    shares: {
        says: "shares come from members, once each, and are marked valid iff their proof holds",
        kinds: ["share"],
        codes: ["bad-share", "not-a-member", "already-answered", "no-tally"],
    },
    combination: {
        says: "the opened point is the combination of exactly t valid shares",
        kinds: ["beacon"],
        codes: ["wrong-shares", "wrong-point", "no-tally", "bad-point"],
    },
    output: {
        says: "the output is the hash of the opened point and the PDL's VRF",
        kinds: ["beacon"],
        codes: ["wrong-output", "bad-vrf"],
    },
    void: {
        says: "rounds end without a beacon only for a reason that the ledger shows",
        kinds: ["void"],
        codes: ["wrong-reason", "no-round"],
    },
    pulses: {
        says: "entropy nodes signed beacons in order, once each, with values that they had committed to",
        kinds: pulses,
        codes: [
            ...(["not-registered", "wrong-commitment", "no-beacon", "already-signed"] as const),
            ...(["bad-pulse", "bad-links", "bad-opening"] as const),
        ],
    },
} as const satisfies Readonly<Record<string, Rule>>

/** Rules about the log as a whole, each checked once per checkpoint. */
export const logRules = {
    checkpoint: { says: "the checkpoint is signed by the chain's ledger key", codes: ["bad-checkpoint"] },
    root: { says: "the entries hash to the checkpoint's root", codes: ["wrong-root"] },
    "append-only": { says: "the ledger extends the checkpoint seen before", codes: ["forked"] },
} as const satisfies Readonly<Record<string, Pick<Rule, "says" | "codes">>>

/** Rules whose entries this protocol version does not have yet. */
export const laterRules = {
    witnesses: "the checkpoint carries the witness quorum",
} as const

export type EntryRule = keyof typeof entryRules
export type RuleName = EntryRule | keyof typeof logRules | keyof typeof laterRules

/** The rule that an entry of `kind`, or one whose kind nobody could read, broke when it was refused with `code`. */
export function ruleBroken(kind: EntryKind | undefined, code: RefusalCode): EntryRule {
    const rules = Object.entries(entryRules) as [EntryRule, Rule][]
    const covering = rules.filter(([, { codes }]) => codes.includes(code))
    const exact = covering.find(([, { kinds }]) => kind === undefined || kinds.includes(kind))
    const [name] = exact ?? covering[0] ?? ["entries" as const]
    return name
}
