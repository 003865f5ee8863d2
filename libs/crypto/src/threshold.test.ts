import fc from "fast-check"
import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { concatBytes, fromHex, toHex, utf8 } from "./bytes.ts"
import { makeShare, verifyShare } from "./decryption-share.ts"
import { encrypt } from "./elgamal.ts"
import type { Point } from "./group.ts"
import { decodePoint, encodePoint, ristretto255 as group } from "./ristretto255.ts"
import { decodeScalar, encodeScalar, hashToScalar, order, reduceScalar, type Scalar } from "./scalar.ts"
import {
    combineShares,
    commitPolynomial,
    evaluateCommitments,
    evaluatePolynomial,
    lagrangeAtZero,
} from "./threshold.ts"

function read(name: string): unknown {
    return JSON.parse(readFileSync(new URL(`../../../test/vectors/${name}.json`, import.meta.url), "utf8"))
}

function scalarOf(text: string): Scalar {
    return decodeScalar(fromHex(text))!
}

function pointOf(text: string): Point {
    return decodePoint(fromHex(text))!
}

function hex(point: Point): string {
    return toHex(encodePoint(point))
}

const suite = utf8("FROST-RISTRETTO255-SHA512-v1")
const scalar = fc.bigInt(0n, order - 1n)

describe("RFC 9591 appendix E.3", () => {
    const { inputs, round_one_outputs, round_two_outputs, final_output } = read("frost-ristretto255") as {
        inputs: {
            participant_list: readonly number[]
            group_secret_key: string
            group_public_key: string
            message: string
            share_polynomial_coefficients: readonly string[]
            participant_shares: readonly { identifier: number; participant_share: string }[]
        }
        round_one_outputs: {
            outputs: readonly ({ identifier: number } & Record<
                "hiding_nonce" | "binding_nonce" | "binding_factor",
                string
            >)[]
        }
        round_two_outputs: { outputs: readonly { identifier: number; sig_share: string }[] }
        final_output: { sig: string }
    }
    const coefficients = [inputs.group_secret_key, ...inputs.share_polynomial_coefficients].map(scalarOf)
    const commitments = commitPolynomial(coefficients)

    test("commits to the group's key", () => expect(hex(commitments[0]!)).toBe(inputs.group_public_key))

    test.each(inputs.participant_shares)("share $identifier", ({ identifier, participant_share }) => {
        const share = evaluatePolynomial(coefficients, identifier)
        expect(toHex(encodeScalar(share))).toBe(participant_share)
        expect(hex(evaluateCommitments(commitments, identifier))).toBe(hex(group.multiplyBase(share)))
    })

    test.each([
        [1, 2],
        [1, 3],
        [2, 3],
        [3, 1],
        [1, 2, 3],
    ])("shares %d and %d give the key", (...indices) => {
        const factors = lagrangeAtZero(indices)
        const sum = indices.reduce((sum, index, i) => {
            const share = inputs.participant_shares.find(({ identifier }) => identifier === index)!
            return reduceScalar(sum + factors[i]! * scalarOf(share.participant_share))
        }, 0n)
        expect(toHex(encodeScalar(sum))).toBe(inputs.group_secret_key)
    })

    test("each factor, as the signature shares z = d + eρ + λxc use it", () => {
        const [r, z] = [final_output.sig.slice(0, 64), scalarOf(final_output.sig.slice(64))]
        const parts = [r, inputs.group_public_key, inputs.message].map(fromHex)
        const c = hashToScalar(concatBytes(suite, utf8("chal"), ...parts))
        const factors = lagrangeAtZero(inputs.participant_list)
        inputs.participant_list.forEach((index, i) => {
            const nonces = round_one_outputs.outputs[i]!
            const { sig_share } = round_two_outputs.outputs[i]!
            const [d, e, rho] = [nonces.hiding_nonce, nonces.binding_nonce, nonces.binding_factor].map(
                scalarOf,
            )
            const share = evaluatePolynomial(coefficients, index)
            const expected = reduceScalar(d! + e! * rho! + factors[i]! * share * c)
            expect(toHex(encodeScalar(expected))).toBe(sig_share)
        })
        const key = pointOf(inputs.group_public_key)
        const right = group.add(pointOf(r), group.multiplyPublic(key, c))
        expect(group.equals(group.multiplyBase(z), right)).toBe(true)
    })
})

describe("distributed key generation, ZcashFoundation's vectors", () => {
    type Participant = {
        readonly identifier: number
        readonly signing_key: string
        readonly coefficient: string
        readonly vss_commitments: readonly string[]
        readonly proof_of_knowledge: string
        readonly signing_shares: Readonly<Record<string, string>>
        readonly verifying_share: string
        readonly signing_share: string
    }
    const { verifying_key, ...rest } = (read("frost-dkg-ristretto255") as { inputs: unknown }).inputs as {
        verifying_key: string
    } & Readonly<Record<string, unknown>>
    const participants = Object.values(rest) as Participant[]
    const dealt = participants.map(({ vss_commitments }) => vss_commitments.map(pointOf))
    // The sum of everybody's commitments is a commitment to the sum of everybody's polynomials.
    const sums = [0, 1].map((j) =>
        dealt.reduce((sum, commitments) => group.add(sum, commitments[j]!), group.identity),
    )

    test("has three participants", () => expect(participants).toHaveLength(3))

    test.each(participants)("participant $identifier", (participant) => {
        const i = participant.identifier
        const polynomial = [participant.signing_key, participant.coefficient].map(scalarOf)
        expect(commitPolynomial(polynomial).map(hex)).toEqual(participant.vss_commitments)

        const received = Object.entries(participant.signing_shares)
        expect(received).toHaveLength(2)
        for (const [sender, share] of received) {
            const commitments = dealt[Number(sender) - 1]!
            expect(hex(evaluateCommitments(commitments, i))).toBe(hex(group.multiplyBase(scalarOf(share))))
            // A share that is off by one is caught, and so is one for somebody else.
            const wrong = group.multiplyBase(reduceScalar(scalarOf(share) + 1n))
            expect(group.equals(evaluateCommitments(commitments, i), wrong)).toBe(false)
            expect(hex(evaluateCommitments(commitments, i + 1))).not.toBe(
                hex(group.multiplyBase(scalarOf(share))),
            )
        }
        const own = evaluatePolynomial(polynomial, i)
        const total = received.reduce((sum, [, share]) => reduceScalar(sum + scalarOf(share)), own)
        expect(toHex(encodeScalar(total))).toBe(participant.signing_share)
        expect(hex(evaluateCommitments(sums, i))).toBe(participant.verifying_share)
    })

    test.each(participants)("proof of knowledge $identifier", (participant) => {
        const [r, z] = [0, 64].map((from) => participant.proof_of_knowledge.slice(from, from + 64))
        const phi = participant.vss_commitments[0]!
        const id = encodeScalar(BigInt(participant.identifier))
        const c = hashToScalar(concatBytes(suite, utf8("dkg"), id, fromHex(phi), fromHex(r!)))
        const right = group.add(pointOf(r!), group.multiplyPublic(pointOf(phi), c))
        expect(group.equals(group.multiplyBase(scalarOf(z!)), right)).toBe(true)
    })

    test("gives the group's key, to the commitments and to any two shares", () => {
        expect(hex(sums[0]!)).toBe(verifying_key)
        for (const indices of [
            [1, 2],
            [1, 3],
            [2, 3],
        ]) {
            const shares = indices.map((index) => ({
                index,
                share: pointOf(participants[index - 1]!.verifying_share),
            }))
            // 0 - Σ λ_i Y_i = -Y
            const sum = group.add(combineShares(group.identity, shares), pointOf(verifying_key))
            expect(group.isIdentity(sum)).toBe(true)
        }
    })
})

describe("decryption by a committee", () => {
    const context = { tag: "test/v1/share", parts: [] }
    const random = new Uint8Array(32)

    test("any t of n open the message, in any order; t - 1 do not", () => {
        const committee = fc.array(scalar, { minLength: 1, maxLength: 4 }).chain((coefficients) =>
            fc.tuple(
                fc.constant(coefficients),
                fc.uniqueArray(fc.integer({ min: 1, max: 65535 }), {
                    minLength: coefficients.length,
                    maxLength: coefficients.length,
                }),
            ),
        )
        fc.assert(
            fc.property(committee, fc.bigInt(1n, order - 1n), ([coefficients, indices], k) => {
                fc.pre(coefficients[0] !== 0n && coefficients.at(-1) !== 0n)
                const commitments = commitPolynomial(coefficients)
                const message = group.multiplyBase(42n)
                const ciphertext = encrypt(commitments[0]!, message, k)
                const shares = indices.map((index) => {
                    const secret = evaluatePolynomial(coefficients, index)
                    const share = makeShare({ secret, ciphertext, context, random })
                    const key = evaluateCommitments(commitments, index)
                    expect(verifyShare({ key, ciphertext, share, context })).toBe(true)
                    return { index, share: share.share }
                })
                expect(group.equals(combineShares(ciphertext.d, shares), message)).toBe(true)
                expect(group.equals(combineShares(ciphertext.d, shares.toReversed()), message)).toBe(true)
                expect(group.equals(combineShares(ciphertext.d, shares.slice(1)), message)).toBe(false)
            }),
            { numRuns: 10 },
        )
    })

    test("of one has the index 1 and the factor 1", () => {
        expect(lagrangeAtZero([1])).toEqual([1n])
        expect(lagrangeAtZero([5])).toEqual([1n])
        expect(evaluatePolynomial([17n], 1)).toBe(17n)
    })

    test("has a message even where it is the identity", () => {
        const d = group.multiplyBase(9n)
        expect(group.isIdentity(combineShares(d, [{ index: 1, share: d }]))).toBe(true)
    })
})

describe("indices", () => {
    test.each([0, -1, 65536, 1.5, NaN, Infinity, order])("%d is none", (index) => {
        const i = Number(index)
        expect(() => lagrangeAtZero([1, i])).toThrow(RangeError)
        expect(() => evaluatePolynomial([1n, 2n], i)).toThrow(RangeError)
        expect(() => evaluateCommitments([group.base], i)).toThrow(RangeError)
        expect(() => combineShares(group.base, [{ index: i, share: group.base }])).toThrow(RangeError)
    })

    test("go up to 65535, each once", () => {
        expect(lagrangeAtZero([1, 65535])).toHaveLength(2)
        expect(() => lagrangeAtZero([2, 3, 2])).toThrow(RangeError)
        expect(lagrangeAtZero([])).toEqual([])
    })

    test("0 would be the secret", () => {
        // 1 + 2z + 3z², and that λ sums to 1 as it must for constant polynomials.
        expect(evaluatePolynomial([1n, 2n, 3n], 2)).toBe(17n)
        expect(lagrangeAtZero([3, 7, 11]).reduce((sum, factor) => reduceScalar(sum + factor), 0n)).toBe(1n)
    })
})
