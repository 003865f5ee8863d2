/** Cheats with shares, opened points and outputs. */
import { encodePoint, ristretto255 } from "@tallylight/crypto/ristretto255.js"
import type { EntryOf } from "../ledger/entry.ts"
import type { SealedRound } from "../ledger/state.ts"
import { endVoid } from "../round/ending.ts"
import { again, change, find, flip, insert } from "./mutant.ts"
import type { Mutant } from "./mutant.ts"
import type { SampleLedger } from "./sample-ledger.ts"
import { sampleRounds } from "./scenario.ts"

function sealedBefore(sample: SampleLedger, index: number): SealedRound {
    const current = sample.states[index - 1]?.current
    if (current?.phase !== "sealed") throw new Error("no round of the sample is sealed there")
    return current
}

function shareAt(sample: SampleLedger, nth: number): EntryOf<"share"> {
    const entry = sample.entries[find(sample, "share", nth)]
    if (entry?.kind !== "share") throw new Error("the sample has shares")
    return entry
}

const ofCommittee = ({ round }: { readonly round: number }): boolean => round === sampleRounds.committee

/** In front of the committee's last share. */
const committeeEnd = (sample: SampleLedger): number => find(sample, "beacon", ofCommittee) - 1

export const openingMutants: readonly Mutant[] = [
    {
        rule: "shares",
        breaks: "a wrong share passed off as valid",
        code: "bad-share",
        mutate: change(
            "share",
            ({ valid }) => !valid,
            (entry) => ({ ...entry, valid: true }),
        ),
    },
    {
        rule: "shares",
        breaks: "an honest member framed",
        code: "bad-share",
        mutate: change("share", 0, (entry) => ({ ...entry, valid: false })),
    },
    {
        rule: "shares",
        breaks: "a share under another member's number",
        code: "not-a-member",
        mutate: change("share", ofCommittee, (entry) => ({ ...entry, share: { ...entry.share, member: 2 } })),
    },
    {
        rule: "shares",
        breaks: "a second share of one member",
        code: "already-answered",
        mutate: insert(committeeEnd, (sample) => {
            const index = committeeEnd(sample)
            return again(sample, index - 1, index)
        }),
    },
    {
        rule: "shares",
        breaks: "a share of a round that is over",
        code: "no-tally",
        mutate: insert(
            (sample) => find(sample, "beacon") + 1,
            (sample) => ({ ...shareAt(sample, 0), time: sample.entries[find(sample, "beacon")]?.time ?? 0 }),
        ),
    },
    {
        rule: "signatures",
        breaks: "a member convicted with a share that it made for another tally",
        code: "bad-signature",
        mutate: change(
            "share",
            ({ round }) => round === sampleRounds.retried,
            (entry, sample) => {
                return { ...entry, share: shareAt(sample, 0).share, valid: false }
            },
        ),
    },
    {
        rule: "combination",
        breaks: "a beacon opened with shares that are not on record",
        code: "wrong-shares",
        mutate: change("beacon", ofCommittee, (entry) => ({ ...entry, shares: entry.shares.toReversed() })),
    },
    {
        rule: "combination",
        breaks: "a beacon with fewer shares than the threshold",
        code: "wrong-shares",
        mutate: insert(committeeEnd, (sample) => {
            const beacon = sample.entries[find(sample, "beacon", ofCommittee)]
            if (beacon?.kind !== "beacon") throw new Error("the sample has beacons")
            return {
                ...beacon,
                time: sample.entries[committeeEnd(sample)]?.time ?? 0,
                shares: beacon.shares.slice(0, 1),
            }
        }),
    },
    {
        rule: "combination",
        breaks: "an opened point of the server's own choice",
        code: "wrong-point",
        mutate: change("beacon", 0, (entry) => ({ ...entry, M: encodePoint(ristretto255.base) })),
    },
    {
        rule: "combination",
        breaks: "a beacon of a round that is over",
        code: "no-tally",
        mutate: insert(
            (sample) => find(sample, "beacon") + 1,
            (sample) => again(sample, find(sample, "beacon"), find(sample, "beacon")),
        ),
    },
    {
        rule: "output",
        breaks: "an output of the server's own choice",
        code: "wrong-output",
        mutate: change("beacon", 0, (entry) => ({ ...entry, output: flip(entry.output) })),
    },
    {
        rule: "output",
        breaks: "a VRF proof for another tally",
        code: "bad-vrf",
        mutate: change("beacon", 0, (entry, sample) => {
            const other = sample.entries[find(sample, "beacon", 1)]
            return { ...entry, proof: other?.kind === "beacon" ? other.proof : entry.proof }
        }),
    },
    {
        rule: "void",
        breaks: "a tally called withheld before its deadline",
        code: "wrong-reason",
        mutate: change("share", 0, (entry, sample, index) =>
            endVoid(sealedBefore(sample, index), "withheld", entry.time),
        ),
    },
    {
        rule: "void",
        breaks: "the wrong members blamed",
        code: "wrong-reason",
        mutate: change(
            "void",
            ({ reason }) => reason === "withheld",
            (entry) => ({ ...entry, missing: [] }),
        ),
    },
]
