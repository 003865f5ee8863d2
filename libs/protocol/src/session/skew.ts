/** How two clocks stand to each other, and when that is worth a line: once a change, not once an entry. */
import type { Clock, UnixMs } from "../ports/clock.ts"

/** Says whether a difference is news: a first one, one twice or half as large as the last that was, or none any more. */
export class SkewWatch {
    readonly #tolerableMs: number
    /** The last difference that was news; 0 where that was that there is none. */
    #told = 0

    constructor(tolerableMs: number) {
        this.#tolerableMs = tolerableMs
    }

    notices(differenceMs: number): "off" | "right" | undefined {
        const [size, told] = [Math.abs(differenceMs), Math.abs(this.#told)]
        if (size <= this.#tolerableMs) {
            // Not already at the limit, where the difference may go to and fro.
            if (told === 0 || size > this.#tolerableMs / 2) return undefined
            this.#told = 0
            return "right"
        }
        const isSame = Math.sign(differenceMs) === Math.sign(this.#told) && size < told * 2 && size > told / 2
        if (isSame) return undefined
        this.#told = differenceMs
        return "off"
    }
}

export type Skew = {
    /** The ledger's time minus this machine's clock. */
    readonly aheadMs: number
    /** What happened: these clocks were never the same, or one of them jumped or runs wrong. */
    readonly moved: "neither" | "machine" | "ledger"
    readonly isOff: boolean
}

/** Beyond this, deadlines that people read off their own clock are wrong enough to be told. */
const tolerableMs = 5000

/**
 * What a follower knows of the ledger's time: what the server said at the hello, and what its entries are dated.
 * In between it goes on by elapsed time, so that a clock of this machine that is set or stops is noticed.
 */
export class LedgerTime {
    readonly #clock: Clock
    readonly #onSkew: (skew: Skew) => void
    readonly #watch = new SkewWatch(tolerableMs)
    /** Of the ledger and of this machine, when `elapsed` was 0. */
    #epochs: { readonly ledger: UnixMs; readonly machine: UnixMs } | undefined

    constructor(clock: Clock, onSkew: (skew: Skew) => void) {
        this.#clock = clock
        this.#onSkew = onSkew
    }

    /** The server said its time, which was that much ahead of this machine's. */
    greeted({ clockAheadMs }: { readonly clockAheadMs: number }): void {
        const machine = this.#machineEpoch()
        this.#epochs = { machine, ledger: machine + clockAheadMs }
        this.#judge("neither")
    }

    /** An entry is dated that: the ledger has come so far at least. */
    dated(time: UnixMs): void {
        if (this.#epochs === undefined) return
        const { ledger, machine } = this.#epochs
        const dated = time - this.#clock.elapsed()
        this.#epochs = { machine, ledger: Math.max(ledger, dated) }
        this.#judge(dated - ledger > tolerableMs ? "ledger" : "neither")
    }

    /** To be called from time to time: this machine's clock may have been set while nothing came. */
    look(): void {
        this.#judge("neither")
    }

    #judge(moved: Skew["moved"]): void {
        if (this.#epochs === undefined) return
        const machine = this.#machineEpoch()
        const aheadMs = Math.round(this.#epochs.ledger - machine)
        const news = this.#watch.notices(aheadMs)
        if (news === undefined) return
        const machineMoved = Math.abs(machine - this.#epochs.machine) > tolerableMs
        this.#onSkew({ aheadMs, moved: machineMoved ? "machine" : moved, isOff: news === "off" })
    }

    #machineEpoch(): UnixMs {
        return this.#clock.now() - this.#clock.elapsed()
    }
}
