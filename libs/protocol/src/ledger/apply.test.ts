import { equalBytes } from "@tallylight/crypto/bytes.js"
import { rangeRoot } from "@tallylight/crypto/merkle.js"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { dueEntry } from "../round/schedule.ts"
import { sampleLedger } from "../sample/scenario.ts"
import { entryRules, ruleBroken } from "../verify/rules.ts"
import { Refusal } from "../wire/refusal.ts"
import type { RefusalCode } from "../wire/refusal.ts"
import { apply, begin } from "./apply.ts"
import { decodeEntry, encodeEntry } from "./entry.ts"
import type { Entry, EntryKind } from "./entry.ts"
import type { ChainState } from "./state.ts"
import { verifyEntry } from "./verify.ts"

const sample = sampleLedger()
const { entries, states } = sample
const state = (index: number): ChainState => states[index]!

function refuseChanges(): never {
    throw new TypeError("a state was changed in place")
}

/** Freezes everything in a state that can be; maps and sets then refuse to be changed. Bytes are compared instead. */
function freeze(value: unknown): void {
    if (typeof value !== "object" || value === null || value instanceof Uint8Array || Object.isFrozen(value))
        return
    if (value instanceof Map || value instanceof Set) {
        for (const item of value.values()) freeze(item)
        Object.assign(value, {
            set: refuseChanges,
            add: refuseChanges,
            delete: refuseChanges,
            clear: refuseChanges,
        })
    }
    Object.freeze(value)
    for (const field of Object.values(value)) freeze(field)
}

/** Applied and proved, or the code of the refusal; any other error fails the test. */
function accept(before: ChainState, entry: Entry): ChainState | RefusalCode {
    try {
        const after = apply(before, entry)
        verifyEntry(before, entry)
        return after
    } catch (error) {
        if (error instanceof Refusal) return error.code
        throw error
    }
}

describe("the fold", () => {
    test("gives the same states from the encoded entries, after every one of them", () => {
        let replayed: ChainState | undefined
        entries.forEach((entry, index) => {
            const decoded = decodeEntry(encodeEntry(entry))
            replayed = replayed === undefined ? begin(decoded) : apply(replayed, decoded)
            expect(replayed, `after entry ${index}`).toEqual(state(index))
            expect(rangeRoot(replayed.range)).toEqual(rangeRoot(state(index).range))
        })
    })

    test("changes no state that it is given, whether it takes the entry or refuses it", () => {
        const own = sampleLedger()
        const before = structuredClone(own.states)
        for (const frozen of own.states) freeze(frozen)
        own.entries.slice(1).forEach((entry, index) => {
            expect(typeof accept(own.states[index]!, entry)).toBe("object")
            const before = own.states[index]!
            expect(accept(before, { ...own.state.genesis, time: before.time })).toBe("bad-genesis")
            for (const other of own.entries.slice(index % 5, (index % 5) + 30))
                accept(before, { ...other, time: before.time })
        })
        // Bytes cannot be frozen, but compared.
        expect(structuredClone(own.states)).toEqual(before)
    })

    test("takes entries whose time stands still, and none whose time goes back", () => {
        entries.slice(1, 12).forEach((entry, at) => {
            const before = state(at)
            expect(typeof accept(before, { ...entry, time: before.time })).toBe("object")
            expect(accept(before, { ...entry, time: before.time - 1 })).toBe("time-backwards")
        })
    })
})

describe("an entry out of its place", () => {
    /** Refused with a code of a rule about its kind, or taken; and then the ledger goes on. */
    function judge(before: ChainState, entry: Entry): boolean {
        const result = accept(before, entry)
        if (typeof result !== "string") {
            expect(result.range.size).toBe(before.range.size + 1)
            return true
        }
        const rule = entryRules[ruleBroken(entry.kind, result)]
        const [kinds, codes]: [readonly EntryKind[], readonly RefusalCode[]] = [rule.kinds, rule.codes]
        // A second genesis aside, every refusal belongs to a rule about that kind of entry.
        expect([kinds.includes(entry.kind), codes.includes(result)], `${entry.kind}: ${result}`).toEqual([
            true,
            true,
        ])
        return false
    }

    test("is refused with a code, each in every place, and never with another error", () => {
        let taken = 0
        states.forEach((before, index) => {
            for (const entry of entries) {
                const moved = { ...entry, time: Math.max(entry.time, before.time) }
                if (entry !== entries[index + 1] && judge(before, moved)) taken += 1
            }
        })
        // Registrations and requests that may as well have come earlier, or the other way round.
        expect(taken).toBeGreaterThan(0)
        expect(taken).toBeLessThan(entries.length * 10)
    })

    test("or with fields of another, or of its own altered, is refused with a code", () => {
        const bytes = fc.oneof(
            fc.constant(new Uint8Array(32)),
            fc.constant(new Uint8Array(32).fill(0xff)),
            fc.uint8Array({ minLength: 32, maxLength: 32 }),
        )
        const number = fc.oneof(fc.constantFrom(0, 1, 2, 255), fc.maxSafeNat())
        fc.assert(
            fc.property(
                ...[
                    fc.nat(states.length - 1),
                    fc.nat(entries.length - 1),
                    fc.nat(),
                    bytes,
                    number,
                    fc.boolean(),
                ],
                (at, which, field, fill, value, near) => {
                    const before = state(at)
                    const entry = near ? (entries[at + 1] ?? entries[which]!) : entries[which]!
                    const names = Object.keys(entry).filter((name) => name !== "kind")
                    const name = names[field % names.length]!
                    const old = (entry as Record<string, unknown>)[name]
                    const changed =
                        typeof old === "number"
                            ? value
                            : old instanceof Uint8Array
                              ? pad(fill, old.length)
                              : old
                    const altered = { ...entry, [name]: changed }
                    let decoded: Entry
                    try {
                        decoded = decodeEntry(encodeEntry(altered))
                    } catch (error) {
                        // A number too large for its field: nothing that a ledger could hold.
                        if (error instanceof RangeError || error instanceof Refusal) return
                        throw error
                    }
                    const result = accept(before, decoded)
                    if (typeof result === "string") judge(before, decoded)
                },
            ),
            { numRuns: 600 },
        )
    })
})

function pad(bytes: Uint8Array, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, at) => bytes[at % bytes.length] ?? 0)
}

describe("what the ledger server owes", () => {
    test("is taken by the fold and holds under verification, in every state and at every time", () => {
        const { vrfSeed } = sample.keys
        for (const before of states) {
            for (const later of [0, 1, 9_999, 10_000, 30_000, 10_000_000]) {
                const owed = dueEntry(before, vrfSeed, before.time + later)
                if (owed !== undefined) expect(typeof accept(before, owed), owed.kind).toBe("object")
            }
        }
    })

    test("is the same whenever it is asked for, so that a restart changes nothing", () => {
        const { vrfSeed } = sample.keys
        for (const before of states) {
            const [one, two] = [0, 0].map(() => dueEntry(before, vrfSeed, before.time))
            if (one !== undefined && two !== undefined)
                expect(equalBytes(encodeEntry(one), encodeEntry(two))).toBe(true)
            expect(one?.kind).toBe(two?.kind)
        }
    })
})
