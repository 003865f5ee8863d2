import { expand_message_xmd } from "@noble/curves/abstract/hash-to-curve.js"
import { ed25519, ED25519_TORSION_SUBGROUP, ed25519_hasher as hasher } from "@noble/curves/ed25519.js"
import { bytesToNumberLE, numberToBytesLE } from "@noble/curves/utils.js"
import { sha512 as nobleSha512 } from "@noble/hashes/sha2.js"
import fc from "fast-check"
import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { concatBytes, fromHex, toHex, utf8 } from "./bytes.ts"
import { isVrfPublicKey, vrfProofToHash, vrfProve, vrfPublicKey, vrfVerify } from "./ecvrf.ts"
import { isEd25519PublicKey } from "./ed25519.ts"
import { sha512 } from "./hash.ts"
import { order, reduceScalar } from "./scalar.ts"

type Case = {
    readonly id: string
    readonly suite_string: string
    readonly negative?: boolean
    readonly why?: string
    readonly reject_reason?: string
    readonly sk?: string
    readonly pk: string
    readonly alpha: string
    readonly pi: string
    readonly beta?: string
    readonly h?: string
}

function read(name: string): unknown {
    return JSON.parse(readFileSync(new URL(`../../../test/vectors/${name}.json`, import.meta.url), "utf8"))
}

const { vectors } = read("ecvrf") as { vectors: readonly Case[] }
const positive = vectors.filter((vector) => vector.suite_string === "04" && vector.negative !== true)
const negative = vectors.filter((vector) => vector.suite_string === "04" && vector.negative === true)
const otherSuites = vectors.filter((vector) => vector.suite_string !== "04")
const legacy = (read("ecvrf-legacy") as { vectors: readonly (Case & { rfc9381_beta_equal?: boolean })[] })
    .vectors

const { Point } = ed25519
const torsion = ED25519_TORSION_SUBGROUP.map((encoded) => Point.fromHex(encoded))

function verify({ pk, alpha, pi }: Case): string | undefined {
    const beta = vrfVerify(fromHex(pk), fromHex(alpha), fromHex(pi))
    return beta && toHex(beta)
}

describe("RFC 9381 appendix B.4, and proofs by other libraries", () => {
    test.each(positive)("$id", (vector) => {
        const [seed, alpha] = [fromHex(vector.sk!), fromHex(vector.alpha)]
        expect(toHex(vrfPublicKey(seed))).toBe(vector.pk)
        expect(isVrfPublicKey(fromHex(vector.pk))).toBe(true)
        expect(toHex(vrfProve(seed, alpha))).toBe(vector.pi)
        expect(verify(vector)).toBe(vector.beta)
        expect(toHex(vrfProofToHash(fromHex(vector.pi))!)).toBe(vector.beta)
    })

    test("has vectors", () => expect(positive.length).toBeGreaterThanOrEqual(6))
})

describe("what is no proof", () => {
    const honest = positive[0]!

    test.each(negative)("$id: $why", (vector) => {
        expect(verify(honest)).toBe(honest.beta)
        expect(verify(vector)).toBeUndefined()
        const aboutKey = vector.reject_reason!.endsWith("pk")
        expect(isVrfPublicKey(fromHex(vector.pk))).toBe(!aboutKey)
        const undecodable = ["INVALID s", "INVALID length", "INVALID gamma"].includes(vector.reject_reason!)
        expect(vrfProofToHash(fromHex(vector.pi)) === undefined).toBe(undecodable)
    })

    test.each(otherSuites)("$id: of another suite", (vector) => {
        expect(verify(vector)).toBeUndefined()
    })

    test.each(legacy)("$id: $format", (vector) => {
        expect(verify(vector)).toBeUndefined()
        const ours = vrfProve(fromHex(vector.sk!), fromHex(vector.alpha))
        expect(toHex(ours)).not.toBe(vector.pi)
        // The same output does not make the same proof.
        const beta = toHex(vrfProofToHash(ours)!)
        if (vector.rfc9381_beta_equal !== undefined)
            expect(beta === vector.beta).toBe(vector.rfc9381_beta_equal)
    })

    test("changed by any bit, or for another key or input", () => {
        const [seed, alpha] = [new Uint8Array(32).fill(3), utf8("round 7")]
        const [key, proof] = [vrfPublicKey(seed), vrfProve(seed, alpha)]
        expect(vrfVerify(key, alpha, proof)).toEqual(vrfProofToHash(proof))
        fc.assert(
            fc.property(fc.nat(639), (bit) => {
                const changed = proof.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
                expect(vrfVerify(key, alpha, changed)).toBeUndefined()
            }),
            { numRuns: 30, examples: [[0], [255], [256], [383], [384], [639]] },
        )
        expect(vrfVerify(key, utf8("round 8"), proof)).toBeUndefined()
        expect(vrfVerify(vrfPublicKey(new Uint8Array(32)), alpha, proof)).toBeUndefined()
    })

    test("of another length", () => {
        const [pk, alpha, pi] = [honest.pk, honest.alpha, honest.pi].map(fromHex)
        for (const length of [0, 32, 79]) {
            expect(vrfVerify(pk!, alpha!, pi!.subarray(0, length))).toBeUndefined()
            expect(vrfProofToHash(pi!.subarray(0, length))).toBeUndefined()
        }
        for (const length of [0, 31]) {
            expect(vrfVerify(pk!.subarray(0, length), alpha!, pi!)).toBeUndefined()
            expect(isVrfPublicKey(pk!.subarray(0, length))).toBe(false)
        }
    })

    test("where Γ or the key has a second spelling", () => {
        for (let y = 0n; y < 19n; y++) {
            const second = numberToBytesLE(y + 2n ** 255n - 19n, 32)
            expect(isVrfPublicKey(second)).toBe(false)
            expect(vrfProofToHash(concatBytes(second, new Uint8Array(48)))).toBeUndefined()
        }
        // x = 0 has no sign.
        const signed = fromHex(`01${"00".repeat(30)}80`)
        expect(vrfProofToHash(concatBytes(Point.ZERO.toBytes(), new Uint8Array(48)))).toBeDefined()
        expect(vrfProofToHash(concatBytes(signed, new Uint8Array(48)))).toBeUndefined()
    })
})

describe("torsion", () => {
    const seed = new Uint8Array(32).fill(5)
    const { scalar: x, point: y } = ed25519.utils.getExtendedPublicKey(seed)
    const dst = concatBytes(utf8("ECVRF_edwards25519_XMD:SHA-512_ELL2_NU_"), Uint8Array.of(4))

    /** A prover who adds `onKey` to Y and `onGamma` to Γ and tries nonces until the equations hold as they are. */
    function craft(
        onKey: typeof y,
        onGamma: typeof y,
    ): { key: Uint8Array; alpha: Uint8Array; proof: Uint8Array } {
        const alpha = utf8("round 7")
        const key = y.add(onKey).toBytes()
        const h = hasher.encodeToCurve(concatBytes(key, alpha), { DST: dst })
        const gamma = h.multiply(x).add(onGamma).toBytes()
        for (let k = 1n; ; k++) {
            const [u, v] = [Point.BASE.multiplyUnsafe(k), h.multiplyUnsafe(k)]
            const points = [key, h.toBytes(), gamma, u.toBytes(), v.toBytes()]
            const hash = sha512(concatBytes(Uint8Array.of(4, 2), ...points, Uint8Array.of(0)))
            const c = bytesToNumberLE(hash.subarray(0, 16))
            if (c % 8n !== 0n) continue
            const s = numberToBytesLE(reduceScalar(k + c * x), 32)
            return { key, alpha, proof: concatBytes(gamma, hash.subarray(0, 16), s) }
        }
    }

    test("in Γ changes neither the verdict of RFC 9381 nor the output", () => {
        const honest = vrfVerify(y.toBytes(), utf8("round 7"), vrfProve(seed, utf8("round 7")))
        expect(honest).toBeDefined()
        for (const point of [torsion[1]!, torsion[3]!]) {
            const { key, alpha, proof } = craft(Point.ZERO, point)
            expect(vrfVerify(key, alpha, proof)).toEqual(honest)
        }
    })

    test("in a key passes RFC 9381's validation, and is what isEd25519PublicKey is for", () => {
        for (const point of torsion.filter((point) => !point.is0())) {
            const key = y.add(point).toBytes()
            expect(isVrfPublicKey(key)).toBe(true)
            expect(isEd25519PublicKey(key)).toBe(false)
            expect(isVrfPublicKey(point.toBytes())).toBe(false)
        }
        const { key, alpha, proof } = craft(torsion[3]!, Point.ZERO)
        expect(vrfVerify(key, alpha, proof)).toBeDefined()
    })

    test("alone is no key, though Γ = 0 would prove every input", () => {
        // U = sB - cY = sB - c0, whatever the input: c is whatever these hash to.
        const [key, alpha, s] = [Point.ZERO.toBytes(), utf8("any"), 5n]
        const h = hasher.encodeToCurve(concatBytes(key, alpha), { DST: dst })
        const uv = [Point.BASE.multiply(s), h.multiply(s)].map((point) => point.toBytes())
        const hash = sha512(
            concatBytes(Uint8Array.of(4, 2), key, h.toBytes(), key, ...uv, Uint8Array.of(0)),
        ).subarray(0, 16)
        const proof = concatBytes(key, hash, numberToBytesLE(s, 32))
        expect(vrfProofToHash(proof)).toBeDefined()
        expect(vrfVerify(key, alpha, proof)).toBeUndefined()
        expect(vrfVerify(key, alpha, concatBytes(key, hash, numberToBytesLE(s + order, 32)))).toBeUndefined()
    })
})

// What hashing to the curve rests on; the suite itself is checked by the proofs above.
describe("RFC 9380", () => {
    const curve = read("h2c-edwards25519-ell2-nu") as {
        dst: string
        vectors: readonly { msg_ascii: string; P_compressed: string; Px: string; Py: string }[]
    }
    const expander = read("expand-message-xmd-sha512") as {
        dst: string
        vectors: readonly { msg_ascii: string; len: number; uniform_bytes: string }[]
    }

    test.each(curve.vectors)("J.5.2: encodes $msg_ascii", ({ msg_ascii, P_compressed, Px, Py }) => {
        const point = hasher.encodeToCurve(utf8(msg_ascii), { DST: curve.dst })
        expect(point.toHex()).toBe(P_compressed)
        expect([point.x, point.y]).toEqual([BigInt(Px), BigInt(Py)])
    })

    test.each(expander.vectors)(
        "K.3: expands $msg_ascii to $len bytes",
        ({ msg_ascii, len, uniform_bytes }) => {
            const bytes = expand_message_xmd(utf8(msg_ascii), utf8(expander.dst), len, nobleSha512)
            expect(toHex(bytes)).toBe(uniform_bytes)
        },
    )
})
