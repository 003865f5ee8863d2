import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { concatBytes, toHex, utf8 } from "./bytes.ts"
import { proofNonce } from "./nonce.ts"
import { encodePoint, ristretto255 as group } from "./ristretto255.ts"
import { encodeScalar, hashToScalar, order, reduceScalar, type Scalar } from "./scalar.ts"
import { decodeSchnorrProof, encodeSchnorrProof, proveLog, verifyLog } from "./schnorr.ts"
import { transcript, type Context } from "./transcript.ts"

const context: Context = { tag: "test/v1/log", parts: [utf8("chain"), utf8("round")] }
const bound = [utf8("sender"), utf8("ticket")]
const random = new Uint8Array(32).fill(9)
const secret = 1234567n
const point = group.multiplyBase(secret)
const proof = proveLog({ secret, context, bound, random })
const claim = { point, context, bound, proof }

test("proves the logarithm of any point, with any bound bytes", () => {
    const bytes = fc.uint8Array({ maxLength: 40 })
    fc.assert(
        fc.property(
            fc.bigInt(1n, order - 1n),
            fc.array(bytes, { maxLength: 3 }),
            fc.uint8Array({ minLength: 32, maxLength: 32 }),
            (secret, bound, random) => {
                const proof = proveLog({ secret, context, bound, random })
                expect(verifyLog({ point: group.multiplyBase(secret), context, bound, proof })).toBe(true)
            },
        ),
        { numRuns: 10 },
    )
})

test("hashes context, point, bound bytes and commitment, in this order", () => {
    const e = hashToScalar(
        transcript(
            context.tag,
            ...context.parts,
            encodePoint(point),
            ...bound,
            encodePoint(proof.commitment),
        ),
    )
    const nonce = reduceScalar(proof.response - e * secret)
    expect(group.equals(group.multiplyBase(nonce), proof.commitment)).toBe(true)
    const statement = transcript(context.tag, ...context.parts, encodePoint(point), ...bound)
    expect(nonce).toBe(
        hashToScalar(transcript("tallylight/v1/nonce", encodeScalar(secret), statement, random)),
    )
})

describe("refuses", () => {
    const other = group.multiplyBase(secret + 1n)
    test.each([
        ["another point", { ...claim, point: other }],
        ["another tag", { ...claim, context: { ...context, tag: "test/v1/other" } }],
        ["another context", { ...claim, context: { ...context, parts: [utf8("chain"), utf8("next")] } }],
        ["less context", { ...claim, context: { ...context, parts: [utf8("chain")] } }],
        ["other bound bytes", { ...claim, bound: [utf8("sender"), utf8("other")] }],
        ["the bound bytes in another order", { ...claim, bound: [...bound].reverse() }],
        ["nothing bound", { ...claim, bound: [] }],
        ["another commitment", { ...claim, proof: { ...proof, commitment: other } }],
        ["another response", { ...claim, proof: { ...proof, response: proof.response ^ 1n } }],
    ])("%s", (_, changed) => {
        expect(verifyLog(claim)).toBe(true)
        expect(verifyLog(changed)).toBe(false)
    })

    test("any change of one bit of an encoded proof", () => {
        const encoded = encodeSchnorrProof(proof)
        fc.assert(
            fc.property(fc.nat(511), (bit) => {
                const changed = decodeSchnorrProof(flip(encoded, bit))
                expect(changed !== undefined && verifyLog({ ...claim, proof: changed })).toBe(false)
            }),
            { numRuns: 30 },
        )
    })

    test("a proof made for another point and shifted to this one", () => {
        // From s of P, s + e is right for P + B under the same e: hashing P is what prevents it.
        const e = hashToScalar(
            transcript(
                context.tag,
                ...context.parts,
                encodePoint(point),
                ...bound,
                encodePoint(proof.commitment),
            ),
        )
        const shifted = { ...proof, response: reduceScalar(proof.response + e) }
        const expected = group.subtract(group.multiplyBase(shifted.response), group.multiplyPublic(other, e))
        expect(group.equals(expected, proof.commitment)).toBe(true)
        expect(verifyLog({ ...claim, point: other, proof: shifted })).toBe(false)
    })

    test("to prove what needs no secret", () => {
        expect(() => proveLog({ secret: 0n, context, bound, random })).toThrow(RangeError)
        const trivial = { commitment: group.multiplyBase(5n), response: 5n }
        expect(verifyLog({ ...claim, point: group.identity, proof: trivial })).toBe(false)
    })
})

describe("encoding", () => {
    const encoded = encodeSchnorrProof(proof)

    test("is A || s", () => {
        expect(toHex(encoded)).toBe(
            toHex(encodePoint(proof.commitment)) + toHex(encodeScalar(proof.response)),
        )
        const decoded = decodeSchnorrProof(encoded)!
        expect(group.equals(decoded.commitment, proof.commitment)).toBe(true)
        expect(decoded.response).toBe(proof.response)
    })

    test("has one spelling and one length, and no A = 0", () => {
        const [a, s] = [encoded.subarray(0, 32), encoded.subarray(32)]
        expect(decodeSchnorrProof(concatBytes(a, s))).toBeDefined()
        expect(decodeSchnorrProof(concatBytes(new Uint8Array(32), s))).toBeUndefined()
        expect(decodeSchnorrProof(concatBytes(a, new Uint8Array(32).fill(0xff)))).toBeUndefined()
        expect(decodeSchnorrProof(concatBytes(new Uint8Array(32).fill(0xff), s))).toBeUndefined()
        expect(decodeSchnorrProof(encoded.subarray(0, 63))).toBeUndefined()
        expect(decodeSchnorrProof(concatBytes(encoded, Uint8Array.of(0)))).toBeUndefined()
    })
})

describe("the nonce", () => {
    const statement = utf8("statement")
    const nonce = proofNonce({ secret, statement, random })

    test("differs with the secret, the statement and the randomness", () => {
        const nonces: Scalar[] = [
            nonce,
            proofNonce({ secret: secret + 1n, statement, random }),
            proofNonce({ secret, statement: utf8("another"), random }),
            proofNonce({ secret, statement, random: new Uint8Array(32) }),
        ]
        expect(new Set(nonces).size).toBe(4)
        expect(proofNonce({ secret, statement, random })).toBe(nonce)
    })

    test("differs for every statement proved, even where the randomness repeats", () => {
        const commitments = [
            proof,
            proveLog({ secret, context, bound: [], random }),
            proveLog({ secret, context: { ...context, tag: "test/v1/other" }, bound, random }),
            proveLog({ secret, context: { ...context, parts: [] }, bound, random }),
            proveLog({ secret: secret + 1n, context, bound, random }),
        ].map(({ commitment }) => toHex(encodePoint(commitment)))
        expect(new Set(commitments).size).toBe(5)
    })

    test("takes 32 random bytes", () => {
        for (const length of [0, 31, 33]) {
            expect(() => proofNonce({ secret, statement, random: new Uint8Array(length) })).toThrow(
                RangeError,
            )
        }
    })
})

function flip(bytes: Uint8Array, bit: number): Uint8Array {
    return bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
}
