import { concatBytes } from "@tallylight/crypto/bytes.js"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { sampleLedger } from "../sample/scenario.ts"
import { Refusal } from "../wire/refusal.ts"
import { decodeEntry, encodeEntry, entryKinds, maxEntryBytes } from "./entry.ts"
import type { Entry, EntryKind, EntryOf } from "./entry.ts"

const { entries } = sampleLedger()
const encoded = entries.map(encodeEntry)
const genesis = entries[0] as EntryOf<"genesis">
const request = first("request")

function first<K extends EntryKind>(kind: K): Entry & EntryOf<K> {
    return entries.find((entry): entry is Entry & EntryOf<K> => entry.kind === kind)!
}

/** The entry, or the code with which the bytes are refused; whatever else is thrown fails the test. */
function read(bytes: Uint8Array): Entry | string {
    try {
        return decodeEntry(bytes)
    } catch (error) {
        if (error instanceof Refusal) return error.code
        throw error
    }
}

function holdsTheContract(bytes: Uint8Array): void {
    const result = read(bytes)
    if (typeof result === "string") expect(result).toBe("malformed-entry")
    else expect(encodeEntry(result)).toEqual(bytes)
}

describe("every kind of entry", () => {
    test("is in the sample", () => {
        expect(new Set(entries.map(({ kind }) => kind))).toEqual(new Set(entryKinds))
    })

    test.each(entryKinds)("round-trips: %s", (kind) => {
        for (const entry of entries.filter((entry) => entry.kind === kind)) {
            const bytes = encodeEntry(entry)
            expect(decodeEntry(bytes)).toEqual(entry)
            expect(encodeEntry(decodeEntry(bytes))).toEqual(bytes)
        }
    })

    test.each(entryKinds)("is refused when cut short anywhere, or with a byte too many: %s", (kind) => {
        const whole = encodeEntry(first(kind))
        expect(read(whole)).toEqual(first(kind))
        for (let length = 0; length < whole.length; length++)
            expect(read(whole.subarray(0, length)), `${length} bytes`).toBe("malformed-entry")
        expect(read(concatBytes(whole, Uint8Array.of(0)))).toBe("malformed-entry")
    })

    test.each(entryKinds)("begins with the byte of its place in the table, then its time: %s", (kind) => {
        const entry = first(kind)
        const bytes = encodeEntry(entry)
        expect(bytes[0]).toBe(entryKinds.indexOf(kind))
        expect(Buffer.from(bytes).readBigUInt64BE(1)).toBe(BigInt(entry.time))
    })
})

describe("bytes that are no entry", () => {
    test("are refused with malformed-entry whatever they are, and nothing decodes that encodes otherwise", () => {
        fc.assert(
            fc.property(
                fc.uint8Array({ maxLength: 300 }),
                fc.integer({ min: 0, max: entryKinds.length }),
                (bytes, kind) => {
                    holdsTheContract(bytes)
                    holdsTheContract(concatBytes(Uint8Array.of(kind), bytes))
                },
            ),
            { numRuns: 1000 },
        )
    })

    test("made from valid entries by changing, cutting, doubling and joining", () => {
        const piece = fc.tuple(fc.nat(400), fc.nat(400), fc.uint8Array({ maxLength: 4 }))
        fc.assert(
            fc.property(fc.constantFrom(...encoded), fc.array(piece, { maxLength: 3 }), (valid, edits) => {
                const bytes = edits.reduce((bytes, [from, length, put]) => {
                    const at = from % (bytes.length + 1)
                    return concatBytes(bytes.subarray(0, at), put, bytes.subarray(at + (length % 5)))
                }, valid)
                holdsTheContract(bytes)
            }),
            { numRuns: 3000 },
        )
    })

    test("one bit changed is another entry or none, never the same one", () => {
        fc.assert(
            fc.property(fc.constantFrom(...encoded), fc.nat(), fc.nat(7), (valid, position, bit) => {
                const at = position % valid.length
                const changed = valid.with(at, (valid[at] ?? 0) ^ (1 << bit))
                holdsTheContract(changed)
                const result = read(changed)
                if (typeof result !== "string") expect(result).not.toEqual(decodeEntry(valid))
            }),
            { numRuns: 3000 },
        )
    })

    test("of a kind that there is not, or of none", () => {
        expect(read(encoded[1]!)).toEqual(entries[1])
        for (const kind of [entryKinds.length, entryKinds.length + 1, 0x80, 0xff])
            expect(read(encoded[1]!.with(0, kind))).toBe("malformed-entry")
        expect(read(new Uint8Array())).toBe("malformed-entry")
    })

    test("with a time that no number holds exactly", () => {
        const bytes = encodeEntry({ ...request, time: 2 ** 53 - 1 })
        expect(read(bytes)).toMatchObject({ time: 2 ** 53 - 1 })
        expect(read(bytes.with(2, 32))).toBe("malformed-entry")
    })

    test("with a statement above its limit", () => {
        const contribution = first("contribution")
        const statement = new Uint8Array(4096)
        const largest = encodeEntry({ ...contribution, statement })
        expect(read(largest)).toEqual({ ...contribution, statement })
        expect(() => encodeEntry({ ...contribution, statement: new Uint8Array(4097) })).toThrow(RangeError)
        const at = largest.length - 64 - 4096 - 2
        const longer = concatBytes(
            largest.subarray(0, at),
            Uint8Array.of(0x10, 0x01),
            new Uint8Array(4097),
            largest.subarray(-64),
        )
        expect(read(longer)).toBe("malformed-entry")
    })

    test("with an unknown reason, an admission that is no flag, a name of the wrong form", () => {
        const ended = encodeEntry(first("void"))
        const at = 1 + 8 + 8
        expect(read(ended.with(at, 4))).toMatchObject({ reason: "wrong-share" })
        expect(read(ended.with(at, 5))).toBe("malformed-entry")
        const admission = encodeEntry(first("admission"))
        expect(read(admission.with(1 + 8 + 32, 0))).toMatchObject({ admitted: false })
        expect(read(admission.with(1 + 8 + 32, 2))).toBe("malformed-entry")
        const named = encodeEntry(genesis)
        const name = 1 + 8 + 2 + 2
        expect(read(named.with(name, 0x53))).toMatchObject({ name: "Sample" })
        for (const byte of [0x20, 0x0a, 0x00, 0xff])
            expect(read(named.with(name, byte))).toBe("malformed-entry")
    })
})

describe("an entry that does not fit", () => {
    test("is not encoded", () => {
        expect(() => encodeEntry({ ...request, time: 2 ** 53 })).toThrow(RangeError)
        expect(() => encodeEntry({ ...request, nonce: new Uint8Array(31) })).toThrow(RangeError)
        expect(() => encodeEntry({ ...genesis, name: "two\nlines" })).toThrow(RangeError)
        expect(() => encodeEntry({ ...genesis, origin: "a+b" })).toThrow(RangeError)
    })

    test("the largest committee and the largest beacon do", () => {
        const registration = first("requester-registration")
        const member = registration.members[0]!
        const share = first("share").share
        const fill = <T>(item: T): T[] => new Array<T>(256).fill(item)
        const committee = { ...registration, commitments: fill(member.A), members: fill(member) }
        const beacon = { ...first("beacon"), shares: fill(share) }
        for (const entry of [committee, beacon]) {
            const bytes = encodeEntry(entry)
            expect(bytes.length).toBeLessThanOrEqual(maxEntryBytes)
            expect(decodeEntry(bytes)).toEqual(entry)
        }
        expect(() => encodeEntry({ ...beacon, shares: [...fill(share), share] })).toThrow(RangeError)
    })
})
