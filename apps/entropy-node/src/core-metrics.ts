/** What the core tells its meter and its status does not show, as metrics for Prometheus. */
import { Counter } from "prom-client"
import type { Registry } from "prom-client"
import { noMeter } from "./core/meter.ts"
import type { Meter } from "./core/meter.ts"

export function coreMetrics(registry: Registry): Meter {
    const registers = [registry]
    const failures = new Counter({
        name: "tallylight_entropy_source_alarms_total",
        help: "How often a source was taken out: by a health test, or because its device failed.",
        labelNames: ["source", "failure"],
        registers,
    })
    const drawn = new Counter({
        name: "tallylight_entropy_drawn_bytes_total",
        help: "Bytes that left the pool or the queue, by what they were for.",
        labelNames: ["what"],
        registers,
    })
    return {
        ...noMeter,
        failed: (source, failure) => failures.inc({ source, failure }),
        gave: (what, count) => drawn.inc({ what }, count),
    }
}
