import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { formatUtc, parseUtc, sameUnit, utcUnits } from "./utc.ts"

const last = Date.UTC(9999, 11, 31, 23, 59, 59, 999)
const anyTime = fc.integer({ min: 0, max: last })

test("is the calendar of Date on every day of four centuries", () => {
    for (let day = Date.UTC(1970, 0, 1); day <= Date.UTC(2400, 2, 2); day += 86_400_000) {
        const text = new Date(day).toISOString()
        // One expectation a day would take longer than all the days.
        if (formatUtc(day) !== text || parseUtc(text) !== day) expect(formatUtc(day)).toBe(text)
    }
})

test("is the calendar of Date at any millisecond up to the year 9999", () => {
    fc.assert(
        fc.property(anyTime, (ms) => {
            const text = new Date(ms).toISOString()
            expect(formatUtc(ms)).toBe(text)
            expect(parseUtc(text)).toBe(ms)
        }),
    )
    expect(formatUtc(last)).toBe("9999-12-31T23:59:59.999Z")
    expect(parseUtc("1970-01-01T00:00:00.000Z")).toBe(0)
})

test.each([-1, 0.5, NaN, last + 1, Infinity])("has no text for %s", (ms) => {
    expect(() => formatUtc(ms)).toThrow(RangeError)
})

describe("what is no time", () => {
    test.each([
        "",
        "2026-09-03T21:08:00Z",
        "2026-09-03T21:08:00.00Z",
        "2026-09-03T21:08:00.000",
        "2026-09-03T21:08:00.000z",
        "2026-09-03T21:08:00.000+00:00",
        "2026-09-03 21:08:00.000Z",
        " 2026-09-03T21:08:00.000Z",
        "2026-09-03T21:08:00.000Z\n",
        "2026-13-03T21:08:00.000Z",
        "2026-00-03T21:08:00.000Z",
        "2026-06-31T21:08:00.000Z",
        "2026-06-00T21:08:00.000Z",
        "2025-02-29T21:08:00.000Z",
        "2026-09-03T24:00:00.000Z",
        "2026-09-03T23:60:00.000Z",
        "2026-09-03T23:59:60.000Z",
        "1969-12-31T23:59:59.999Z",
        "12026-09-03T21:08:00.000Z",
    ])("%j", (text) => expect(parseUtc(text)).toBeUndefined())
})

describe("units", () => {
    const parts = (ms: number): readonly number[] => {
        const date = new Date(ms)
        return [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCHours()]
    }

    test("are shared as Date has it", () => {
        const near = fc.tuple(anyTime, fc.integer({ min: 0, max: 400 * 86_400_000 }))
        fc.assert(
            fc.property(near, ([a, apart]) => {
                const b = Math.max(a - apart, 0)
                for (const [at, unit] of (["year", "month", "day", "hour"] as const).entries()) {
                    const same =
                        parts(a)
                            .slice(0, at + 1)
                            .join() ===
                        parts(b)
                            .slice(0, at + 1)
                            .join()
                    expect(sameUnit(unit, a, b), unit).toBe(same)
                }
            }),
        )
    })

    test("end where they end", () => {
        const newYear = Date.UTC(2027, 0, 1)
        for (const unit of utcUnits) {
            expect(sameUnit(unit, newYear - 1, newYear)).toBe(false)
            expect(sameUnit(unit, newYear, newYear + 3_599_999)).toBe(true)
        }
        expect(sameUnit("hour", newYear, newYear + 3_600_000)).toBe(false)
        // The same hour of another day is another hour.
        expect(sameUnit("hour", newYear, newYear + 86_400_000)).toBe(false)
    })
})
