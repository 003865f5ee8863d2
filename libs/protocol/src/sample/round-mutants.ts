/** Cheats with tickets, elections, contributions and tallies. */
import { equalBytes } from "@tallylight/crypto/bytes.js"
import { addCiphertexts } from "@tallylight/crypto/elgamal.js"
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import { element } from "../chain/elements.ts"
import { encodeEntry } from "../ledger/entry.ts"
import type { EntryOf } from "../ledger/entry.ts"
import type { ChainState, OpenRound } from "../ledger/state.ts"
import { makeAbstention } from "../round/abstention.ts"
import { drawPoint, makeContribution, signContribution } from "../round/contribution.ts"
import { drawLot } from "../round/eligibility.ts"
import { endVoid } from "../round/ending.ts"
import { makeAbsence } from "../round/statement.ts"
import { sealTally } from "../round/tally.ts"
import { again, change, drop, find, flip, insert, serve } from "./mutant.ts"
import type { Mutant } from "./mutant.ts"
import type { SampleLedger } from "./sample-ledger.ts"
import type { SampleParty } from "./sample-keys.ts"
import { sampleRounds } from "./scenario.ts"

const inRound =
    (round: number) =>
    (entry: { readonly round: number }): boolean =>
        entry.round === round

const fixedRandom = (length: number): Uint8Array => new Uint8Array(length).fill(5)

export function stateBefore(sample: SampleLedger, index: number): ChainState {
    const state = sample.states[index - 1]
    if (state === undefined) throw new Error("there is no state in front of the genesis")
    return state
}

export function openBefore(sample: SampleLedger, index: number): OpenRound {
    const { current } = stateBefore(sample, index)
    if (current?.phase !== "open") throw new Error("no round of the sample is open there")
    return current
}

function partyOf(sample: SampleLedger, identity: Uint8Array): SampleParty {
    const party = sample.keys.parties.find(({ signer }) => equalBytes(signer.publicKey, identity))
    if (party === undefined) throw new Error("the sample has no such party")
    return party
}

function nthParty(sample: SampleLedger, nth: number): SampleParty {
    const party = sample.keys.parties[nth]
    if (party === undefined) throw new Error("the sample has four parties")
    return party
}

/** An honest contribution of that party at that place, as if it had been elected. */
function contribution(sample: SampleLedger, index: number, party: SampleParty): EntryOf<"contribution"> {
    const current = openBefore(sample, index)
    const lot = drawLot(party.vrfSeed, current)
    const own = { signer: party.signer, lot, point: drawPoint(fixedRandom(1), fixedRandom(64)) }
    const made = makeContribution(
        sample.state.chain,
        current,
        { ...own, statement: new Uint8Array() },
        fixedRandom,
    )
    return { ...made, kind: "contribution", time: sample.entries[index]?.time ?? 0 }
}

/** A contribution, changed and signed again by its own party. */
export function resigned(
    nth: number,
    edit: (entry: EntryOf<"contribution">, sample: SampleLedger) => Partial<EntryOf<"contribution">>,
): Mutant["mutate"] {
    return change("contribution", nth, (entry, sample, index) => {
        const { signer } = partyOf(sample, entry.identity)
        const fields = { ...entry, ...edit(entry, sample) }
        return {
            ...fields,
            ...signContribution(sample.state.chain, openBefore(sample, index), signer, fields),
        }
    })
}

function nthContribution(sample: SampleLedger, nth: number): EntryOf<"contribution"> {
    const entry = sample.entries[find(sample, "contribution", nth)]
    if (entry?.kind !== "contribution") throw new Error("the sample has contributions")
    return entry
}

function negated(bytes: Uint8Array): Uint8Array {
    return encodePoint(ristretto255.subtract(ristretto255.identity, element(bytes)))
}

/** The second-last answer's place in the first round: something is still missing there. */
const early = (sample: SampleLedger): number => find(sample, "contribution", 2)

function abstention(sample: SampleLedger): number {
    return find(sample, "abstention", inRound(sampleRounds.elected))
}

export const roundMutants: readonly Mutant[] = [
    {
        rule: "order",
        breaks: "a ticket for the second request in the queue",
        code: "out-of-turn",
        mutate: change("ticket", 0, (entry) => ({ ...entry, request: entry.request + 1 })),
    },
    {
        rule: "order",
        breaks: "a second ticket while its round is open",
        code: "round-open",
        mutate: insert(
            (sample) => find(sample, "ticket") + 1,
            (sample) => again(sample, find(sample, "ticket"), find(sample, "ticket")),
        ),
    },
    {
        rule: "order",
        breaks: "a round number left out",
        code: "wrong-round",
        mutate: change("ticket", 1, (entry) => ({ ...entry, round: entry.round + 1 })),
    },
    {
        rule: "ticket",
        breaks: "a seed that is not the latest output",
        code: "wrong-seed",
        mutate: change("ticket", 1, (entry) => ({ ...entry, seed: flip(entry.seed) })),
    },
    {
        rule: "ticket",
        breaks: "a VRF proof for another input",
        code: "bad-vrf",
        mutate: change("ticket", 1, (entry, sample) => {
            const other = sample.entries[find(sample, "ticket", 0)]
            return { ...entry, proof: other?.kind === "ticket" ? other.proof : entry.proof }
        }),
    },
    {
        rule: "ticket",
        breaks: "a ticket of the server's own choice",
        code: "wrong-ticket",
        mutate: change("ticket", 1, (entry) => ({ ...entry, ticket: flip(entry.ticket) })),
    },
    {
        rule: "election",
        breaks: "a threshold that elects more",
        code: "wrong-election",
        mutate: change("ticket", 1, (entry) => ({ ...entry, k: entry.k + 1 })),
    },
    {
        rule: "election",
        breaks: "a roster with somebody left out",
        code: "wrong-election",
        mutate: change("ticket", 1, (entry) => ({ ...entry, n: entry.n - 1 })),
    },
    {
        rule: "windows",
        breaks: "a shortened window",
        code: "wrong-deadline",
        mutate: change("ticket", 0, (entry) => ({ ...entry, closesAt: entry.closesAt - 5000 })),
    },
    {
        rule: "windows",
        breaks: "a contribution after the deadline",
        code: "round-closed",
        mutate: change("contribution", 0, (entry) => ({ ...entry, time: entry.time + 10_000 })),
    },
    {
        rule: "windows",
        breaks: "a tally before everybody answered or the deadline came",
        code: "too-early",
        mutate: insert(early, (sample) => {
            const index = early(sample)
            return sealTally(
                stateBefore(sample, index),
                openBefore(sample, index),
                sample.entries[index]?.time ?? 0,
            )
        }),
    },
    {
        rule: "windows",
        breaks: "a contribution with no round open",
        code: "no-round",
        mutate: insert(
            (sample) => find(sample, "ticket"),
            (sample) => ({
                ...nthContribution(sample, 0),
                time: sample.entries[find(sample, "ticket")]?.time ?? 0,
            }),
        ),
    },
    {
        rule: "windows",
        breaks: "a window prolonged by more than its length",
        code: "no-extension",
        mutate: change("extension", 0, (entry) => ({ ...entry, closesAt: entry.closesAt + 1 })),
    },
    {
        rule: "one-answer",
        breaks: "a party that contributes twice",
        code: "already-contributed",
        mutate: insert(early, (sample) => contribution(sample, early(sample), nthParty(sample, 0))),
    },
    {
        rule: "one-answer",
        breaks: "a contribution of a revoked party",
        code: "not-on-roster",
        mutate: insert(early, (sample) => contribution(sample, early(sample), nthParty(sample, 3))),
    },
    {
        rule: "eligibility",
        breaks: "a contribution of a party that was not elected",
        code: "not-eligible",
        mutate: insert(abstention, (sample) => {
            const index = abstention(sample)
            const entry = sample.entries[index]
            if (entry?.kind !== "abstention") throw new Error("the sample has abstentions")
            return contribution(sample, index, partyOf(sample, entry.identity))
        }),
    },
    {
        rule: "eligibility",
        breaks: "a lower VRF output than the one proved",
        code: "bad-eligibility",
        mutate: resigned(0, () => ({ y: new Uint8Array(64) })),
    },
    {
        rule: "eligibility",
        breaks: "another party's proof of eligibility",
        code: "bad-eligibility",
        mutate: resigned(1, (_, sample) => {
            const { y, pi } = nthContribution(sample, 0)
            return { y, pi }
        }),
    },
    {
        rule: "eligibility",
        breaks: "an abstention of a party that was elected",
        code: "eligible",
        mutate: change("contribution", 0, (entry, sample, index) => {
            const current = openBefore(sample, index)
            const { signer, vrfSeed } = partyOf(sample, entry.identity)
            const made = makeAbstention(sample.state.chain, current, signer, drawLot(vrfSeed, current))
            return { ...made, kind: "abstention", time: entry.time }
        }),
    },
    {
        rule: "signatures",
        breaks: "a contribution with another statement than the one signed",
        code: "bad-signature",
        mutate: change("contribution", 0, (entry) => ({ ...entry, statement: makeAbsence("none") })),
    },
    {
        rule: "signatures",
        breaks: "a contribution under another party's name",
        code: "bad-signature",
        mutate: change("contribution", 0, (entry, sample) => {
            return { ...entry, identity: nthContribution(sample, 1).identity }
        }),
    },
    {
        rule: "signatures",
        breaks: "an abstention that its party did not sign",
        code: "bad-signature",
        mutate: change("abstention", 0, (entry) => ({ ...entry, signature: flip(entry.signature) })),
    },
    {
        rule: "knowledge",
        breaks: "another contributor's sealed point, copied",
        code: "bad-knowledge",
        mutate: resigned(1, (_, sample) => {
            const { C, D, A, s } = nthContribution(sample, 0)
            return { C, D, A, s }
        }),
    },
    {
        rule: "knowledge",
        breaks: "a contribution that cancels the others, so that the last one chooses the sum",
        code: "bad-knowledge",
        mutate: resigned(2, (own, sample) => {
            const [one, two] = [nthContribution(sample, 0), nthContribution(sample, 1)]
            const others = addCiphertexts(
                { c: element(one.C), d: element(one.D) },
                { c: element(two.C), d: element(two.D) },
            )
            const C = encodePoint(ristretto255.subtract(element(own.C), others.c))
            const D = encodePoint(ristretto255.subtract(element(own.D), others.d))
            return { C, D }
        }),
    },
    {
        rule: "knowledge",
        breaks: "another contributor's sealed point, negated",
        code: "bad-knowledge",
        mutate: resigned(1, (_, sample) => {
            const other = nthContribution(sample, 0)
            return { C: negated(other.C), D: negated(other.D), A: negated(other.A), s: other.s }
        }),
    },
    {
        rule: "knowledge",
        breaks: "the identity as a sealed point",
        code: "bad-point",
        mutate: resigned(0, () => ({ C: new Uint8Array(32) })),
    },
    {
        rule: "knowledge",
        breaks: "a response that is not reduced",
        code: "bad-point",
        mutate: resigned(0, () => ({ s: new Uint8Array(32).fill(0xff) })),
    },
    {
        rule: "tally",
        breaks: "a sum of the server's own choice",
        code: "wrong-tally",
        mutate: change("tally", 0, (entry, sample) => ({ ...entry, D: nthContribution(sample, 0).D })),
    },
    {
        rule: "tally",
        breaks: "a count that is not the round's",
        code: "wrong-range",
        mutate: change("tally", 0, (entry) => ({ ...entry, count: entry.count - 1 })),
    },
    {
        rule: "tally",
        breaks: "a tally of fewer contributions than the chain's minimum",
        code: "wrong-reason",
        mutate: change("void", 0, (entry, sample, index) =>
            sealTally(stateBefore(sample, index), openBefore(sample, index), entry.time),
        ),
    },
    {
        rule: "windows",
        breaks: "a contribution dropped, so that the round was sealed too early",
        code: "too-early",
        mutate: drop((sample) => find(sample, "contribution", 1)),
    },
    {
        rule: "void",
        breaks: "a round with enough contributors declared void",
        code: "wrong-reason",
        mutate: change("tally", 0, (entry, sample, index) =>
            endVoid(openBefore(sample, index), "no-contributor", entry.time),
        ),
    },
    {
        rule: "void",
        breaks: "a void for another reason than the true one",
        code: "wrong-reason",
        mutate: change("void", 0, (entry) => ({ ...entry, reason: "no-contributor" })),
    },
    {
        rule: "void",
        breaks: "a void of a round that is over",
        code: "no-round",
        mutate: (sample) => {
            const at = find(sample, "ticket", 1)
            const over = endVoid(openBefore(sample, at + 1), "no-contributor", sample.entries[at]?.time ?? 0)
            return serve(sample, sample.entries.toSpliced(at, 0, over).map(encodeEntry))
        },
    },
]
