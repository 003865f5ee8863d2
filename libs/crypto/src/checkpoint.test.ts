import fc from "fast-check"
import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { fromBase64, fromHex, toBase64 } from "./bytes.ts"
import { formatCheckpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from "./checkpoint.ts"
import { ed25519PublicKey } from "./ed25519.ts"
import { verifyConsistency } from "./merkle-proof.ts"
import { emptyRoot, leafHash } from "./merkle.ts"
import { addCosignature, parseNote, parseVerifierKey, signNote } from "./note.ts"

type Vectors = {
    readonly notes: readonly {
        readonly id: string
        readonly vkeys: readonly string[]
        readonly note: string
        readonly valid: boolean
    }[]
    readonly witness_requests: readonly {
        readonly old: number
        readonly new: number
        readonly proof?: readonly string[]
        readonly expect: number
    }[]
}
const vectors = JSON.parse(
    readFileSync(new URL("../../../test/vectors/signed-notes.json", import.meta.url), "utf8"),
) as Vectors

function vector(id: string) {
    const found = vectors.notes.find((note) => note.id === id)!
    return { note: found.note, keys: found.vkeys.map((vkey) => parseVerifierKey(vkey)!) }
}

const seed = fromHex("03".repeat(32))
const publicKey = ed25519PublicKey(seed)
const checkpoint = { origin: "beacon.example/ledger", size: 8, root: leafHash(fromHex("00")) }
const text = formatCheckpoint(checkpoint)

describe("published checkpoints", () => {
    const sigsum = ["sigsum-1", "sigsum-3-badsig", "sigsum-5"].map((id) => {
        const { note } = vector(id)
        return parseCheckpoint(note.slice(0, note.indexOf("\n\n") + 1))!
    })

    test("open with the log's key", () => {
        const { note, keys } = vector("sigsum-5")
        const { name: origin, publicKey } = keys[0]!
        expect(openCheckpoint(note, { origin, publicKey })).toEqual({
            origin,
            size: 5,
            root: fromBase64("QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY="),
        })
        const bad = vector("sigsum-3-badsig").note
        expect(openCheckpoint(bad, { origin, publicKey })).toBeUndefined()
    })

    test("parse though the log's key is not named like its origin, but do not open", () => {
        const { note, keys } = vector("sumdb-1514086")
        const parsed = parseCheckpoint(parseNote(note)!.text)
        expect(parsed?.origin).toBe("go.sum database tree")
        expect(parsed?.size).toBe(1_514_086)
        const { publicKey } = keys[0]!
        for (const origin of ["go.sum database tree", "sum.golang.org"]) {
            expect(openCheckpoint(note, { origin, publicKey })).toBeUndefined()
        }
    })

    test.each(vectors.witness_requests.filter(({ proof }) => proof !== undefined))(
        "from $old to $new a witness answers $expect",
        (request) => {
            const [from, to] = [request.old, request.new].map((n) => sigsum.find(({ size }) => size === n)!)
            const claim = {
                from: from!.size,
                to: to!.size,
                fromRoot: from!.root,
                toRoot: to!.root,
                proof: request.proof!.map((hash) => fromBase64(hash)!),
            }
            expect(verifyConsistency(claim)).toBe(request.expect === 200)
        },
    )
})

describe("the text", () => {
    test("is three lines", () => {
        expect(text).toBe(`beacon.example/ledger\n8\n${toBase64(checkpoint.root)}\n`)
        expect(formatCheckpoint({ origin: "a", size: 0, root: emptyRoot })).toBe(
            "a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        )
    })

    test("is read back for any size and root", () => {
        const any = fc.record({
            origin: fc.string({ unit: "grapheme", minLength: 1 }),
            size: fc.maxSafeNat(),
            root: fc.uint8Array({ minLength: 32, maxLength: 32 }),
        })
        fc.assert(
            fc.property(any, (c) => {
                expect(parseCheckpoint(formatCheckpoint(c))).toEqual(c)
            }),
        )
    })

    test("may have extension lines, none of them empty", () => {
        expect(parseCheckpoint(`${text}extension\nand another\n`)).toEqual(checkpoint)
        expect(parseCheckpoint(`${text}\n`)).toBeUndefined()
        expect(parseCheckpoint(`${text}extension\n\n`)).toBeUndefined()
        expect(parseCheckpoint(`${text}\nextension\n`)).toBeUndefined()
    })

    const root = toBase64(checkpoint.root)
    test.each([
        ["nothing", ""],
        ["an empty line", "\n"],
        ["two lines", "a\n8\n"],
        ["an empty origin", `\n8\n${root}\n`],
        ["no size", `a\n\n${root}\n`],
        ["a leading zero", `a\n08\n${root}\n`],
        ["two zeros", `a\n00\n${root}\n`],
        ["a sign", `a\n+8\n${root}\n`],
        ["a negative size", `a\n-8\n${root}\n`],
        ["a hexadecimal size", `a\n0x8\n${root}\n`],
        ["an exponent", `a\n8e1\n${root}\n`],
        ["a fraction", `a\n8.0\n${root}\n`],
        ["a space before the size", `a\n 8\n${root}\n`],
        ["another alphabet's digit", `a\n٨\n${root}\n`],
        ["a size of 2^53", `a\n9007199254740992\n${root}\n`],
        ["a root of 31 bytes", `a\n8\n${toBase64(new Uint8Array(31))}\n`],
        ["a root of 33 bytes", `a\n8\n${toBase64(new Uint8Array(33))}\n`],
        ["a root without padding", `a\n8\n${root.slice(0, -1)}\n`],
        ["a root with stray bits", `a\n8\n${"A".repeat(42)}B=\n`],
        ["a root in hex", `a\n8\n${"00".repeat(32)}\n`],
        ["no last newline", `a\n8\n${root}`],
        ["carriage returns", `a\r\n8\r\n${root}\r\n`],
    ])("with %s is refused", (_, bad) => {
        expect(parseCheckpoint(bad)).toBeUndefined()
    })

    test("is not made of what would not be read back", () => {
        for (const origin of ["", "a\nb", text.slice(0, -1), "a\rb", "\udc00"]) {
            expect(() => formatCheckpoint({ ...checkpoint, origin })).toThrow("no well-formed checkpoint")
        }
        for (const size of [-1, 0.5, NaN, Infinity, 2 ** 53, 1e21]) {
            expect(() => formatCheckpoint({ ...checkpoint, size })).toThrow("no well-formed checkpoint")
        }
        expect(() => formatCheckpoint({ ...checkpoint, root: new Uint8Array(31) })).toThrow()
    })
})

describe("a signed checkpoint", () => {
    const note = signCheckpoint(checkpoint, seed)
    const log = { origin: checkpoint.origin, publicKey }
    const witness = { name: "witness.example/w1", seed: fromHex("04".repeat(32)), time: 1_800_000_000 }

    test("is a note that the log signs under its origin", () => {
        expect(signCheckpoint(checkpoint, seed)).toBe(signNote(text, { name: checkpoint.origin, seed }))
    })

    test("opens, cosigned or not", () => {
        expect(openCheckpoint(note, log)).toEqual(checkpoint)
        expect(openCheckpoint(addCosignature(note, witness), log)).toEqual(checkpoint)
    })

    test("does not open without the log's own good signature", () => {
        const other = { ...log, publicKey: ed25519PublicKey(witness.seed) }
        expect(openCheckpoint(note, other)).toBeUndefined()
        expect(openCheckpoint(note.replace("\n8\n", "\n9\n"), log)).toBeUndefined()
        expect(openCheckpoint(signNote(text, witness), log)).toBeUndefined()
        const asWitness = addCosignature(signNote(text, witness), { ...witness, name: log.origin, seed })
        expect(openCheckpoint(asWitness, log)).toBeUndefined()
    })

    test("does not open for another origin, whatever the key's name", () => {
        const name = checkpoint.origin
        const foreign = signNote(formatCheckpoint({ ...checkpoint, origin: "other.example" }), { name, seed })
        expect(openCheckpoint(foreign, log)).toBeUndefined()
        expect(openCheckpoint(note, { ...log, origin: "other.example" })).toBeUndefined()
    })

    test("does not open if what the log signed is no checkpoint", () => {
        expect(openCheckpoint(signNote("hello\n", { name: log.origin, seed }), log)).toBeUndefined()
    })

    test("needs an origin that can name a key", () => {
        expect(() => signCheckpoint({ ...checkpoint, origin: "go.sum database tree" }, seed)).toThrow()
    })
})
