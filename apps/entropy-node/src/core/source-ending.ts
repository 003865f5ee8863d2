/** What ends a source until it is opened again: its device, a health test, or its own word. */
import type { HealthFailure } from "@tallylight/entropy/health.js"
import { SourceCondemned } from "../sources/source.ts"
import type { SourceFailure } from "./meter.ts"

export type SourceEnding = {
    readonly state: "missing" | "failed"
    readonly failure: SourceFailure
    readonly reason: string
}

/** What a driver rejected with, apart from our own failures. */
class DeviceError extends Error {
    override readonly name = "DeviceError"
}

export async function ofDevice<T>(call: Promise<T>): Promise<T> {
    try {
        return await call
    } catch (error) {
        throw new DeviceError(error instanceof Error ? error.message : String(error), { cause: error })
    }
}

/** Throws what is not the device's. */
export function endedByDevice(error: unknown): SourceEnding {
    if (!(error instanceof DeviceError)) throw error
    return error.cause instanceof SourceCondemned
        ? { state: "failed", failure: "self-test", reason: error.message }
        : { state: "missing", failure: "device", reason: error.message }
}

export function endedByTest(
    during: "startup" | "use",
    { test, value, count, cutoff }: HealthFailure,
): SourceEnding {
    const what = {
        repetition: `${count} samples in a row were ${value}, and ${cutoff} are too many`,
        proportion: `${count} samples of a window were ${value}, and ${cutoff} are too many`,
    }[test]
    const which = { repetition: "the repetition count test", proportion: "the adaptive proportion test" }[
        test
    ]
    const reason = `${which} failed: ${what}`
    return during === "startup"
        ? { state: "failed", failure: "startup", reason: `at start-up, ${reason}` }
        : { state: "failed", failure: test, reason }
}
