import { encodePoint } from "@tallylight/crypto/ristretto255.js"
import { commitPolynomial } from "@tallylight/crypto/threshold.js"
import { describe, expect, test } from "vitest"
import type { EntryOf } from "../ledger/entry.ts"
import { SampleLedger } from "../sample/sample-ledger.ts"
import { Refusal } from "../wire/refusal.ts"
import { joinCommittee, makeRequesterRegistration } from "./requester.ts"
import type { CommitteePlan } from "./requester.ts"

type Registration = EntryOf<"requester-registration">

/** The sample's committee, two of three, whose members have joined once. */
function joined() {
    const sample = new SampleLedger("renewal")
    const { chain } = sample.state
    const { signer, members: owners, polynomial } = sample.keys.committee
    const plan: CommitteePlan = {
        identity: signer.publicKey,
        dealt: true,
        commitments: commitPolynomial(polynomial).map(encodePoint),
        identities: owners.map((own) => own.signer.publicKey),
    }
    const members = owners.map((own) => joinCommittee(chain, plan, { ...own, random: sample.random(32) }))
    const register = (sequence: number, edit: Partial<CommitteePlan> = {}): Registration => {
        const made = makeRequesterRegistration(chain, { ...plan, ...edit }, sequence, signer, members)
        return { ...made, kind: "requester-registration", time: sample.state.time }
    }
    const log = (entry: Registration): string => {
        try {
            sample.log(entry)
            return "accepted"
        } catch (error) {
            if (error instanceof Refusal) return error.code
            throw error
        }
    }
    return { plan, members, register, log }
}

describe("a committee that was registered", () => {
    test("is renewed by its requester alone, with the parts that its members signed once", () => {
        const { register, log } = joined()
        expect([register(0), register(1), register(7)].map(log)).toEqual(["accepted", "accepted", "accepted"])
    })

    test("is renewed by nobody else, and not twice with one signature", () => {
        const { register, log } = joined()
        const first = register(0)
        expect(log(first)).toBe("accepted")
        expect(log({ ...first, sequence: 1 })).toBe("bad-signature")
        expect(log(first)).toBe("stale-sequence")
    })

    test("is not changed without its members, whatever the requester signs", () => {
        const { plan, members, register, log } = joined()
        expect(log(register(0))).toBe("accepted")
        expect(log(register(1, { dealt: false }))).toBe("bad-signature")
        expect(log(register(1, { commitments: plan.commitments.toReversed() }))).toBe("bad-signature")
        expect(log({ ...register(1), members: members.toReversed() })).toBe("bad-signature")
    })
})
