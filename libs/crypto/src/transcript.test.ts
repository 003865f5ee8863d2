import fc from "fast-check"
import { expect, test } from "vitest"
import { toHex, utf8 } from "./bytes.ts"
import { transcript } from "./transcript.ts"

test("writes the length of the tag and of every part, in four bytes", () => {
    expect(toHex(transcript("ab", Uint8Array.of(1, 2, 3), new Uint8Array()))).toBe(
        "00000002" + "6162" + "00000003" + "010203" + "00000000",
    )
    expect(toHex(transcript("a", new Uint8Array(258))).slice(10, 18)).toBe("00000102")
})

test("has one reading: other tags, other parts or another split give other bytes", () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 4 })
    const list = fc.tuple(fc.constantFrom("a", "ab", "b"), parts)
    fc.assert(
        fc.property(list, list, ([tag, mine], [otherTag, other]) => {
            const same = tag === otherTag && mine.map(toHex).join() === other.map(toHex).join()
            const sameCount = mine.length === other.length
            expect(toHex(transcript(tag, ...mine)) === toHex(transcript(otherTag, ...other))).toBe(
                same && sameCount,
            )
        }),
    )
    expect(transcript("tag", utf8("ab"), utf8("c"))).not.toEqual(transcript("tag", utf8("a"), utf8("bc")))
    expect(transcript("tag", utf8("ab"))).not.toEqual(transcript("tag", utf8("ab"), utf8("")))
})

test("takes printable ASCII for a tag, and nothing else", () => {
    expect(transcript(" ~")).toHaveLength(6)
    for (const tag of ["", "é", "étag", "\ntag", "tag\n", "ta\u0000g", "\u007f", "ｔ"]) {
        expect(() => transcript(tag)).toThrow(RangeError)
    }
})
