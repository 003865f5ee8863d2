/** Encodings of group elements that no message and no entry may carry, for curve25519 and for ristretto255. */
import { readFileSync } from "node:fs"
import { fromHex } from "@tallylight/crypto/bytes.js"
import { decodeEdwards, Edwards } from "@tallylight/crypto/edwards25519.js"
import { ed25519PublicKey } from "@tallylight/crypto/ed25519.js"
import { systemRandom } from "@tallylight/node/system-random.js"

const { vectors } = JSON.parse(
    readFileSync(new URL("../vectors/ristretto255.json", import.meta.url), "utf8"),
) as { readonly vectors: readonly { readonly kind: string; readonly encoding: string }[] }

const rest = "ff".repeat(30)

/** The eight points of small order, in every encoding that some library takes for one of them. */
export const smallOrder: readonly Uint8Array[] = [
    ...[`01${"00".repeat(31)}`, `01${"00".repeat(30)}80`, `ec${rest}7f`, `ec${rest}ff`],
    ...["00".repeat(32), `${"00".repeat(31)}80`],
    ...[0x05, 0x85].map((top) => `26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc${hex(top)}`),
    ...[0x7a, 0xfa].map((top) => `c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03${hex(top)}`),
].map(fromHex)

/** y = p + n for small n: the same points once more, under other bytes. */
export const nonCanonical: readonly Uint8Array[] = Array.from({ length: 19 }, (_, n) =>
    ["7f", "ff"].map((top) => fromHex(`${hex(0xed + n)}${rest}${top}`)),
).flat()

/** A key of full order whose owner added a point of order 8. */
export function withTorsion(): Uint8Array {
    const torsion = decodeEdwards(smallOrder[6] ?? new Uint8Array())
    if (torsion === undefined) throw new Error("a point of small order is a point")
    return Edwards.fromBytes(ed25519PublicKey(systemRandom(32)))
        .add(torsion)
        .toBytes()
}

/** Not the encoding of an element of ristretto255, or of none but the identity. */
export const badElements: readonly Uint8Array[] = [
    new Uint8Array(32),
    ...vectors.filter(({ kind }) => kind === "must_reject").map(({ encoding }) => fromHex(encoding)),
]

/** At least q, in 32 bytes. */
export const badScalars: readonly Uint8Array[] = [
    fromHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"),
    new Uint8Array(32).fill(0xff),
]

function hex(byte: number): string {
    return byte.toString(16).padStart(2, "0")
}
