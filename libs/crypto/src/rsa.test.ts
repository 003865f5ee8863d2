import fc from "fast-check"
import { generateKeyPairSync, sign, verify, X509Certificate } from "node:crypto"
import type { KeyObject } from "node:crypto"
import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { concatBytes, fromHex, toHex, utf8 } from "./bytes.ts"
import { sha512 } from "./hash.ts"
import { isRsaPublicKey, rsaBits, verifyRsaSha512 } from "./rsa.ts"
import type { RsaPublicKey } from "./rsa.ts"

const message = utf8("what was signed")
const digest = sha512(message)
const bytesOf256 = 256
const bytesOf384 = 384

type Pair = {
    readonly key: RsaPublicKey
    readonly publicKey: KeyObject
    readonly privateKey: KeyObject
    readonly n: bigint
    readonly e: bigint
    readonly d: bigint
}

function pair(publicExponent: number, modulusLength: number): Pair {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength, publicExponent })
    const { n = "", d = "" } = privateKey.export({ format: "jwk" })
    const key = keyOf(publicKey)
    const [modulus, secret] = [n, d].map((part) =>
        BigInt(`0x${Buffer.from(part, "base64url").toString("hex")}`),
    )
    return { key, publicKey, privateKey, n: modulus!, e: BigInt(publicExponent), d: secret! }
}

function keyOf(publicKey: KeyObject): RsaPublicKey {
    const { n = "", e = "" } = publicKey.export({ format: "jwk" })
    const bytes = (part: string): Uint8Array => new Uint8Array(Buffer.from(part, "base64url"))
    return { modulus: bytes(n), exponent: bytes(e) }
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
    let result = 1n
    for (const bit of exponent.toString(2)) {
        result = (result * result) % modulus
        if (bit === "1") result = (result * base) % modulus
    }
    return result
}

function toBytes(n: bigint, length: number): Uint8Array {
    return fromHex(n.toString(16).padStart(2 * length, "0"))
}

function toInteger(bytes: Uint8Array): bigint {
    return BigInt(`0x${toHex(bytes)}`)
}

/** The largest integer whose cube is not above n. */
function cubeRoot(n: bigint): bigint {
    let [low, high] = [0n, 1n << BigInt(Math.ceil(n.toString(2).length / 3) + 1)]
    while (low < high - 1n) {
        const middle = (low + high) / 2n
        if (middle ** 3n <= n) low = middle
        else high = middle
    }
    return low
}

const usual = pair(65_537, 2048)
/** Long enough for the top third of a cube, which a forger chooses freely, to hold a SHA-512 digest. */
const cubic = pair(3, 3072)
const signature = new Uint8Array(sign("sha512", message, usual.privateKey))

function both({ key, publicKey }: Pair, forged: Uint8Array, of = message): readonly [boolean, boolean] {
    return [verifyRsaSha512(key, of, forged), verify("sha512", of, publicKey, forged)]
}

const no = [false, false] as const

describe("signatures of node:crypto", () => {
    test("verify, and no other message under them, nor another key", () => {
        expect(both(usual, signature)).toEqual([true, true])
        expect(both(usual, signature, utf8("what was signed."))).toEqual(no)
        expect(both(cubic, signature)).toEqual(no)
        expect(both(cubic, new Uint8Array(sign("sha512", message, cubic.privateKey)))).toEqual([true, true])
    })

    test("verify for any message, and not with any one bit changed", () => {
        const bit = fc.integer({ min: 0, max: 8 * bytesOf256 - 1 })
        fc.assert(
            fc.property(fc.uint8Array({ maxLength: 900 }), bit, (some, at) => {
                const signed = new Uint8Array(sign("sha512", some, usual.privateKey))
                expect(both(usual, signed, some)).toEqual([true, true])
                signed[at >> 3]! ^= 1 << (at & 7)
                expect(both(usual, signed, some)).toEqual(no)
            }),
            { numRuns: 50 },
        )
    })

    test.each(["sha256", "sha384", "sha512-256", "sha3-512"])("with %s are none", (hash) => {
        expect(both(usual, new Uint8Array(sign(hash, message, usual.privateKey)))).toEqual(no)
    })

    test("with RSASSA-PSS are none", () => {
        const padding = { key: usual.privateKey, padding: 6 }
        expect(both(usual, new Uint8Array(sign("sha512", message, padding)))).toEqual(no)
    })
})

describe("the integer of a signature", () => {
    test("has the modulus' length", () => {
        expect(both(usual, concatBytes(Uint8Array.of(0), signature))).toEqual(no)
        expect(both(usual, concatBytes(signature, Uint8Array.of(0)))).toEqual(no)
        expect(both(usual, signature.subarray(1))).toEqual(no)
        expect(both(usual, signature.subarray(0, -1))).toEqual(no)
        expect(both(usual, new Uint8Array())).toEqual(no)
    })

    test("is below the modulus", () => {
        // About half of all s + n still fit into the modulus' length.
        const signed = Array.from({ length: 64 }, (_, i) => {
            const some = Uint8Array.of(i)
            return { some, s: toInteger(new Uint8Array(sign("sha512", some, usual.privateKey))) }
        }).find(({ s }) => s + usual.n < 1n << 2048n)
        const { some, s } = signed!
        expect(both(usual, toBytes(s, bytesOf256), some)).toEqual([true, true])
        expect(both(usual, toBytes(s + usual.n, bytesOf256), some)).toEqual(no)
    })

    test.each([
        ["0", 0n],
        ["1", 1n],
        ["n - 1", usual.n - 1n],
        ["n", usual.n],
        ["2^2048 - 1", (1n << 2048n) - 1n],
    ])("%s signs nothing", (_, s) => expect(both(usual, toBytes(s, bytesOf256))).toEqual(no))
})

/** DigestInfo of RFC 8017 §9.2, note 1. */
const digestInfo = concatBytes(fromHex("3051300d060960864801650304020305000440"), digest)

function block(...parts: readonly (Uint8Array | string)[]): Uint8Array {
    return concatBytes(...parts.map((part) => (typeof part === "string" ? fromHex(part) : part)))
}

function padding(tail: Uint8Array, head = 3): Uint8Array {
    return new Uint8Array(bytesOf256 - head - tail.length).fill(0xff)
}

/** A signature whose block is exactly that one, by the owner of the key. */
function signBlock({ n, d }: Pair, encoded: Uint8Array): Uint8Array {
    return toBytes(power(toInteger(encoded), d, n), encoded.length)
}

const withoutNull = concatBytes(fromHex("304f300b06096086480165030402030440"), digest)
const sha256Info = concatBytes(fromHex("3031300d060960864801650304020305000420"), digest.subarray(0, 32))
const wrongOid = concatBytes(fromHex("3051300d060960864801650304020105000440"), digest)
const longLengths = concatBytes(fromHex("308151300d060960864801650304020305000440"), digest)
const parameters = concatBytes(fromHex("3053300f0609608648016503040203050201000440"), digest)

describe("blocks that a lenient parser takes", () => {
    test("the one of the standard is taken", () => {
        const encoded = block("0001", padding(digestInfo), "00", digestInfo)
        expect(both(usual, signBlock(usual, encoded))).toEqual([true, true])
    })

    test.each([
        ["no padding", block("000100", digestInfo, new Uint8Array(bytesOf256 - 3 - digestInfo.length))],
        ["short padding", block("0001ffffffffffffffff00", digestInfo, padding(digestInfo, 11))],
        ["padding that is not ff", block("0001fe", padding(digestInfo).subarray(1), "00", digestInfo)],
        ["padding of zeros", block("0001", padding(digestInfo).fill(0), "00", digestInfo)],
        ["block type 2", block("0002", padding(digestInfo), "00", digestInfo)],
        ["block type 0", block("0000", padding(digestInfo).fill(0), "00", digestInfo)],
        ["no zero before the digest", block("0001", padding(digestInfo), "ff", digestInfo)],
        ["a zero too many", block("0001", padding(digestInfo).subarray(1), "0000", digestInfo)],
        ["something after the digest", block("0001", padding(digestInfo, 4), "00", digestInfo, "00")],
        ["no parameters at all", block("0001", padding(withoutNull), "00", withoutNull)],
        ["the bare digest", block("0001", padding(digest), "00", digest)],
        ["SHA-256's identifier over 32 bytes", block("0001", padding(sha256Info), "00", sha256Info)],
        ["SHA-256's identifier over the digest", block("0001", padding(wrongOid), "00", wrongOid)],
        ["a length in the long form", block("0001", padding(longLengths), "00", longLengths)],
        ["parameters with something in them", block("0001", padding(parameters), "00", parameters)],
    ])("%s", (_, encoded) => {
        expect(encoded).toHaveLength(bytesOf256)
        expect(both(usual, signBlock(usual, encoded))).toEqual(no)
    })

    test("forged without a key: a cube root with the digest high up and anything after it (Bleichenbacher 2006)", () => {
        const head = block("0001ffffffffffffffff00", digestInfo)
        const room = bytesOf384 - head.length
        const most = (toInteger(head) << BigInt(8 * room)) | ((1n << BigInt(8 * room)) - 1n)
        const forged = cubeRoot(most)
        // The forgery is one: the cube begins with all that a careless parser looks at.
        expect(toHex(toBytes(forged ** 3n, bytesOf384)).slice(0, 2 * head.length)).toBe(toHex(head))
        expect(both(cubic, toBytes(forged, bytesOf384))).toEqual(no)
    })

    test("forged without a key: a cube that ends in the digest, its padding unread", () => {
        // The digest is odd for some message; then a cube root modulo a power of two exists.
        const odd = Array.from({ length: 16 }, (_, i) => Uint8Array.of(i)).find(
            (some) => ((sha512(some).at(-1) ?? 0) & 1) === 1,
        )!
        const tail = concatBytes(
            Uint8Array.of(0),
            fromHex("3051300d060960864801650304020305000440"),
            sha512(odd),
        )
        const bits = 8n * BigInt(tail.length)
        let root = 1n
        for (let bit = 1n; bit < bits; bit++)
            if (((root ** 3n - toInteger(tail)) >> bit) & 1n) root += 1n << bit
        expect((root ** 3n - toInteger(tail)) % (1n << bits)).toBe(0n)
        expect(both(cubic, toBytes(root, bytesOf384), odd)).toEqual(no)
    })
})

describe("keys", () => {
    const { modulus, exponent } = usual.key

    test("are told by their length in bits", () => {
        expect(rsaBits(modulus)).toBe(2048)
        expect(rsaBits(Uint8Array.of(1))).toBe(1)
        expect(rsaBits(Uint8Array.of(0x80, 0))).toBe(16)
        expect(rsaBits(new Uint8Array())).toBe(0)
        expect(isRsaPublicKey(usual.key)).toBe(true)
    })

    test.each<[string, RsaPublicKey]>([
        ["no modulus", { modulus: new Uint8Array(), exponent }],
        ["no exponent", { modulus, exponent: new Uint8Array() }],
        ["a leading zero", { modulus: concatBytes(Uint8Array.of(0), modulus), exponent }],
        ["an exponent with a leading zero", { modulus, exponent: concatBytes(Uint8Array.of(0), exponent) }],
        [
            "an even modulus",
            { modulus: modulus.map((byte, at) => (at === 255 ? byte & 0xfe : byte)), exponent },
        ],
        ["an even exponent", { modulus, exponent: Uint8Array.of(1, 0, 0) }],
        ["the exponent 1", { modulus, exponent: Uint8Array.of(1) }],
        ["2047 bits", { modulus: modulus.map((byte, at) => (at === 0 ? byte & 0x7f : byte)), exponent }],
        ["a modulus beyond 16384 bits", { modulus: new Uint8Array(2049).fill(0xff), exponent }],
        ["an exponent of nine bytes", { modulus, exponent: new Uint8Array(9).fill(0xff) }],
    ])("%s is none, and verifies nothing", (_, key) => {
        expect(isRsaPublicKey(key)).toBe(false)
        expect(verifyRsaSha512(key, message, signature)).toBe(false)
    })

    test("have up to 16384 bits, and an exponent of up to eight bytes", () => {
        const longest = { modulus: new Uint8Array(2048).fill(0xff), exponent: new Uint8Array(8).fill(0xff) }
        expect(rsaBits(longest.modulus)).toBe(16_384)
        expect(isRsaPublicKey(longest)).toBe(true)
    })

    test("with the exponent 1 do not make a block its own signature", () => {
        const encoded = block("0001", padding(digestInfo), "00", digestInfo)
        expect(verifyRsaSha512({ modulus, exponent: Uint8Array.of(1) }, message, encoded)).toBe(false)
    })
})

describe("keys of 4096 bits from real certificates", () => {
    const path = new URL("../../../test/vectors/beacon-pulses.json", import.meta.url)
    const { certificates } = JSON.parse(readFileSync(path, "utf8")) as {
        certificates: Record<string, { pem: string; rsa_bits: number }>
    }

    test.each(Object.values(certificates))("$rsa_bits bits", ({ pem, rsa_bits }) => {
        const key = keyOf(new X509Certificate(pem).publicKey)
        expect(isRsaPublicKey(key)).toBe(true)
        expect(rsaBits(key.modulus)).toBe(rsa_bits)
    })
})
