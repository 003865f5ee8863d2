import type { UnixMs } from "@tallylight/protocol/ports/clock.js"
import { formatUtc, parseUtc } from "@tallylight/protocol/pulse/utc.js"
import type { UtcUnit } from "@tallylight/protocol/pulse/utc.js"

const earliest = "0000-01-01T00:00:00.000Z"
const unitLength = { hour: 13, day: 10, month: 7, year: 4 } as const satisfies Record<UtcUnit, number>

/** The first millisecond of the UTC hour, day, month or year of that time. */
export function startOfUnit(unit: UtcUnit, time: UnixMs): UnixMs {
    const length = unitLength[unit]
    const start = parseUtc(formatUtc(time).slice(0, length) + earliest.slice(length))
    if (start === undefined) throw new Error("every unit of a time has a start")
    return start
}
