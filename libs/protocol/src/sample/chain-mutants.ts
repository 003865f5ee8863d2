/** Cheats with keys, registrations and requests. */
import { commitPolynomial } from "@tallylight/crypto/threshold.js"
import { encodePoint } from "@tallylight/crypto/ristretto255.js"
import { makePartyRegistration, signPartyRegistration } from "../chain/party.ts"
import { joinCommittee, makeRequesterRegistration } from "../chain/requester.ts"
import { makeRevocation } from "../chain/revocation.ts"
import { seedSigner } from "../chain/signer.ts"
import type { Entry } from "../ledger/entry.ts"
import { farthestAheadMs, makeRequest } from "../round/request.ts"
import { change, find, flip, insert, serve } from "./mutant.ts"
import type { Mutant } from "./mutant.ts"
import type { SampleLedger } from "./sample-ledger.ts"
import { encodeEntry } from "../ledger/entry.ts"

const stranger = seedSigner(new Uint8Array(32).fill(7))

/** In front of the first request: everybody is registered. */
const ready = (sample: SampleLedger): number => find(sample, "request")

function party(sample: SampleLedger, at: number) {
    const found = sample.keys.parties[at]
    if (found === undefined) throw new Error("the sample has four parties")
    return found
}

function timeAt(sample: SampleLedger, index: number): number {
    return sample.entries[index]?.time ?? 0
}

function logged(make: (sample: SampleLedger) => Entry): Mutant["mutate"] {
    return insert(ready, (sample) => ({ ...make(sample), time: timeAt(sample, ready(sample)) }))
}

/** The committee's registration once more, from a changed plan or with changed keys. */
function committee(
    sample: SampleLedger,
    edit: (plan: Parameters<typeof joinCommittee>[1]) => Parameters<typeof joinCommittee>[1],
): Entry {
    const { signer, members, polynomial } = sample.keys.committee
    const plan = edit({
        identity: signer.publicKey,
        dealt: true,
        commitments: commitPolynomial(polynomial).map(encodePoint),
        identities: members.map((member) => member.signer.publicKey),
    })
    const joined = members.map((own) =>
        joinCommittee(sample.state.chain, plan, { ...own, random: new Uint8Array(32) }),
    )
    const registration = makeRequesterRegistration(sample.state.chain, plan, 1, signer, joined)
    return { ...registration, kind: "requester-registration", time: 0 }
}

function request(sample: SampleLedger, edit: object): Entry {
    const { solo } = sample.keys
    const Y = commitPolynomial(solo.polynomial).map(encodePoint)[0] ?? new Uint8Array()
    const fields = { Y, nonce: new Uint8Array(32), sequence: 0, notBefore: 0, ...edit }
    return { ...makeRequest(sample.state.chain, solo.signer, fields), kind: "request", time: 0 }
}

export const chainMutants: readonly Mutant[] = [
    {
        rule: "signatures",
        breaks: "an admission that the operator did not sign",
        code: "bad-signature",
        mutate: change("admission", 0, (entry) => ({ ...entry, signature: flip(entry.signature) })),
    },
    {
        rule: "signatures",
        breaks: "a party registered without its signature",
        code: "bad-signature",
        mutate: change("party-registration", 0, (entry) => ({ ...entry, signature: flip(entry.signature) })),
    },
    {
        rule: "signatures",
        breaks: "a requester registered without its signature",
        code: "bad-signature",
        mutate: change("requester-registration", 0, (entry) => ({
            ...entry,
            signature: flip(entry.signature),
        })),
    },
    {
        rule: "signatures",
        breaks: "a revocation that its party did not sign",
        code: "bad-signature",
        mutate: change("revocation", 0, (entry) => ({ ...entry, signature: flip(entry.signature) })),
    },
    {
        rule: "signatures",
        breaks: "a request with another nonce than the one signed",
        code: "bad-signature",
        mutate: change("request", 0, (entry) => ({ ...entry, nonce: flip(entry.nonce) })),
    },
    {
        rule: "registration",
        breaks: "a party that the operator did not admit",
        code: "not-admitted",
        mutate: logged(({ state }) => ({
            ...makePartyRegistration(state.chain, { signer: stranger, vrfSeed: new Uint8Array(32) }, 0),
            kind: "party-registration",
            time: 0,
        })),
    },
    {
        rule: "registration",
        breaks: "a registration replayed",
        code: "stale-sequence",
        mutate: insert(ready, (sample) => {
            const entry = sample.entries[find(sample, "party-registration")]
            if (entry === undefined) throw new Error("the sample has registrations")
            return { ...entry, time: timeAt(sample, ready(sample)) }
        }),
    },
    {
        rule: "registration",
        breaks: "a revoked party back again",
        code: "revoked",
        mutate: logged((sample) => ({
            ...makePartyRegistration(sample.state.chain, party(sample, 3), 2),
            kind: "party-registration",
            time: 0,
        })),
    },
    {
        rule: "registration",
        breaks: "one VRF key under two identities",
        code: "key-taken",
        mutate: logged((sample) => ({
            ...makePartyRegistration(
                sample.state.chain,
                { signer: party(sample, 0).signer, vrfSeed: party(sample, 1).vrfSeed },
                1,
            ),
            kind: "party-registration",
            time: 0,
        })),
    },
    {
        rule: "registration",
        breaks: "a VRF key whose owner gave no proof",
        code: "bad-possession",
        mutate: change("party-registration", 0, (entry, sample) => {
            const possession = flip(entry.possession, 40)
            const { signer } = party(sample, 0)
            return {
                ...entry,
                ...signPartyRegistration(sample.state.chain, signer, { ...entry, possession }),
            }
        }),
    },
    {
        rule: "registration",
        breaks: "a VRF key of small order",
        code: "bad-key",
        mutate: change("party-registration", 0, (entry, sample) => {
            const vrfKey = new Uint8Array(32)
            const { signer } = party(sample, 0)
            return { ...entry, ...signPartyRegistration(sample.state.chain, signer, { ...entry, vrfKey }) }
        }),
    },
    {
        rule: "registration",
        breaks: "a committee of three of which one alone can open",
        code: "bad-committee",
        mutate: logged((sample) =>
            committee(sample, (plan) => ({ ...plan, commitments: plan.commitments.slice(0, 1) })),
        ),
    },
    {
        rule: "registration",
        breaks: "member keys that do not lie on the committed polynomial",
        code: "bad-possession",
        mutate: logged((sample) =>
            committee(sample, (plan) => ({ ...plan, commitments: plan.commitments.toReversed() })),
        ),
    },
    {
        rule: "registration",
        breaks: "a commitment that is no point",
        code: "bad-point",
        mutate: logged((sample) =>
            committee(sample, (plan) => ({
                ...plan,
                commitments: [...plan.commitments.slice(0, 1), new Uint8Array(32).fill(0xff)],
            })),
        ),
    },
    {
        rule: "registration",
        breaks: "a revocation of nobody's registration",
        code: "not-registered",
        mutate: logged(({ state }) => ({
            ...makeRevocation(state.chain, stranger, 0),
            kind: "revocation",
            time: 0,
        })),
    },
    {
        rule: "request",
        breaks: "a request under a key that is not registered",
        code: "wrong-encryption-key",
        mutate: logged((sample) =>
            request(sample, { Y: encodePoint(commitPolynomial([9n])[0] ?? neverPoint()) }),
        ),
    },
    {
        rule: "request",
        breaks: "a request from nobody",
        code: "not-registered",
        mutate: logged(({ state }) => ({
            ...makeRequest(state.chain, stranger, {
                ...{ Y: new Uint8Array(32), nonce: new Uint8Array(32), sequence: 0, notBefore: 0 },
            }),
            kind: "request",
            time: 0,
        })),
    },
    {
        rule: "request",
        breaks: "a request replayed",
        code: "stale-sequence",
        mutate: insert(
            (sample) => find(sample, "request", 1),
            (sample) => {
                const first = sample.entries[ready(sample)]
                if (first === undefined) throw new Error("the sample has requests")
                return { ...first, time: first.time }
            },
        ),
    },
    {
        rule: "request",
        breaks: "a request two days ahead",
        code: "too-far-ahead",
        mutate: logged((sample) => request(sample, { notBefore: sample.time + 2 * farthestAheadMs })),
    },
    {
        rule: "request",
        breaks: "a third request of one requester in the queue",
        code: "queue-full",
        mutate: insert(
            (sample) => find(sample, "ticket"),
            (sample) => ({
                ...request(sample, { sequence: 2 }),
                time: timeAt(sample, find(sample, "ticket") - 1),
            }),
        ),
    },
    {
        rule: "request",
        breaks: "a request before enough parties are registered",
        code: "roster-too-small",
        mutate: (sample) => {
            const registrations = [0, 1, 2, 3].map((nth) => find(sample, "party-registration", nth))
            const kept = sample.entries.filter((entry, index) => {
                return !registrations.includes(index) && entry.kind !== "revocation"
            })
            return serve(sample, kept.map(encodeEntry))
        },
    },
]

function neverPoint(): never {
    throw new Error("a polynomial has a constant term")
}
