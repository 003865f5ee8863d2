/** What `doctor` looks at in the pulses of a node, whether it runs or not, and how fast their file grows. */
import { stat } from "node:fs/promises"

import { ok, warn } from "@tallylight/node/doctor.js"
import type { Check } from "@tallylight/node/doctor.js"
import type { Clock } from "@tallylight/protocol/ports/clock.js"

import { connectToPulses } from "./pulse-file.ts"
import { pulsesFile } from "./pulses.ts"
import { SqlitePulseReader } from "./sqlite-pulse-reader.ts"

const dayMs = 86_400_000

/** `folder` is that of the pulses. */
export function pulsesCheck(folder: () => Promise<string>, enabled: boolean, clock: Clock): Check {
    return {
        name: "pulses",
        look: async () => {
            if (!enabled) return ok("not needed: pulses are not enabled")
            const last = await readPulses(await folder(), (reader) => reader.lastOfEach())
            const [newest] = last
                .map(({ pulse }) => pulse)
                .toSorted((one, other) => other.timeStamp - one.timeStamp)
            if (newest === undefined) return ok("none yet")
            const { chainIndex, pulseIndex, timeStamp } = newest
            const says = `the last one is pulse ${pulseIndex} of chain ${chainIndex}, of ${new Date(timeStamp).toISOString()}`
            if (timeStamp <= clock.now()) return ok(says)
            return warn(
                `${says}, which is still to come`,
                "is this machine's clock right, or was it ahead? until then no pulse comes at a fixed time, and " +
                    "those of beacons have later times than their beacons",
            )
        },
    }
}

/** So far; 0 for one that is younger than a day, or that the check above finds fault with. */
export async function pulseBytesPerDay(folder: string, clock: Clock): Promise<number> {
    const oldest = await readPulses(folder, (reader) => reader.byTime(0, "at-or-next")).catch(() => undefined)
    const days = oldest === undefined ? 0 : (clock.now() - oldest.pulse.timeStamp) / dayMs
    return days < 1 ? 0 : (await stat(pulsesFile(folder))).size / days
}

async function readPulses<Found>(
    folder: string,
    read: (reader: SqlitePulseReader) => Promise<Found>,
): Promise<Found> {
    const path = pulsesFile(folder)
    // The last connection takes its log away with it, but for one that only reads: that would leave one behind.
    const isClosed = await stat(`${path}-wal`).then(
        () => false,
        () => true,
    )
    const reader = new SqlitePulseReader(await connectToPulses(path, isClosed ? "write" : "read"))
    try {
        return await read(reader)
    } finally {
        await reader.close()
    }
}
