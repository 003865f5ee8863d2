/**
 * Times as pulses write them, and the calendar that their links follow: UTC, the proleptic Gregorian calendar of
 * RFC 3339, no leap seconds. Arithmetic on milliseconds, since nothing below libs/node knows of `Date`.
 */
import type { UnixMs } from "../ports/clock.ts"

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** 9999-12-31T23:59:59.999Z: a year has four digits. */
const lastMs = 253_402_300_799_999

/** 2000-03-01: years that begin in March have their leap day at the end. */
const marchEpochDays = 11_017
const daysOf400Years = 146_097

type CivilDate = { readonly year: number; readonly month: number; readonly day: number }

/** Days from 1970-01-01 to the date of that number. */
function civilDate(days: number): CivilDate {
    const since = days - marchEpochDays
    const era = Math.floor(since / daysOf400Years)
    const dayOfEra = since - era * daysOf400Years
    // Each term takes out the leap days (every 4 years, not every 100, every 400) that come before that day.
    const yearOfEra = Math.floor(
        (dayOfEra -
            Math.floor(dayOfEra / 1_460) +
            Math.floor(dayOfEra / 36_524) -
            Math.floor(dayOfEra / 146_096)) /
            365,
    )
    const dayOfYear = dayOfEra - daysBeforeYear(yearOfEra)
    // March to July and August to December have the same lengths: 153 days in five months.
    const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
    const month = ((monthFromMarch + 2) % 12) + 1
    return {
        year: 2000 + era * 400 + yearOfEra + (month <= 2 ? 1 : 0),
        month,
        day: dayOfYear - daysBeforeMonth(monthFromMarch) + 1,
    }
}

function daysSinceEpoch({ year, month, day }: CivilDate): number {
    const marchYear = year - 2000 - (month <= 2 ? 1 : 0)
    const era = Math.floor(marchYear / 400)
    const dayOfYear = daysBeforeMonth((month + 9) % 12) + day - 1
    return marchEpochDays + era * daysOf400Years + daysBeforeYear(marchYear - era * 400) + dayOfYear
}

function daysBeforeYear(yearOfEra: number): number {
    return 365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100)
}

function daysBeforeMonth(monthFromMarch: number): number {
    return Math.floor((153 * monthFromMarch + 2) / 5)
}

function digits(value: number, width: number): string {
    return String(value).padStart(width, "0")
}

/** YYYY-MM-DDTHH:MM:SS.mmmZ. Throws RangeError for what is no whole millisecond from 1970 to 9999. */
export function formatUtc(time: UnixMs): string {
    if (!Number.isInteger(time) || time < 0 || time > lastMs)
        throw new RangeError(`${time} is no time from 1970 to 9999`)
    const { year, month, day } = civilDate(Math.floor(time / dayMs))
    const ms = time % dayMs
    const date = `${digits(year, 4)}-${digits(month, 2)}-${digits(day, 2)}`
    const hours = digits(Math.floor(ms / hourMs), 2)
    const minutes = digits(Math.floor(ms / 60_000) % 60, 2)
    return `${date}T${hours}:${minutes}:${digits(Math.floor(ms / 1_000) % 60, 2)}.${digits(ms % 1_000, 3)}Z`
}

/** The time of which the text is the one form that `formatUtc` gives; undefined where there is none. */
export function parseUtc(text: string): UnixMs | undefined {
    const found = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})\.(\d{3})Z$/.exec(text)
    if (found === null) return undefined
    const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0, ms = 0] = found
        .slice(1)
        .map(Number)
    const time =
        daysSinceEpoch({ year, month, day }) * dayMs +
        hours * hourMs +
        minutes * 60_000 +
        seconds * 1_000 +
        ms
    // The 31st of June and the 25th hour have a place on the line of days, under another name.
    return time >= 0 && time <= lastMs && formatUtc(time) === text ? time : undefined
}

export const utcUnits = ["hour", "day", "month", "year"] as const
export type UtcUnit = (typeof utcUnits)[number]

const unitLength = { hour: 13, day: 10, month: 7, year: 4 } as const satisfies Record<UtcUnit, number>

/** Whether the two times have the same year, and month, and day, and hour, as far down as the unit. */
export function sameUnit(unit: UtcUnit, a: UnixMs, b: UnixMs): boolean {
    const length = unitLength[unit]
    return formatUtc(a).slice(0, length) === formatUtc(b).slice(0, length)
}
