import fc from "fast-check"
import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { concatBytes, fromBase64, fromHex, toBase64, toHex, uint64, utf8 } from "./bytes.ts"
import { ed25519PublicKey, ed25519Sign } from "./ed25519.ts"
import {
    addCosignature,
    cosignatureKey,
    formatNote,
    formatVerifierKey,
    keyId,
    noteKey,
    openNote,
    parseNote,
    parseVerifierKey,
    signNote,
    type VerifierKey,
} from "./note.ts"

type Vectors = {
    readonly notes: readonly {
        readonly id: string
        readonly vkeys: readonly string[]
        readonly note: string
        readonly valid: boolean
        readonly skey?: string
    }[]
    readonly bad_vkeys: readonly string[]
}
const vectors = JSON.parse(
    readFileSync(new URL("../../../test/vectors/signed-notes.json", import.meta.url), "utf8"),
) as Vectors

function verifiers(vkeys: readonly string[]): VerifierKey[] {
    return vkeys.map((vkey) => parseVerifierKey(vkey)!)
}

function vector(id: string) {
    return vectors.notes.find((note) => note.id === id)!
}

describe("signed notes", () => {
    test.each(vectors.notes)("$id", ({ vkeys, note, valid }) => {
        const opened = openNote(note, verifiers(vkeys))
        expect(opened?.text).toBe(valid ? note.slice(0, note.lastIndexOf("\n\n") + 1) : undefined)
        expect(openNote(utf8(note), verifiers(vkeys))).toEqual(opened)
        if (opened !== undefined) expect(formatNote(parseNote(note)!)).toBe(note)
    })

    // Its last character is changed to one with stray bits, so that it is malformed as well as wrong.
    test("sigsum-3-badsig is refused for its signature too", () => {
        const { note, vkeys } = vector("sigsum-3-badsig")
        const ending = (last: string) => note.replace(/x=\n$/, `${last}=\n`)
        expect(parseNote(note)).toBeUndefined()
        expect(parseNote(ending("w"))).toBeDefined()
        expect(openNote(ending("w"), verifiers(vkeys))).toBeUndefined()
        expect(openNote(ending("o"), verifiers(vkeys))).toBeDefined()
    })

    test.each(vectors.notes.flatMap(({ vkeys }) => vkeys))("key %s round-trips", (vkey) => {
        expect(formatVerifierKey(parseVerifierKey(vkey)!)).toBe(vkey)
    })

    test.each(vectors.bad_vkeys)("key %s is refused", (vkey) => {
        expect(parseVerifierKey(vkey)).toBeUndefined()
    })

    test("signing anew gives the published signature", () => {
        const { note, vkeys, skey } = vector("xmod-peterneumann")
        const seed = fromBase64(skey!.split("+").slice(4).join("+"))!.slice(1)
        expect(signNote(parseNote(note)!.text, { name: "PeterNeumann", seed })).toBe(note)
        expect(verifiers(vkeys)[0]!.publicKey).toEqual(ed25519PublicKey(seed))
    })

    test("a witness's cosignature carries its time", () => {
        const { note, vkeys } = vector("constructed-tampered-size")
        const [log, witness] = verifiers(vkeys)
        const untampered = note.replace("\n9\n", "\n8\n")
        expect(openNote(untampered, [log!, witness!])?.verified).toEqual([
            { name: "beacon.example/ledger", key: log },
            { name: "witness.example/w1", key: witness, time: 1_700_000_000 },
        ])
        expect(openNote(untampered, [witness!])?.verified).toHaveLength(1)
        expect(openNote(note, [log!])).toBeUndefined()
        expect(openNote(note, [witness!])).toBeUndefined()
    })
})

const seed = fromHex("01".repeat(32))
const otherSeed = fromHex("02".repeat(32))
const text = "example\n\nwith an empty line\n"
const log: VerifierKey = { name: "log.example", type: noteKey, publicKey: ed25519PublicKey(seed) }
const witness: VerifierKey = {
    name: "witness.example",
    type: cosignatureKey,
    publicKey: ed25519PublicKey(otherSeed),
}
const signed = signNote(text, { name: log.name, seed })
const cosigned = addCosignature(signed, { name: witness.name, seed: otherSeed, time: 1_800_000_000 })

function withSignature(key: VerifierKey, signature: Uint8Array): string {
    const { signatures } = parseNote(signed)!
    return formatNote({ text, signatures: [...signatures, { name: key.name, keyId: keyId(key), signature }] })
}

describe("opening", () => {
    test("takes the signatures it knows", () => {
        expect(openNote(cosigned, [log, witness])).toEqual({
            text,
            verified: [
                { name: log.name, key: log },
                { name: witness.name, key: witness, time: 1_800_000_000 },
            ],
        })
        expect(openNote(cosigned, [log])?.verified).toEqual([{ name: log.name, key: log }])
        expect(openNote(cosigned, [])).toBeUndefined()
    })

    test("ignores a key of the same name or of the same id, but not both", () => {
        const sameName = { ...log, publicKey: ed25519PublicKey(otherSeed) }
        expect(openNote(signed, [sameName])).toBeUndefined()
        expect(openNote(signed, [sameName, log])?.verified).toEqual([{ name: log.name, key: log }])
        const [line] = parseNote(signed)!.signatures
        const renamed = { ...line!, name: "other.example", signature: new Uint8Array(64) }
        const sameId = formatNote({ text, signatures: [renamed, line!] })
        expect(openNote(sameId, [log])?.verified).toHaveLength(1)
    })

    test("ignores a key registered as another type", () => {
        expect(openNote(cosigned, [{ ...log, type: cosignatureKey }])).toBeUndefined()
        expect(openNote(cosigned, [{ ...witness, type: noteKey }])).toBeUndefined()
    })

    test("counts a key once, however often it signed", () => {
        const again = addCosignature(cosigned, { name: witness.name, seed: otherSeed, time: 1_800_000_001 })
        expect(parseNote(again)?.signatures).toHaveLength(3)
        expect(openNote(again, [witness])?.verified).toEqual([
            { name: witness.name, key: witness, time: 1_800_000_000 },
        ])
    })

    test("refuses the whole note for one bad signature of a known key", () => {
        const message = utf8(`cosignature/v1\ntime 5\n${text}`)
        const signature = ed25519Sign(otherSeed, message)
        const open = (bytes: Uint8Array) => openNote(withSignature(witness, bytes), [log, witness])
        expect(open(concatBytes(uint64(5), signature))?.verified).toHaveLength(2)
        expect(open(concatBytes(uint64(6), signature))).toBeUndefined()
        expect(open(concatBytes(uint64(5), signature, uint64(0)))).toBeUndefined()
        expect(open(concatBytes(uint64(5), signature.slice(0, 63)))).toBeUndefined()
        expect(open(signature)).toBeUndefined()
        expect(open(Uint8Array.of(5))).toBeUndefined()
        expect(open(concatBytes(uint64(5), ed25519Sign(otherSeed, utf8(text))))).toBeUndefined()
        expect(open(concatBytes(fromHex("ff".repeat(8)), signature))).toBeUndefined()
        const untimed = ed25519Sign(otherSeed, utf8(`cosignature/v1\ntime undefined\n${text}`))
        expect(open(concatBytes(fromHex("ff".repeat(8)), untimed))).toBeUndefined()
    })

    test("refuses a note with any character of its text or signature changed", () => {
        for (let i = 0; i < signed.indexOf("—"); i++) {
            const changed = signed.slice(0, i) + (signed[i] === "x" ? "y" : "x") + signed.slice(i + 1)
            expect(openNote(changed, [log])).toBeUndefined()
        }
        const line = parseNote(signed)!.signatures[0]!
        for (let bit = 0; bit < 512; bit += 37) {
            const signature = line.signature.map((byte, i) =>
                i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte,
            )
            expect(
                openNote(formatNote({ text, signatures: [{ ...line, signature }] }), [log]),
            ).toBeUndefined()
        }
    })
})

describe("the format", () => {
    const line = signed.slice(signed.indexOf("—"))
    const base64 = line.split(" ")[2]!.trim()

    test("takes the last empty line for the separator", () => {
        expect(parseNote(signed)?.text).toBe(text)
        expect(parseNote(`\n\n${line}`)?.text).toBe("\n")
        expect(parseNote(`\n${line}`)).toBeUndefined()
    })

    test("takes at least sixteen signatures, and not without limit", () => {
        const note = (count: number) => `text\n\n${line.repeat(count)}`
        expect(parseNote(note(16))?.signatures).toHaveLength(16)
        expect(parseNote(note(200))?.signatures).toHaveLength(200)
        expect(parseNote(note(201))).toBeUndefined()
        const longest = 1_000_000 - utf8(`\n\n${line}`).length
        expect(formatNote(parseNote(note(200))!)).toBe(note(200))
        const largest = `${"x".repeat(longest)}\n\n${line}`
        expect(formatNote(parseNote(largest)!)).toBe(largest)
        for (const long of ["x".repeat(longest + 1), "é".repeat(longest / 2 + 1)]) {
            expect(parseNote(`${long}\n\n${line}`)).toBeUndefined()
            expect(parseNote(utf8(`${long}\n\n${line}`))).toBeUndefined()
            expect(() => signNote(`${long}\n`, { name: log.name, seed })).toThrow()
        }
        expect(
            openNote(`text\n\n${line.repeat(15)}${signNote("text\n", { name: "a", seed }).slice(6)}`, [
                { ...log, name: "a" },
            ])?.verified,
        ).toHaveLength(1)
    })

    test.each([
        ["", ""],
        ["text without signatures", "text\n\n"],
        ["no empty line", `text\n${line}`],
        ["a last line without its end", signed.slice(0, -1)],
        ["an empty last line", `${signed}\n`],
        ["a line after the signatures", `${signed}text\n`],
        ["a hyphen for the dash", signed.replace("—", "-")],
        ["two spaces", signed.replace("— ", "—  ")],
        ["a space at the end", `${signed.slice(0, -1)} \n`],
        ["a carriage return", signed.replace("\n", "\r\n")],
        ["a tab", signed.replace("example", "exam\tple")],
        ["a zero", signed.replace("example", "exam\0ple")],
        ["a lone surrogate", signed.replace("example", "exam\udc00ple")],
        ["no name", `text\n\n—  ${base64}\n`],
        ["a plus in the name", `text\n\n— a+b ${base64}\n`],
        ["a no-break space in the name", `text\n\n— a\u00a0b ${base64}\n`],
        ["a next-line character in the name", `text\n\n— a\u0085b ${base64}\n`],
        ["no signature", "text\n\n— a\n"],
        ["a signature of nothing but a key id", `text\n\n— a ${toBase64(new Uint8Array(4))}\n`],
        ["base64 without padding", `text\n\n— a ${toBase64(new Uint8Array(69)).replaceAll("=", "")}A\n`],
        ["base64 with stray bits", "text\n\n— a AAAAAAB=\n"],
    ])("refuses %s", (_, note) => {
        expect(parseNote(note)).toBeUndefined()
    })

    test("refuses bytes that are not UTF-8", () => {
        const bytes = utf8(signed)
        expect(parseNote(bytes)?.text).toBe(text)
        expect(parseNote(concatBytes(fromHex("ff"), bytes))).toBeUndefined()
    })

    test("of whatever can be written is read back", () => {
        const signature = fc.record({
            name: fc
                .string({ unit: "grapheme", minLength: 1 })
                .filter((s) => !/[\p{White_Space}\p{Cc}+]/u.test(s)),
            keyId: fc.uint8Array({ minLength: 4, maxLength: 4 }),
            signature: fc.uint8Array({ minLength: 1 }),
        })
        const lines = fc.array(fc.string({ unit: fc.constantFrom("a", "—", " ", "\n", "\u{1F600}", "+") }))
        const signatures = fc.array(signature, { minLength: 1, maxLength: 20 })
        fc.assert(
            fc.property(lines, signatures, (some, signatures) => {
                const note = { text: `${some.join("\n")}\n`, signatures }
                expect(parseNote(formatNote(note))).toEqual(note)
            }),
        )
    })

    test("refuses to write what it would not read", () => {
        const [good] = parseNote(signed)!.signatures
        expect(() => formatNote({ text: "text", signatures: [good!] })).toThrow()
        expect(() => formatNote({ text: "te\rxt\n", signatures: [good!] })).toThrow()
        expect(() => formatNote({ text, signatures: [] })).toThrow()
        expect(() => formatNote({ text, signatures: new Array(201).fill(good!) })).toThrow()
        for (const name of ["", "a b", "a+b", "a\nb", "a\u2003b"]) {
            expect(() => formatNote({ text, signatures: [{ ...good!, name }] })).toThrow()
            expect(() => signNote(text, { name, seed })).toThrow()
        }
        expect(() => formatNote({ text, signatures: [{ ...good!, keyId: new Uint8Array(3) }] })).toThrow()
        expect(() => formatNote({ text, signatures: [{ ...good!, signature: new Uint8Array() }] })).toThrow()
        expect(() => addCosignature("text\n", { name: "a", seed, time: 1 })).toThrow("malformed note")
        expect(() => addCosignature(signed, { name: "a", seed, time: 0.5 })).toThrow(RangeError)
    })
})

describe("verifier keys", () => {
    const vkey = formatVerifierKey(log)
    const [name, id, ...encoded] = vkey.split("+")
    const tail = encoded.join("+")

    test("have one spelling", () => {
        expect(parseVerifierKey(vkey)).toEqual(log)
        expect(parseVerifierKey(formatVerifierKey(witness))).toEqual(witness)
        expect(id).toMatch(/[a-f]/)
        for (const bad of [
            `${name}+${id!.toUpperCase()}+${tail}`,
            `${name}+00000000+${tail}`,
            `${name}+${id!.slice(1)}+${tail}`,
            `${name}+${tail}`,
            `+${id}+${tail}`,
            `other+${id}+${tail}`,
            `${name}+${id}+${tail}\n`,
            ` ${vkey}`,
            "",
        ]) {
            expect(parseVerifierKey(bad)).toBeUndefined()
        }
    })

    test("are not named like what no line could name", () => {
        for (const name of ["", "a b", "a\nb", "a\u2003b"])
            expect(parseVerifierKey(formatVerifierKey({ ...log, name }))).toBeUndefined()
    })

    test("differ by type, so that a log's key does not cosign", () => {
        expect(toHex(keyId(log))).not.toBe(toHex(keyId({ ...log, type: cosignatureKey })))
    })

    test.each([
        ["of small order", "01".padEnd(64, "0")],
        ["not on the curve", "02".padEnd(64, "0")],
        ["not canonical", `ee${"ff".repeat(30)}7f`],
        ["short", "01".repeat(31)],
    ])("%s are refused", (_, hex) => {
        const key: VerifierKey = { name: "a", type: noteKey, publicKey: fromHex(hex) }
        expect(parseVerifierKey(formatVerifierKey(key))).toBeUndefined()
    })
})
