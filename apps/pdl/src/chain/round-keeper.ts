/** Appends what the ledger server itself owes: tickets, tallies, beacons and voids, each as soon as it is due. */
import { extendWindow, extensionsPerWindow } from "@tallylight/protocol/round/ending.js"
import { dueEntry, wakeAt } from "@tallylight/protocol/round/schedule.js"
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import type { LedgerClock } from "../ledger/clock.ts"
import type { LedgerWriter } from "../ledger/writer.ts"

export class RoundKeeper {
    readonly #writer: LedgerWriter
    readonly #vrfSeed: Uint8Array
    readonly #clock: LedgerClock
    #alarm = new AbortController()

    constructor(writer: LedgerWriter, vrfSeed: Uint8Array, clock: LedgerClock) {
        this.#writer = writer
        this.#vrfSeed = vrfSeed
        this.#clock = clock
    }

    /** After every commit: something may be due at once. */
    wake(): void {
        this.#alarm.abort()
    }

    /** Until `signal` aborts. */
    async run(signal: AbortSignal): Promise<void> {
        signal.addEventListener("abort", () => this.wake(), { once: true })
        await this.#extendAfterDowntime()
        while (!signal.aborted) {
            this.#alarm = new AbortController()
            const appended = await this.#writer.submit((state, time) => dueEntry(state, this.#vrfSeed, time))
            if (appended === undefined) await this.#sleep(signal)
        }
    }

    /** Until the next deadline or the next commit, whichever is first. */
    async #sleep(signal: AbortSignal): Promise<void> {
        const alarm = this.#alarm.signal
        if (signal.aborted || alarm.aborted) return
        const { state } = this.#writer
        // Only the alarm rejects, and both mean that it is time to look.
        await this.#clock.until(wakeAt(state) ?? Infinity, state, alarm).catch(() => undefined)
    }

    /** A window of which this server missed more than half would punish others for its own absence. */
    async #extendAfterDowntime(): Promise<void> {
        await this.#writer.submit((state, time) => {
            const { current } = state
            if (current === undefined || current.extensions >= extensionsPerWindow) return undefined
            const extension = extendWindow(state, current, time)
            const left = deadline(current) - time
            return left < (extension.closesAt - time) / 2 ? extension : undefined
        })
    }
}

function deadline(current: NonNullable<ChainState["current"]>): number {
    return current.phase === "open" ? current.closesAt : current.answerBy
}
