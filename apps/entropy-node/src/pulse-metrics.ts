/** When each chain of pulses had its last one, for Prometheus: whether a node still signs shows nowhere else. */
import { Gauge } from "prom-client"
import type { Registry } from "prom-client"
import type { PulseReader } from "./pulses/pulse-reader.ts"

export function pulseMetrics(registry: Registry, reader: Pick<PulseReader, "lastOfEach">): void {
    new Gauge({
        name: "tallylight_entropy_pulse_timestamp_seconds",
        help: "The time that the last pulse of each chain of pulses carries, in seconds since 1970.",
        labelNames: ["chain"],
        registers: [registry],
        async collect() {
            for (const { pulse } of await reader.lastOfEach())
                this.set({ chain: String(pulse.chainIndex) }, pulse.timeStamp / 1000)
        },
    })
}
