/** What an entropy node counts, under the names by which Prometheus asks for it. */
import { Counter, Gauge } from "prom-client"
import type { Registry } from "prom-client"
import type { NodeCore, NodeStatus } from "../core/node-core.ts"
import type { Counts } from "./counts.ts"
import type { Plugin } from "./forward.ts"

/** GET /metrics, of all serving processes together: `counts` has what each of them counted. */
export function metricsRoute(registry: Registry, core: NodeCore, counts: Counts): Plugin {
    const watched = watch(registry)
    return (server) => {
        server.get("/metrics", async (_, reply) => {
            watched(await core.status(), counts)
            return reply.type(registry.contentType).send(await registry.metrics())
        })
    }
}

type Values = (status: NodeStatus) => readonly (readonly [Record<string, string>, number])[]

function watch(registry: Registry): (status: NodeStatus, counts: Counts) => void {
    const registers = [registry]
    const answers = new Counter({
        ...{ name: "tallylight_entropy_http_answers_total", registers },
        help: "Requests that were answered, by route and status.",
        labelNames: ["method", "route", "status"],
    })
    const bytes = new Counter({
        ...{ name: "tallylight_entropy_bytes_given_total", registers, labelNames: ["source"] },
        help: "Bytes handed out over HTTP: trng (raw) or fortuna (amplified).",
    })
    const gauges = read.map(([name, help, labelNames, values]) => ({
        gauge: new Gauge({
            name: `tallylight_entropy_${name}`,
            help,
            labelNames: [...labelNames],
            registers,
        }),
        values,
    }))
    return (status, counts) => {
        const counted = counts.take()
        for (const [labels, times] of counted.answers) {
            const [method = "", route = "", code = ""] = labels.split(" ")
            answers.inc({ method, route, status: code }, times)
        }
        for (const [source, count] of counted.bytes) bytes.inc({ source }, count)
        for (const { gauge, values } of gauges) {
            gauge.reset()
            for (const [labels, value] of values(status)) gauge.set(labels, value)
        }
    }
}

const ofNode =
    (value: (status: NodeStatus) => number): Values =>
    (status) => [[{}, value(status)]]
const ofSources =
    (value: (source: NodeStatus["sources"][number]) => number): Values =>
    ({ sources }) =>
        sources.map((source) => [{ source: source.name }, value(source)])

/** What is read off the node whenever somebody asks. */
const read: readonly (readonly [string, string, readonly string[], Values])[] = [
    ["ready", "1 where the node gives bytes.", [], ofNode(({ unready }) => Number(unready.length === 0))],
    [
        "simulated",
        "1 where a source that counts is simulated.",
        [],
        ofNode((status) => Number(status.simulated)),
    ],
    [
        "source_healthy",
        "1 where the source passes its health tests.",
        ["source"],
        ofSources(({ state }) => Number(state === "healthy")),
    ],
    ["source_bytes", "Raw bytes read of the source.", ["source"], ofSources((source) => source.bytes)],
    [
        "source_failures",
        "How often each health test of SP 800-90B failed, or one of the device's own.",
        ["source", "test"],
        ({ sources }) =>
            sources.flatMap(({ name, health }) => [
                [{ source: name, test: "repetition" }, health.repetitionFailures] as const,
                [{ source: name, test: "proportion" }, health.proportionFailures] as const,
                [{ source: name, test: "startup" }, health.startupFailures] as const,
                [{ source: name, test: "self-test" }, health.selfTestFailures] as const,
            ]),
    ],
    [
        "pool_reseeds",
        "Times that the pools reseeded the node's generator.",
        [],
        ofNode(({ pool }) => pool.reseeds),
    ],
    ["queue_bytes", "Raw bytes that wait.", [], ofNode(({ queue }) => queue.bytes)],
    [
        "queue_simulated",
        "1 where a raw byte that waits is of a simulated source.",
        [],
        ofNode(({ queue }) => Number(queue.simulated)),
    ],
    ["queue_capacity_bytes", "Most raw bytes that wait.", [], ofNode(({ queue }) => queue.capacity)],
    ["queue_handed_out_bytes", "Raw bytes handed out.", [], ofNode(({ queue }) => queue.handedOut)],
]
