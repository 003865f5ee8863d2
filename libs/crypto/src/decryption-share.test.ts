import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { toHex, utf8 } from "./bytes.ts"
import { makeShare, verifyShare } from "./decryption-share.ts"
import { encrypt } from "./elgamal.ts"
import { encodePoint, ristretto255 as group } from "./ristretto255.ts"
import { encodeScalar, hashToScalar, order, reduceScalar } from "./scalar.ts"
import { transcript, type Context } from "./transcript.ts"

const context: Context = { tag: "test/v1/share", parts: [utf8("chain"), utf8("round"), utf8("member")] }
const random = new Uint8Array(32).fill(9)
const secret = 7654321n
const key = group.multiplyBase(secret)
const ciphertext = encrypt(key, group.multiplyBase(42n), 99n)
const share = makeShare({ secret, ciphertext, context, random })
const claim = { key, ciphertext, share, context }

test("a share is xC* and proves it", () => {
    const scalar = fc.bigInt(1n, order - 1n)
    fc.assert(
        fc.property(scalar, scalar, fc.uint8Array({ minLength: 32, maxLength: 32 }), (secret, k, random) => {
            const key = group.multiplyBase(secret)
            const ciphertext = encrypt(key, group.multiplyBase(3n), k)
            const share = makeShare({ secret, ciphertext, context, random })
            expect(group.equals(share.share, group.multiplyBase(reduceScalar(secret * k)))).toBe(true)
            expect(verifyShare({ key, ciphertext, share, context })).toBe(true)
        }),
        { numRuns: 8 },
    )
})

test("hashes the context, Y, C*, D*, S and both commitments, in this order", () => {
    const points = [key, ciphertext.c, ciphertext.d, share.share].map(encodePoint)
    const statement = transcript(context.tag, ...context.parts, ...points)
    const w = hashToScalar(transcript("tallylight/v1/nonce", encodeScalar(secret), statement, random))
    const commitments = [group.multiplyBase(w), group.multiply(ciphertext.c, w)].map(encodePoint)
    const c = hashToScalar(transcript(context.tag, ...context.parts, ...points, ...commitments))
    expect(share.challenge).toBe(c)
    expect(share.response).toBe(reduceScalar(w + c * secret))
})

describe("refuses", () => {
    const other = group.multiplyBase(5n)
    test.each([
        ["another member's key", { ...claim, key: other }],
        ["another C*", { ...claim, ciphertext: { ...ciphertext, c: other } }],
        ["another D*, which no equation contains", { ...claim, ciphertext: { ...ciphertext, d: other } }],
        ["another share", { ...claim, share: { ...share, share: other } }],
        ["no share", { ...claim, share: { ...share, share: group.identity } }],
        ["another challenge", { ...claim, share: { ...share, challenge: share.challenge ^ 1n } }],
        ["another response", { ...claim, share: { ...share, response: share.response ^ 1n } }],
        ["another tag", { ...claim, context: { ...context, tag: "test/v1/other" } }],
        ["another context", { ...claim, context: { ...context, parts: [utf8("chain")] } }],
    ])("%s", (_, changed) => {
        expect(verifyShare(claim)).toBe(true)
        expect(verifyShare(changed)).toBe(false)
    })

    test("a share by another secret, with a proof that is right for the base only or for C* only", () => {
        // A cheat knows x and x' and answers with either: one of t1 and t2 does not come out again.
        const lie = 31337n
        const wrong = group.multiply(ciphertext.c, lie)
        const points = [key, ciphertext.c, ciphertext.d, wrong].map(encodePoint)
        const w = 1001n
        const commitments = [group.multiplyBase(w), group.multiply(ciphertext.c, w)].map(encodePoint)
        const challenge = hashToScalar(transcript(context.tag, ...context.parts, ...points, ...commitments))
        for (const answered of [secret, lie]) {
            const response = reduceScalar(w + challenge * answered)
            expect(verifyShare({ ...claim, share: { share: wrong, challenge, response } })).toBe(false)
        }
    })

    test("one bit flipped anywhere in challenge or response", () => {
        fc.assert(
            fc.property(fc.bigInt(0n, 250n), (bit) => {
                const flipped = (s: bigint) => reduceScalar(s ^ (1n << bit))
                const { challenge, response } = share
                const changed = { ...share, challenge: flipped(challenge) }
                expect(verifyShare({ ...claim, share: changed })).toBe(false)
                expect(verifyShare({ ...claim, share: { ...share, response: flipped(response) } })).toBe(
                    false,
                )
            }),
            { numRuns: 10 },
        )
    })
})

test("two statements never share a nonce, even where the randomness repeats", () => {
    const nonces = [
        { ciphertext, context },
        { ciphertext: { ...ciphertext, d: key }, context },
        { ciphertext, context: { ...context, parts: [] } },
    ].map((statement) => {
        const { challenge, response } = makeShare({ secret, random, ...statement })
        return toHex(encodeScalar(reduceScalar(response - challenge * secret)))
    })
    expect(new Set(nonces).size).toBe(3)
    expect(() => makeShare({ secret, ciphertext, context, random: new Uint8Array(31) })).toThrow(RangeError)
})
