/** For tests: a simulated chip on a bus with faults, a clock that leaps, and a record of what the chip has drawn. */
import { seededRandom } from "@tallylight/protocol/ports/seeded-random.js"
import { FaultyBus } from "./faulty-bus.ts"
import type { Fault, Transfer } from "./faulty-bus.ts"
import { LeapingClock } from "./leaping-clock.ts"
import { SimulatedChip } from "./simulated-chip.ts"
import type { SimulatedChipOptions } from "./simulated-chip.ts"

export class RecordedChip {
    readonly clock = new LeapingClock()
    readonly chip: SimulatedChip
    readonly bus: FaultyBus
    /** Of Random, in the order in which they were drawn. */
    readonly blocks: Uint8Array[] = []
    /** How many transfers there were. */
    transfers = 0
    /** What becomes of the nth transfer, counted from 0. */
    fault: (at: number, transfer: Transfer) => Fault | undefined = () => undefined

    constructor(options: Partial<SimulatedChipOptions> = {}) {
        const draw = options.random ?? seededRandom("recorded chip")
        this.chip = new SimulatedChip({
            name: "recorded",
            address: 0x60,
            clock: this.clock,
            ...options,
            random: (length) => {
                const block = draw(length)
                this.blocks.push(block)
                return block
            },
        })
        this.bus = new FaultyBus(this.chip, (transfer) => this.fault(this.transfers++, transfer))
    }
}
