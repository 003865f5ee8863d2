/** Cheats of entropy nodes, and with what they say. */
import { sha512 } from "@tallylight/crypto/hash.js"
import { makeNodeRegistration } from "../chain/entropy-node.ts"
import { seedSigner } from "../chain/signer.ts"
import type { EntryOf } from "../ledger/entry.ts"
import type { ChainState, SignableBeacon } from "../ledger/state.ts"
import { noLinks } from "../pulse/pulse.ts"
import type { PulseMessage } from "../pulse/pulse.ts"
import { makeCommitment } from "../round/commitment.ts"
import { contextOf } from "../round/context.ts"
import { makeStatement, parseStatement } from "../round/statement.ts"
import { again, change, find, flip, insert } from "./mutant.ts"
import type { Mutant } from "./mutant.ts"
import { openBefore, resigned, stateBefore } from "./round-mutants.ts"
import type { SampleLedger } from "./sample-ledger.ts"
import { sampleRounds } from "./scenario.ts"

const stranger = seedSigner(new Uint8Array(32).fill(11))

function beaconOf({ signable }: ChainState, round: number): SignableBeacon {
    const beacon = signable.find((one) => one.round === round)
    if (beacon === undefined) throw new Error("the sample has no such beacon there")
    return beacon
}

/** The nth pulse, with lies that its node signed. */
function pulse(nth: number, lie: (sample: SampleLedger) => Partial<PulseMessage>): Mutant["mutate"] {
    return change("pulse", nth, (entry, sample, index) => {
        const before = stateBefore(sample, index)
        const told = sample.node.pulse(before, beaconOf(before, entry.round), entry.time, lie(sample))
        return { ...told, kind: "pulse", time: entry.time }
    })
}

/** Behind the node's first pulse. */
const afterPulse = (sample: SampleLedger): number => find(sample, "pulse") + 1

function timeOf({ entries }: SampleLedger, index: number): number {
    return entries[index]?.time ?? 0
}

/** A commitment of the node's, or of somebody else's, behind its first pulse. */
function commitment(first: number, signer?: typeof stranger): Mutant["mutate"] {
    return insert(afterPulse, (sample) => ({
        ...makeCommitment(sample.state.chain, signer ?? sample.node.signer, first, [
            sha512(new Uint8Array()),
        ]),
        kind: "commitment",
        time: timeOf(sample, find(sample, "pulse")),
    }))
}

function registration(
    edit: (entry: EntryOf<"node-registration">) => Partial<EntryOf<"node-registration">>,
): Mutant["mutate"] {
    return change("node-registration", 0, (entry, sample) => {
        const { kind, time, proof, signature: _, ...plan } = { ...entry, ...edit(entry) }
        return { ...makeNodeRegistration(sample.state.chain, sample.node.signer, plan, proof), kind, time }
    })
}

/** The statement of the nth contribution, edited, under the contribution's own signature. */
function statement(nth: number, edit: (bytes: Uint8Array) => Uint8Array): Mutant["mutate"] {
    return resigned(nth, (entry) => ({ statement: edit(entry.statement) }))
}

/** Of the contributions in order: the first in which an entropy node says something. */
const stated = 3

/** The identity: a key under which anybody can sign anything. */
const weakKey = Uint8Array.of(1, ...new Uint8Array(31))

export const pulseMutants: readonly Mutant[] = [
    {
        rule: "signatures",
        breaks: "an entropy node registered without its signature",
        code: "bad-signature",
        mutate: change("node-registration", 0, (entry) => ({ ...entry, signature: flip(entry.signature) })),
    },
    {
        rule: "registration",
        breaks: "an entropy node that does not show that it holds the key of its pulses",
        code: "bad-possession",
        mutate: registration(({ proof }) => ({ proof: flip(proof, 100) })),
    },
    {
        rule: "registration",
        breaks: "a key for pulses that is even",
        code: "bad-key",
        mutate: registration(({ modulus }) => ({ modulus: flip(modulus, 511) })),
    },
    {
        rule: "registration",
        breaks: "a party that registers as an entropy node",
        code: "key-taken",
        mutate: change("node-registration", 0, (entry, sample) => {
            const [party] = sample.keys.parties
            if (party === undefined) throw new Error("the sample has parties")
            const { kind, time, proof, signature: _, ...plan } = entry
            const taken = { ...plan, identity: party.signer.publicKey }
            return { ...makeNodeRegistration(sample.state.chain, party.signer, taken, proof), kind, time }
        }),
    },
    {
        rule: "registration",
        breaks: "an entropy node's registration replayed",
        code: "stale-sequence",
        mutate: insert(afterPulse, (sample) =>
            again(sample, find(sample, "node-registration"), find(sample, "pulse")),
        ),
    },
    {
        rule: "signatures",
        breaks: "commitments that their node did not sign",
        code: "bad-signature",
        mutate: change("commitment", 0, (entry) => ({ ...entry, signature: flip(entry.signature) })),
    },
    {
        rule: "pulses",
        breaks: "a commitment of nobody",
        code: "not-registered",
        mutate: commitment(9, stranger),
    },
    {
        rule: "pulses",
        breaks: "a second value for a beacon to come",
        code: "wrong-commitment",
        mutate: commitment(3),
    },
    {
        rule: "pulses",
        breaks: "a value for a beacon that is out",
        code: "wrong-commitment",
        mutate: commitment(1),
    },
    {
        rule: "pulses",
        breaks: "a value for a beacon of a far future",
        code: "wrong-commitment",
        mutate: commitment(130),
    },
    {
        rule: "signatures",
        breaks: "a pulse that its node's key did not sign",
        code: "bad-signature",
        mutate: change("pulse", 0, (entry) => ({ ...entry, proof: flip(entry.proof, 511) })),
    },
    {
        rule: "pulses",
        breaks: "a pulse about a round without a beacon",
        code: "no-beacon",
        mutate: change("pulse", 2, (entry) => ({ ...entry, round: sampleRounds.belowMinimum })),
    },
    {
        rule: "pulses",
        breaks: "a second pulse about one beacon",
        code: "already-signed",
        mutate: insert(afterPulse, (sample) => again(sample, find(sample, "pulse"), find(sample, "pulse"))),
    },
    {
        rule: "pulses",
        breaks: "a pulse about another output",
        code: "bad-pulse",
        mutate: pulse(0, (sample) => ({
            external: {
                ...{ sourceId: sha512(new Uint8Array()), statusCode: 0 },
                value: beaconOf(stateBefore(sample, find(sample, "pulse")), sampleRounds.first).output,
            },
        })),
    },
    {
        rule: "pulses",
        breaks: "a pulse of another of the node's chains",
        code: "bad-pulse",
        mutate: pulse(0, ({ node }) => ({ chainIndex: node.pulseChain + 1 })),
    },
    {
        rule: "pulses",
        breaks: "a pulse of a certificate that nobody registered",
        code: "bad-pulse",
        mutate: pulse(0, ({ node }) => ({ certificateId: flip(node.certificateId) })),
    },
    {
        rule: "pulses",
        breaks: "a pulse that hides the beacon it passed over",
        code: "bad-pulse",
        mutate: pulse(2, () => ({ statusCode: 1 })),
    },
    {
        rule: "pulses",
        breaks: "a pulse that opens another value than the one before it promised",
        code: "bad-links",
        mutate: pulse(1, () => ({ localRandomValue: new Uint8Array(64) })),
    },
    {
        rule: "pulses",
        breaks: "a pulse that is not linked to the one before it",
        code: "bad-links",
        mutate: pulse(1, () => ({ links: noLinks })),
    },
    {
        rule: "pulses",
        breaks: "a pulse from before the one before it",
        code: "bad-links",
        mutate: pulse(1, () => ({ timeStamp: 1 })),
    },
    {
        rule: "pulses",
        breaks: "a pulse that opens another value than its node committed to",
        code: "bad-opening",
        mutate: pulse(0, () => ({ localRandomValue: new Uint8Array(64) })),
    },
    {
        rule: "pulses",
        breaks: "a pulse that promises another value than its node committed to",
        code: "bad-opening",
        mutate: pulse(0, () => ({ precommitmentValue: new Uint8Array(64) })),
    },
    {
        rule: "statements",
        breaks: "a statement with a byte too many",
        code: "bad-statement",
        mutate: statement(stated, (bytes) => Uint8Array.of(...bytes, 0)),
    },
    {
        rule: "statements",
        breaks: "a statement signed by a key under which anybody can sign",
        code: "bad-key",
        mutate: statement(stated, (bytes) => {
            const forged = bytes.slice()
            forged.set(weakKey, 1)
            return forged
        }),
    },
    {
        rule: "signatures",
        breaks: "a statement that its node did not sign",
        code: "bad-signature",
        mutate: statement(stated, (bytes) => flip(bytes, bytes.length - 1)),
    },
    {
        rule: "signatures",
        breaks: "a statement that its node made for another party",
        code: "bad-signature",
        mutate: resigned(stated, (entry, sample) => {
            const open = openBefore(sample, sample.entries.indexOf(entry))
            const told = parseStatement(entry.statement)
            if (told?.of !== "node") throw new Error("the sample has no such statement")
            const { publicKey } = stranger
            const context = contextOf(sample.state.chain, open)
            return { statement: makeStatement(context, publicKey, sample.node.signer, told.account) }
        }),
    },
]
