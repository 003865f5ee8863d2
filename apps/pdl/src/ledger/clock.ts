/**
 * The time of one chain's ledger, by which its entries are dated and its deadlines fall. It follows the machine's wall
 * clock between bounds that keep a clock which jumps or stops from cutting a window short or freezing one: it never
 * goes slower than nine tenths of elapsed time, and while a round is in progress never faster than that.
 */
import type { ChainState } from "@tallylight/protocol/ledger/state.js"
import type { Clock, UnixMs } from "@tallylight/protocol/ports/clock.js"
import { SkewWatch } from "@tallylight/protocol/session/skew.js"

type State = Pick<ChainState, "time" | "current">

/** The ledger's time minus the wall clock, when that is news. */
export type OnSkew = (aheadMs: number, isOff: boolean) => void

/** Of elapsed time, while the ledger is ahead of the wall clock: an hour is made good in ten. */
const slowestPace = 0.9
const tolerableMs = 1000
/** How soon a wall clock that was set is noticed where nothing else happens. */
const lookEveryMs = 1000

export class LedgerClock {
    readonly #clock: Clock
    readonly #onSkew: OnSkew
    readonly #watch = new SkewWatch(tolerableMs)
    /** Fractions are kept here, or many readings would lose time. */
    #time: number
    #readAt: number

    /** After a restart nothing but the wall clock can say how much time went by. */
    constructor(clock: Clock, state: State, onSkew: OnSkew) {
        this.#clock = clock
        this.#onSkew = onSkew
        this.#time = Math.max(clock.now(), state.time)
        this.#readAt = clock.elapsed()
        this.#tell()
    }

    /** Whole milliseconds; never less than the last reading, and so than any entry that was dated by one. */
    read({ current }: State): UnixMs {
        const elapsed = this.#clock.elapsed()
        const passed = elapsed - this.#readAt
        this.#readAt = elapsed
        const earliest = this.#time + passed * slowestPace
        const latest = current === undefined ? Infinity : this.#time + passed
        this.#time = Math.min(Math.max(this.#clock.now(), earliest), latest)
        this.#tell()
        return Math.floor(this.#time)
    }

    /** The ledger's time minus the wall clock's: above 0 after the wall clock was set back, below after it was set ahead. */
    get aheadMs(): number {
        return Math.round(this.#time + this.#clock.elapsed() - this.#readAt - this.#clock.now())
    }

    /** Resolves once the ledger's time has come to `time`; rejects with the signal's reason, which any commit must cause. */
    async until(time: UnixMs, state: State, signal: AbortSignal): Promise<void> {
        for (;;) {
            const left = time - this.read(state)
            if (left <= 0) return
            await this.#clock.sleep(Math.min(left, lookEveryMs), signal)
        }
    }

    #tell(): void {
        const { aheadMs } = this
        const news = this.#watch.notices(aheadMs)
        if (news !== undefined) this.#onSkew(aheadMs, news === "off")
    }
}
