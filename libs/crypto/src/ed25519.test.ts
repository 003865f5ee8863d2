import { ed25519, ED25519_TORSION_SUBGROUP } from "@noble/curves/ed25519.js"
import { numberToBytesLE } from "@noble/curves/utils.js"
import fc from "fast-check"
import { createPrivateKey, sign, verify } from "node:crypto"
import { describe, expect, test } from "vitest"
import { concatBytes, fromHex, toHex, uint16, utf8 } from "./bytes.ts"
import { ed25519PublicKey, ed25519Sign, ed25519Verify, isEd25519PublicKey } from "./ed25519.ts"
import { encodeScalar, hashToScalar, order, reduceScalar, type Scalar } from "./scalar.ts"

const { Point } = ed25519
type Edwards = InstanceType<typeof Point>

const seed = new Uint8Array(32).fill(7)
const message = utf8("a checkpoint")
const publicKey = ed25519PublicKey(seed)
const { scalar: a } = ed25519.utils.getExtendedPublicKey(seed)
const torsion = ED25519_TORSION_SUBGROUP.map((encoded) => Point.fromHex(encoded))
const ofOrderEight = torsion.find((point) => !point.double().double().is0())!

/** (R, S) where SB - kA = rB, whatever R says. */
function signature(r: Scalar, encodedR: Uint8Array, key = publicKey, secret = a): Uint8Array {
    const k = hashToScalar(concatBytes(encodedR, key, message))
    return concatBytes(encodedR, encodeScalar(reduceScalar(r + k * secret)))
}

function accepts(signed: Uint8Array, key = publicKey): boolean {
    return ed25519Verify(key, message, signed)
}

// RFC 8032 §7.1
test.each([
    {
        seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        key: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        message: "",
        signature:
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    },
    {
        seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        key: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        message: "72",
        signature:
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    },
])("signs $message as RFC 8032 does", (vector) => {
    const [key, signed, text] = [vector.key, vector.signature, vector.message].map(fromHex)
    expect(toHex(ed25519PublicKey(fromHex(vector.seed)))).toBe(vector.key)
    expect(toHex(ed25519Sign(fromHex(vector.seed), text!))).toBe(vector.signature)
    expect(ed25519Verify(key!, text!, signed!)).toBe(true)
    expect(isEd25519PublicKey(key!)).toBe(true)
})

test("agrees with OpenSSL on honest signatures and on changed ones", () => {
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
        fc.property(bytes, fc.uint8Array({ maxLength: 100 }), fc.nat(511), (secret, text, bit) => {
            const pkcs8 = concatBytes(fromHex("302e020100300506032b657004220420"), secret)
            const key = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" })
            const signed = ed25519Sign(secret, text)
            expect(toHex(signed)).toBe(sign(null, text, key).toString("hex"))
            expect(ed25519Verify(ed25519PublicKey(secret), text, signed)).toBe(true)
            const changed = flip(signed, bit)
            expect(verify(null, text, key, changed)).toBe(false)
            expect(ed25519Verify(ed25519PublicKey(secret), text, changed)).toBe(false)
        }),
        { numRuns: 15 },
    )
})

function flip(bytes: Uint8Array, bit: number): Uint8Array {
    return bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
}

test("refuses another message, another key and any change of length", () => {
    const signed = ed25519Sign(seed, message)
    expect(accepts(signed)).toBe(true)
    expect(ed25519Verify(publicKey, utf8("another"), signed)).toBe(false)
    expect(accepts(signed, ed25519PublicKey(new Uint8Array(32)))).toBe(false)
    for (const length of [0, 32, 63]) expect(accepts(signed.subarray(0, length))).toBe(false)
    expect(accepts(concatBytes(signed, Uint8Array.of(0)))).toBe(false)
    for (const length of [0, 31]) expect(accepts(signed, publicKey.subarray(0, length))).toBe(false)
    expect(accepts(signed, concatBytes(publicKey, Uint8Array.of(0)))).toBe(false)
})

describe("crafted signatures by the owner of an honest key", () => {
    const r = 12345n
    const encodedR = Point.BASE.multiply(r).toBytes()
    const honest = signature(r, encodedR)

    test("S + q is not S", () => {
        expect(accepts(honest)).toBe(true)
        const s = reduceScalar(r + hashToScalar(concatBytes(encodedR, publicKey, message)) * a)
        expect(accepts(concatBytes(encodedR, numberToBytesLE(s, 32)))).toBe(true)
        expect(accepts(concatBytes(encodedR, numberToBytesLE(s + order, 32)))).toBe(false)
    })

    test("R = 0 is refused, which OpenSSL accepts", () => {
        const identity = Point.ZERO.toBytes()
        const signed = signature(0n, identity)
        const key = createPrivateKey({
            key: Buffer.from(concatBytes(fromHex("302e020100300506032b657004220420"), seed)),
            format: "der",
            type: "pkcs8",
        })
        expect(verify(null, message, key, signed)).toBe(true)
        expect(accepts(signed)).toBe(false)
    })

    test("R with torsion is refused, which an equation with the cofactor accepts", () => {
        for (const point of torsion.filter((point) => !point.is0())) {
            const dirty = signature(r, Point.BASE.multiply(r).add(point).toBytes())
            expect(ed25519.verify(dirty, message, publicKey, { zip215: false })).toBe(true)
            expect(accepts(dirty)).toBe(false)
            expect(accepts(signature(0n, point.toBytes()))).toBe(false)
        }
    })

    test("R has one spelling", () => {
        // The identity as y = p + 1, and with a sign bit that x = 0 cannot have.
        for (const spelling of [`ee${"ff".repeat(30)}7f`, `01${"00".repeat(30)}80`, `ee${"ff".repeat(31)}`]) {
            expect(Point.fromHex(spelling, true).is0()).toBe(true)
            expect(accepts(signature(0n, fromHex(spelling)))).toBe(false)
        }
    })
})

describe("crafted keys", () => {
    const honest = Point.BASE.multiply(a)

    test("of small order are no keys and verify nothing", () => {
        expect(isEd25519PublicKey(publicKey)).toBe(true)
        for (const point of torsion) {
            const key = point.toBytes()
            expect(isEd25519PublicKey(key)).toBe(false)
            // Eight tries and more: where 8 divides k, kA = 0 and (rB, r) would pass for any message.
            for (let r = 1n; r < 20n; r++) {
                expect(accepts(signature(r, Point.BASE.multiply(r).toBytes(), key, 0n), key)).toBe(false)
            }
        }
    })

    test("with torsion are no keys", () => {
        for (const point of torsion) {
            expect(isEd25519PublicKey(honest.add(point).toBytes())).toBe(point.is0())
        }
    })

    test("have one spelling", () => {
        // Every y below 19 that is on the curve has a second spelling, y + p.
        const small = Array.from({ length: 19 }, (_, y) => numberToBytesLE(BigInt(y), 32)).filter(decodes)
        expect(small.length).toBeGreaterThan(5)
        for (const spelling of small) {
            const second = numberToBytesLE(BigInt(spelling[0]!) + 2n ** 255n - 19n, 32)
            expect(Point.fromBytes(second, true).equals(Point.fromBytes(spelling))).toBe(true)
            expect(isEd25519PublicKey(second)).toBe(false)
            expect(accepts(ed25519Sign(seed, message), second)).toBe(false)
        }
        expect(isEd25519PublicKey(fromHex(`01${"00".repeat(30)}80`))).toBe(false)
    })

    test("of any bytes get a verdict, not an exception", () => {
        for (let i = 0; i < 40; i++) {
            const bytes = ed25519Sign(seed, uint16(i))
            expect(accepts(bytes, bytes.subarray(0, 32))).toBe(false)
        }
        expect(isEd25519PublicKey(new Uint8Array(32).fill(0xff))).toBe(false)
        for (const length of [0, 31, 33]) expect(isEd25519PublicKey(new Uint8Array(length))).toBe(false)
    })

    test("that were never checked are judged without the cofactor", () => {
        // Why registration checks torsion: with such a key its owner can make implementations disagree at will.
        const key = honest.add(ofOrderEight).toBytes()
        const tries = Array.from({ length: 40 }, (_, i) => {
            const encodedR = Point.BASE.multiply(BigInt(i + 1)).toBytes()
            return signature(BigInt(i + 1), encodedR, key)
        })
        expect(tries.every((signed) => ed25519.verify(signed, message, key, { zip215: false }))).toBe(true)
        expect(new Set(tries.map((signed) => accepts(signed, key)))).toEqual(new Set([true, false]))
    })
})

function decodes(bytes: Uint8Array): Edwards | undefined {
    try {
        return Point.fromBytes(bytes)
    } catch {
        return undefined
    }
}
